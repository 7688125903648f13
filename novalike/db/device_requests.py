"""Requests to change a server's devices: each accepted in one transaction, with what the API shows of it at once."""

from __future__ import annotations

import uuid as uuid_module
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from novalike.db import acceptance, block_devices, devices, instances
from novalike.exception import Invalid, NotFound
from novalike.hardware import disk_names
from novalike.objects.block_device import BlockDevice
from novalike.objects.device_tasks import (
    ATTACH_INTERFACE,
    ATTACH_VOLUME,
    DETACH_INTERFACE,
    DETACH_VOLUME,
    SWAP_VOLUME,
    AttachInterfaceState,
    AttachVolumeState,
    DetachInterfaceState,
    DetachVolumeState,
    SwapVolumeState,
)
from novalike.objects.instance import Instance
from novalike.objects.network_info import RequestedNetwork
from novalike.objects.tasks import Caller


def attach_interface(
    session: Session, instance: Instance, requested: RequestedNetwork, caller: Caller, *, now: datetime, pass_lock: bool = False,
) -> tuple[str, int]:
    """Accept one more port; answer the task's id and the port's place. Raises Conflict, NotFound."""
    nics: list[int] = []

    def state(session: Session) -> AttachInterfaceState:
        taken = [vif.nic for vif in instances.network_info(session, instance.uuid)]
        nics.append(max(taken, default=-1) + 1)
        return AttachInterfaceState(requested=requested, nic=nics[0])
    task_id = _begin(session, instance, ATTACH_INTERFACE, state, caller, now, pass_lock)
    return task_id, nics[0]


def detach_interface(
    session: Session, instance: Instance, port_id: str, caller: Caller, *, now: datetime, pass_lock: bool = False,
) -> str:
    """Accept that a port goes; answer the task's id. Raises Conflict, NotFound."""
    def state(session: Session) -> DetachInterfaceState:
        for vif in instances.network_info(session, instance.uuid):
            if vif.port_id == port_id:
                return DetachInterfaceState(vif=vif)
        raise NotFound(f"Instance {instance.uuid} does not have a port with id {port_id}")
    return _begin(session, instance, DETACH_INTERFACE, state, caller, now, pass_lock)


def attach_volume(
    session: Session, instance: Instance, volume_id: str, caller: Caller, *, now: datetime, device_name: str | None = None,
    tag: str | None = None, delete_on_termination: bool = False, size_gb: int | None = None, pass_lock: bool = False,
) -> tuple[str, BlockDevice]:
    """Accept one more volume; answer the task's id and the device, which is listed from now on.

    `device_name` is a wish. Raises Conflict, NotFound, Invalid when the server has the volume.
    """
    made: list[BlockDevice] = []

    def state(session: Session) -> AttachVolumeState:
        listed = block_devices.of_instance(session, instance.uuid)
        if any(device.volume_id == volume_id for device in listed):
            raise Invalid(f"Invalid volume: volume {volume_id} already attached")
        device = BlockDevice(
            uuid=str(uuid_module.uuid4()), source_type="volume", destination_type="volume", volume_id=volume_id,
            device_name=disk_names.free_name(instance, listed, device_name), tag=tag, size_gb=size_gb,
            delete_on_termination=delete_on_termination,
        )
        block_devices.create(session, instance.uuid, [device], now=now)
        made.append(device)
        return AttachVolumeState(device=device)
    task_id = _begin(session, instance, ATTACH_VOLUME, state, caller, now, pass_lock)
    return task_id, made[0]


def detach_volume(
    session: Session, instance: Instance, volume_id: str, caller: Caller, *, now: datetime, pass_lock: bool = False,
) -> str:
    """Accept that a volume goes; answer the task's id. Raises Conflict, NotFound, Invalid for the root disk."""
    def state(session: Session) -> DetachVolumeState:
        device = attached(session, instance.uuid, volume_id)
        if device.boot_index == 0:
            raise Invalid("Cannot detach a root device volume")
        return DetachVolumeState(device=device)
    return _begin(session, instance, DETACH_VOLUME, state, caller, now, pass_lock)


def swap_volume(
    session: Session, instance: Instance, volume_id: str, new_volume_id: str, caller: Caller, *, now: datetime, pass_lock: bool = False,
) -> str:
    """Accept that another volume takes the place of one; answer the task's id. Raises Conflict, NotFound, Invalid."""
    def state(session: Session) -> SwapVolumeState:
        if any(device.volume_id == new_volume_id for device in block_devices.of_instance(session, instance.uuid)):
            raise Invalid(f"Invalid volume: volume {new_volume_id} already attached")
        return SwapVolumeState(device=attached(session, instance.uuid, volume_id), new_volume_id=new_volume_id)
    return _begin(session, instance, SWAP_VOLUME, state, caller, now, pass_lock)


def attached(session: Session, instance_uuid: str, volume_id: str) -> BlockDevice:
    """Answer the device which a server has a volume as. Raises NotFound."""
    for device in block_devices.of_instance(session, instance_uuid):
        if device.volume_id == volume_id:
            return device
    raise NotFound(f"Instance {instance_uuid} is not attached to volume {volume_id}")


def keep_or_delete(session: Session, instance_uuid: str, volume_id: str, *, delete_on_termination: bool) -> None:
    """Say whether a volume ends with its server. Raises NotFound."""
    devices.change(session, attached(session, instance_uuid, volume_id).uuid, delete_on_termination=delete_on_termination)


def _begin(session: Session, instance: Instance, operation: str, state: Any, caller: Caller, now: datetime, pass_lock: bool) -> str:
    return acceptance.begin_task(
        session, instance, operation, kind=operation, state=state, caller=caller, now=now, pass_lock=pass_lock,
    )
