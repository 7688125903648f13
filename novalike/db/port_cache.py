"""What is stored of a server's ports is a copy of what the network service knows: brings it up to date without a task.

Which ports a server has, and how they are plugged, is for tasks to change: never for these functions.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db import device_requests, instances, tasks
from novalike.db.engine import Database
from novalike.db.models.instances import InstanceRow
from novalike.db.models.tasks import TaskRow
from novalike.exception import Conflict, NotFound
from novalike.objects.instance import Instance
from novalike.objects.network_info import Vif
from novalike.objects.tasks import Caller
from novalike.rpc import serializer

#: What users change at the network service while a port is in use.
_REFRESHED = ("label", "mac", "mtu", "fixed_ips", "subnets", "security_groups", "status", "plugging")


def refresh(session: Session, uuid: str, current: Iterable[Vif]) -> bool:
    """Take over addresses, groups and status of those ports which the server has; answer whether anything changed.

    Raises NotFound.
    """
    row = instances.lock(session, uuid)
    stored = tuple(serializer.load(Vif, document) for document in row.network_info or ())
    refreshed = merged(stored, current)
    if refreshed == stored:
        return False
    row.network_info = [serializer.dump(Vif, vif) for vif in refreshed]
    return True


def merged(stored: tuple[Vif, ...], current: Iterable[Vif]) -> tuple[Vif, ...]:
    """Answer a server's ports with what the network service says of them now; it may know of more or fewer."""
    fresh = {vif.port_id: vif for vif in current}
    return tuple(_merged(vif, fresh[vif.port_id]) if vif.port_id in fresh else vif for vif in stored)


def _merged(stored: Vif, fresh: Vif) -> Vif:
    return replace(stored, **{name: getattr(fresh, name) for name in _REFRESHED})


def forget(session: Session, uuid: str, port_id: str) -> bool:
    """Drop a port which the network service deleted from a server without a guest; False when a task is at work on it.

    Raises NotFound.
    """
    row = instances.lock(session, uuid)
    if tasks.of_instance(session, uuid) is not None:
        return False
    row.network_info = [stored for stored in row.network_info or () if stored["port_id"] != port_id]
    return True


def let_go(cell: Database, instance: Instance, port_id: str, caller: Caller, *, now: datetime) -> str | None:
    """Have a port which was deleted behind our back taken from its server, and from its guest: answer the task's id if that needs one.

    What cannot be done while something else goes on is left to the next who sees it. Raises NotFound when there is no such server or
    port.
    """
    try:
        return cell.write(device_requests.detach_interface, instance, port_id, caller, now=now, pass_lock=True)
    except Conflict:                             # in no state to unplug anything: what is started next shall be without it
        cell.write(forget, instance.uuid, port_id)
        return None


def at_rest(session: Session, *, after: int, limit: int) -> list[Instance]:
    """Answer servers on which no task works, by number after `after`."""
    busy = sa.exists().where(TaskRow.instance_uuid == InstanceRow.uuid)
    query = sa.select(InstanceRow).where(InstanceRow.id > after, InstanceRow.deleted == 0, ~busy).order_by(InstanceRow.id).limit(limit)
    return [instances.to_object(row) for row in session.scalars(query)]


def is_at_rest(session: Session, uuid: str) -> Instance | None:
    """Answer a server as it is now; None when it is gone or a task works on it."""
    try:
        instance = instances.get(session, uuid)
    except NotFound:
        return None
    return None if tasks.of_instance(session, uuid) is not None else instance


def deleted_before(session: Session, uuids: Collection[str], before: datetime) -> set[str]:
    """Answer those of some servers which were deleted before a time; not those which nobody here ever knew."""
    query = sa.select(InstanceRow.uuid).where(
        InstanceRow.uuid.in_(sorted(uuids)), InstanceRow.deleted != 0, InstanceRow.updated_at < before, InstanceRow.terminated_at < before,
    )
    return set(session.scalars(query)) if uuids else set()
