"""Ports and volumes of servers: each change is a durable task. One is at work on a server at a time, and the next one waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from novalike.api.operations.create import caller_of
from novalike.api.services import ApiServices
from novalike.context import RequestContext
from novalike.db import acceptance, action_log, block_devices, device_requests, instances, tasks
from novalike.db.engine import Database
from novalike.exception import AddressInUse, Conflict, Forbidden, Invalid, NotFound, NovalikeError, Unavailable
from novalike.objects.block_device import BlockDevice
from novalike.objects.device_tasks import (
    ATTACH_INTERFACE,
    ATTACH_VOLUME,
    DETACH_INTERFACE,
    DETACH_VOLUME,
    DEVICE_KINDS,
    SWAP_VOLUME,
)
from novalike.objects.instance import Fault, Instance
from novalike.objects.network_info import RequestedNetwork, Vif
from novalike.objects.states import DURABLE
from novalike.objects.volume import Volume
from novalike.rpc.compute import Devices

T = TypeVar("T")
#: Seconds for which another change of the same server's devices is waited for, and pauses between two looks.
PATIENCE = 60.0
#: Seconds for which the caller of an interface attachment waits for its end (Nova: its rpc_response_timeout).
ANSWER = 60.0
#: As what a task's failure is answered, by its fault's code.
_REFUSALS: dict[int, type[NovalikeError]] = {400: Invalid, 403: Forbidden, 404: NotFound, 409: Conflict}
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 0.25


def interfaces(services: ApiServices, ctxt: RequestContext, instance: Instance) -> tuple[Vif, ...]:
    """Answer a server's ports as the network service has them now."""
    return services.networks.info(caller_of(ctxt), instance.uuid)


def interface(services: ApiServices, ctxt: RequestContext, instance: Instance, port_id: str) -> Vif:
    """Answer one port of a server. Raises NotFound."""
    for vif in interfaces(services, ctxt, instance):
        if vif.port_id == port_id:
            return vif
    raise NotFound(f"Instance {instance.uuid} does not have a port with id {port_id[:255]}")


def attach_interface(services: ApiServices, ctxt: RequestContext, instance: Instance, requested: RequestedNetwork) -> Vif:
    """Attach one more port and wait until the server has it; answer it. One that names nothing is on the project's network.

    Raises Invalid, NotFound, Conflict (the port or address is in use; the server's state), Forbidden (quota), Unavailable
    when it is not done within ANSWER seconds, and NovalikeError with the reason when it failed.
    """
    acceptance.check(instance, DURABLE[ATTACH_INTERFACE], pass_lock=ctxt.is_admin)
    resolved = _requested(services, ctxt, requested)
    cell, caller = services.cells.of_instance(instance.uuid), caller_of(ctxt)
    task_id, nic = _accept(services, instance, ATTACH_INTERFACE, lambda server: cell.write(
        device_requests.attach_interface, server, resolved, caller, now=services.clock.now(), pass_lock=ctxt.is_admin,
    ))
    services.doorbell.ring(ctxt, [task_id])
    ended = _wait(services, lambda: not cell.fetch(tasks.exists, task_id), ANSWER)
    found = next((vif for vif in cell.fetch(instances.network_info, instance.uuid) if vif.nic == nic), None)
    if found is None or not ended:
        raise _why_not(cell, instance, ctxt, ended=ended)
    return next((vif for vif in interfaces(services, ctxt, instance) if vif.port_id == found.port_id), found)


def _requested(services: ApiServices, ctxt: RequestContext, requested: RequestedNetwork) -> RequestedNetwork:
    """Answer what may be used of what was asked for."""
    anything = requested.network_id is None and requested.port_id is None
    try:
        resolved = services.networks.validate(ctxt, None if anything else (requested,), count=1)
    except AddressInUse as error:
        raise Conflict(str(error)) from error
    except Conflict as error:
        if anything:                             # there are several networks to choose from
            raise Invalid(str(error)) from error
        raise
    if not resolved:
        raise Invalid(f"No specific network was requested and none are available for project '{ctxt.project_id}'.")
    return replace(resolved[0], tag=requested.tag)


def _why_not(cell: Database, instance: Instance, ctxt: RequestContext, *, ended: bool) -> NovalikeError:
    if not ended:
        return Unavailable("The interface is still being attached; ask again later whether the server has it.")
    try:
        done = cell.fetch(action_log.get, instance.uuid, ctxt.request_id)
    except NotFound:                             # the server is gone, and its log with it
        return Conflict(f"Instance {instance.uuid} was deleted meanwhile.")
    reason = next((step.details for step in done.events if step.details), None)
    if reason is None:
        return NovalikeError("The interface was attached, and has gone again.")
    fault = _fault(cell, instance.uuid)
    if fault is not None and fault.message == reason and fault.code in _REFUSALS:
        return _REFUSALS[fault.code](reason)     # what was fine when it was checked, and was not a moment later
    return NovalikeError(f"Failed to attach network adapter device to {instance.uuid}: {reason}")


def _fault(cell: Database, uuid: str) -> Fault | None:
    try:
        return cell.fetch(instances.get, uuid).fault
    except NotFound:
        return None


def detach_interface(services: ApiServices, ctxt: RequestContext, instance: Instance, port_id: str) -> None:
    """Accept that a port goes. Raises NotFound, Conflict."""
    acceptance.check(instance, DURABLE[DETACH_INTERFACE], pass_lock=ctxt.is_admin)
    if all(vif.port_id != port_id for vif in instance.network_info):
        interface(services, ctxt, instance, port_id)     # it may be on its way: then the task which brings it is waited for
    _change(services, ctxt, instance, DETACH_INTERFACE, device_requests.detach_interface, port_id)


def volumes_of(services: ApiServices, instance: Instance) -> list[BlockDevice]:
    """Answer the volumes which a server has, or is getting."""
    found = services.cells.of_instance(instance.uuid).fetch(block_devices.of_instance, instance.uuid)
    return [device for device in found if device.volume_id is not None]


def volume_of(services: ApiServices, instance: Instance, volume_id: str) -> BlockDevice:
    """Answer one of them. Raises NotFound."""
    return services.cells.of_instance(instance.uuid).fetch(device_requests.attached, instance.uuid, volume_id)


def attach_volume(
    services: ApiServices, ctxt: RequestContext, instance: Instance, volume_id: str, *, device_name: str | None = None,
    tag: str | None = None, delete_on_termination: bool = False, multiattach: bool = True,
) -> BlockDevice:
    """Accept one more volume; answer its device. `multiattach` says whether the caller knows of volumes with several servers.

    Raises NotFound, Invalid (the volume cannot be had), Conflict (the server's state), Forbidden (too many disks).
    """
    acceptance.check(instance, DURABLE[ATTACH_VOLUME], pass_lock=ctxt.is_admin)
    volume = services.volumes.get(ctxt, volume_id)
    _check_free(volume, instance, multiattach=multiattach)
    _check_count(services, instance)
    accepted: BlockDevice = _change(
        services, ctxt, instance, ATTACH_VOLUME, device_requests.attach_volume, volume_id, device_name=device_name, tag=tag,
        delete_on_termination=delete_on_termination, size_gb=volume.size_gb,
    )[1]
    return accepted


def _check_free(volume: Volume, instance: Instance, *, multiattach: bool) -> None:
    if volume.multiattach:
        if not multiattach:
            raise Invalid("Multiattach volumes are only supported starting with compute API version 2.60.")
        if instance.host is None:
            raise Invalid("Attaching multiattach volumes is not supported for shelved-offloaded instances.")
    if instance.uuid in volume.attached_to:
        raise Invalid(f"Invalid volume: volume {volume.id} already attached")
    if volume.status != "available" and not (volume.multiattach and volume.status == "in-use"):
        raise Invalid(f"Invalid volume: volume '{volume.id}' status must be 'available'. Currently in '{volume.status}' status.")


def _check_count(services: ApiServices, instance: Instance) -> None:
    most: int = services.conf.compute.max_disk_devices_to_attach
    if most < 0:
        return
    listed = services.cells.of_instance(instance.uuid).fetch(block_devices.of_instance, instance.uuid)
    local = any(device.destination_type == "local" for device in listed)
    flavor = instance.flavor
    count = len(listed) + (0 if local else 1 + (flavor.ephemeral_gb > 0) + (flavor.swap_mb > 0))
    if count >= most:
        raise Forbidden(
            f"The maximum allowed number of disk devices ({most}) to attach to a single instance has been exceeded.",
        )


def detach_volume(services: ApiServices, ctxt: RequestContext, instance: Instance, volume_id: str) -> None:
    """Accept that a volume goes. Raises NotFound, Invalid (it is the root disk), Conflict."""
    acceptance.check(instance, DURABLE[DETACH_VOLUME], pass_lock=ctxt.is_admin)
    services.volumes.get(ctxt, volume_id)
    volume_of(services, instance, volume_id)
    _change(services, ctxt, instance, DETACH_VOLUME, device_requests.detach_volume, volume_id)


def swap_volume(services: ApiServices, ctxt: RequestContext, instance: Instance, volume_id: str, new_volume_id: str) -> None:
    """Accept that another volume takes the place of an attached one. Raises NotFound, Invalid, Conflict."""
    acceptance.check(instance, DURABLE[SWAP_VOLUME], pass_lock=ctxt.is_admin)
    old, new = services.volumes.get(ctxt, volume_id), services.volumes.get(ctxt, new_volume_id)
    volume_of(services, instance, volume_id)
    if instance.uuid not in old.attached_to:
        raise Invalid("Invalid volume: Old volume is attached to a different instance.")
    if new.attached_to or new.status != "available":
        raise Invalid("Invalid volume: New volume must be detached in order to swap.")
    if new.size_gb < old.size_gb:
        raise Invalid("Invalid volume: New volume must be the same size or larger.")
    if old.multiattach and len(old.attached_to) > 1:
        raise Invalid("Swapping multi-attach volumes with more than one read/write attachment is not supported.")
    _change(services, ctxt, instance, SWAP_VOLUME, device_requests.swap_volume, volume_id, new_volume_id)


def keep_or_delete(services: ApiServices, instance: Instance, volume_id: str, *, delete_on_termination: bool) -> None:
    """Say whether a volume ends with its server. Raises NotFound."""
    services.cells.of_instance(instance.uuid).write(
        device_requests.keep_or_delete, instance.uuid, volume_id, delete_on_termination=delete_on_termination,
    )


def diagnostics(services: ApiServices, ctxt: RequestContext, instance: Instance) -> Any:
    """Answer the Diagnostics of a server's guest. Raises Conflict when it has no host or does not run, NotBuilt, Unavailable."""
    if instance.host is None:
        raise Conflict(f"Instance {instance.uuid} is not ready")
    return services.compute(Devices, instance.host).diagnostics(ctxt, instance=instance)


def _change(
    services: ApiServices, ctxt: RequestContext, instance: Instance, operation: str, request: Callable[..., Any], *arguments: Any,
    **more: Any,
) -> Any:
    """Accept one of db/device_requests.py and ring; answer what it answers."""
    cell, caller = services.cells.of_instance(instance.uuid), caller_of(ctxt)
    accepted = _accept(services, instance, operation, lambda server: cell.write(
        request, server, *arguments, caller, now=services.clock.now(), pass_lock=ctxt.is_admin, **more,
    ))
    services.doorbell.ring(ctxt, [accepted[0] if isinstance(accepted, tuple) else accepted])
    return accepted


def _accept(services: ApiServices, instance: Instance, operation: str, accept: Callable[[Instance], T]) -> T:
    """Accept a request, waiting for other changes of the same server's devices to end first. Raises what `accept` raises.

    Clients such as Terraform ask for several at once; each of them shall succeed.
    """
    cell = services.cells.of_instance(instance.uuid)
    give_up, pause = services.clock.monotonic() + PATIENCE, FIRST_PAUSE
    while True:
        try:
            return accept(instance)
        except Conflict:
            running = cell.fetch(tasks.of_instance, instance.uuid)
            if services.clock.monotonic() >= give_up or (running is not None and running.kind not in DEVICE_KINDS):
                raise
            # Nothing runs: it has just ended, or the server itself is in no state for this.
            instance = cell.fetch(instances.get, instance.uuid)
            acceptance.check(instance, DURABLE[operation], pass_lock=True)
        services.clock.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)


def _wait(services: ApiServices, condition: Callable[[], bool], seconds: float) -> bool:
    """Look again and again until the condition holds; answer whether it did within so many seconds."""
    give_up, pause = services.clock.monotonic() + seconds, FIRST_PAUSE
    while not condition():
        if services.clock.monotonic() >= give_up:
            return False
        services.clock.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)
    return True
