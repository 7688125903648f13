"""Delete servers: for good, or so that they can be restored for a while."""

from __future__ import annotations

from sqlalchemy.orm import Session

from novalike.api.operations import lifecycle, notices, quotas
from novalike.api.operations.create import caller_of
from novalike.api.services import ApiServices
from novalike.context import RequestContext
from novalike.db import acceptance, block_devices, deletions, mappings, soft_deletes
from novalike.exception import NovalikeError
from novalike.objects.block_device import BlockDevice
from novalike.objects.instance import Instance
from novalike.objects.states import ACTIONS, VmState
from novalike.objects.tasks import Fence


def delete(services: ApiServices, ctxt: RequestContext, instance: Instance, *, pass_lock: bool = False) -> None:
    """Accept a delete, which wins over whatever runs: a soft one where `reclaim_instance_interval` says so and the server ever ran.

    Again is fine. Raises NotFound, and Conflict when locked.
    """
    if services.conf.reclaim_instance_interval <= 0 or instance.launched_at is None or instance.host is None:
        destroy(services, ctxt, instance, pass_lock=pass_lock)
    elif instance.vm_state != VmState.SOFT_DELETED:
        _soft_delete(services, ctxt, instance, pass_lock=pass_lock)


def destroy(services: ApiServices, ctxt: RequestContext, instance: Instance, *, pass_lock: bool = False) -> None:
    """Accept a delete for good, which wins over whatever runs. Again is fine. Raises NotFound, and Conflict when locked."""
    task_id = services.cells.of_instance(instance.uuid).write(
        deletions.begin, instance.uuid, caller_of(ctxt), now=services.clock.now(), pass_lock=pass_lock,
    )
    notices.accepted(services, ctxt, instance)
    services.doorbell.ring(ctxt, [task_id])


def _soft_delete(services: ApiServices, ctxt: RequestContext, instance: Instance, *, pass_lock: bool) -> None:
    def begin(session: Session) -> tuple[Fence | str, tuple[BlockDevice, ...]]:
        fence = soft_deletes.begin(session, instance, caller_of(ctxt), now=services.clock.now(), pass_lock=pass_lock)
        return fence, block_devices.of_instance(session, instance.uuid)
    begun, disks = services.cells.of_instance(instance.uuid).write(begin)
    if isinstance(begun, str):
        services.doorbell.ring(ctxt, [begun])
    else:
        lifecycle.send(services, ctxt, instance, soft_deletes.ACTION, begun, disks)


def restore(services: ApiServices, ctxt: RequestContext, instance: Instance, *, pass_lock: bool = False) -> None:
    """Accept the restoring of a soft-deleted server. Raises Conflict for others, and OverQuota when there is no room any more."""
    acceptance.check(instance, ACTIONS["restore"], pass_lock=pass_lock)
    shared = services.cells.shared
    shared.write(mappings.retake, instance.uuid, defaults=quotas.defaults(services.conf.quota))
    try:
        lifecycle.act(services, ctxt, instance, "restore", pass_lock=pass_lock)
    except NovalikeError:
        shared.write(mappings.release, instance.uuid)
        raise
