"""DELETE wins: it takes an instance over from whatever runs on it, and remembers every host that may hold a piece."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db import action_log, block_devices, claims, instances, server_migrations, tasks
from novalike.db.models.hosts import ClaimRow, ComputeNodeRow
from novalike.db.models.instances import ConsoleTokenRow, InstanceRow
from novalike.db.models.tasks import TaskRow
from novalike.exception import Conflict
from novalike.objects.block_device import BlockDevice
from novalike.objects.network_info import Vif
from novalike.objects.snapshot_tasks import BACKUP, SHELVE, SHELVED_IMAGE, SNAPSHOT
from novalike.objects.states import TaskState, VmState
from novalike.objects.tasks import Caller, DeleteState
from novalike.rpc import serializer

KIND = "delete"
FIRST_STEP = "destroy"


def begin(session: Session, uuid: str, caller: Caller, *, now: datetime, pass_lock: bool = False) -> str:
    """Accept a delete: raise the epoch, end the running task or action, add the delete task; answer the task's id.

    Idempotent: a second delete answers the task which already runs. Raises NotFound when the instance is gone, Conflict
    when it is locked (and `pass_lock` is False).
    """
    # Locks in the conductor's order: the task, then the instance. A task which came in between is found by the second look.
    task = sa.select(TaskRow).where(TaskRow.instance_uuid == uuid).with_for_update()
    running = session.scalars(task).one_or_none()
    row = instances.lock(session, uuid)
    running = running or session.scalars(task).one_or_none()
    if running is not None and running.kind == KIND:
        return running.id
    if row.locked_by is not None and not pass_lock:
        raise Conflict(f"Instance {uuid} is locked")
    hosts = _hosts(session, row, running)
    vifs, volumes = _vifs(row, running), _volumes(session, row, running)
    images, new_images = _images(row, running)
    if running is not None:
        session.delete(running)
        session.flush()
    row.epoch += 1
    row.task_state = TaskState.DELETING
    row.progress = 0
    row.updated_at = now
    row.action_id = row.action_name = row.action_request_id = row.action_arguments = None
    row.action_wake_at = row.action_deadline = None
    session.execute(sa.delete(ConsoleTokenRow).where(ConsoleTokenRow.instance_uuid == uuid))
    action_log.start(session, "delete", uuid, caller, now)
    return tasks.add(
        session, kind=KIND, instance_uuid=uuid, epoch=row.epoch, step=FIRST_STEP, caller=caller, now=now,
        state=DeleteState(hosts=tuple(sorted(hosts)), vifs=vifs, block_devices=volumes, images=images, new_images=new_images),
    )


def _hosts(session: Session, row: InstanceRow, running: TaskRow | None) -> set[str]:
    """Every host which may hold a piece: where it is, where it holds claims, and where the task that ends here sent orders."""
    claimed = session.scalars(
        sa.select(ComputeNodeRow.host).join(ClaimRow, ClaimRow.compute_node_id == ComputeNodeRow.id)
        .where(ClaimRow.instance_uuid == row.uuid),
    )
    hosts = {host for host in (row.host, *claimed) if host}
    if running is not None:
        state: dict[str, Any] = running.state
        named = (running.waiting_host, *(state.get(key) for key in ("host", "source_host", "dest_host")))
        hosts |= {host for host in (*named, *state.get("dirty_hosts", ())) if host}
    return hosts


def _images(row: InstanceRow, running: TaskRow | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Answer the images which go with the server (of one that is shelved), and those which a task was about to make of it."""
    state: dict[str, Any] = running.state if running is not None and running.kind in (SNAPSHOT, BACKUP, SHELVE) else {}
    made, of_server = state.get("image_id"), bool(state.get("of_server"))
    shelved = row.document.get("system_metadata", {}).get(SHELVED_IMAGE)
    images = dict.fromkeys(image for image in (shelved, made if of_server else None) if image)
    return tuple(images), (made,) if made and made not in images else ()


def _vifs(row: InstanceRow, running: TaskRow | None) -> tuple[Vif, ...]:
    state: dict[str, Any] = running.state if running is not None else {}
    documents = row.network_info or state.get("vifs", ())
    moving = state.get("vif")                    # on its way in or out
    known = {document["port_id"]: document for document in (*documents, *([moving] if moving else []))}
    return tuple(serializer.load(Vif, document) for document in known.values())


def _volumes(session: Session, row: InstanceRow, running: TaskRow | None) -> tuple[BlockDevice, ...]:
    """Every volume which the server may have an attachment to."""
    found = [device for device in block_devices.of_instance(session, row.uuid) if device.volume_id is not None]
    state: dict[str, Any] = running.state if running is not None else {}
    replacement = state.get("new_volume_id")     # of a swap
    if replacement:
        found.append(BlockDevice(uuid="", source_type="volume", destination_type="volume", volume_id=replacement))
    return tuple(found)


def finish(session: Session, uuid: str, epoch: int, *, now: datetime) -> None:
    """Mark an instance deleted and drop its claims, in the transaction which removes its task."""
    claims.release(session, uuid, epoch=epoch)   # hosts are locked before instances
    row = instances.lock(session, uuid)
    if row.epoch != epoch:
        return
    block_devices.delete(session, uuid)
    server_migrations.end_all(session, uuid, now=now)
    row.vm_state = VmState.DELETED
    row.task_state = None
    row.power_state = 0
    row.deleted = 1
    row.terminated_at = row.updated_at = now
