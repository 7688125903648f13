"""How a server looks at a moment, for what is told to others. One query, two with its disks; only when somebody listens."""

from __future__ import annotations

from typing import cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db import block_devices, instances
from novalike.db.models.instances import InstanceActionRow, InstanceRow
from novalike.objects.notification import Sight
from novalike.objects.tasks import Caller, Fence

_INSTANCES = cast("sa.Table", InstanceRow.__table__)
_ONE = sa.select(_INSTANCES).where(_INSTANCES.c.uuid == sa.bindparam("in_uuid"))


def look(session: Session, uuid: str, *, disks: bool = False) -> Sight | None:
    """Answer a server as this transaction has it now, also a deleted one; None when there is none."""
    session.flush()
    row = session.execute(_ONE, {"in_uuid": uuid}).one_or_none()
    if row is None:
        return None
    return Sight(instance=instances.to_object(row), disks=block_devices.of_instance(session, uuid) if disks else None)


def running_action(session: Session, fence: Fence) -> tuple[str, Caller] | None:
    """Answer the single-host action which a fence belongs to and who asked for it; None when it is over."""
    row = session.execute(sa.select(_INSTANCES.c.action_name, _INSTANCES.c.action_request_id).where(
        _INSTANCES.c.uuid == fence.instance_uuid, _INSTANCES.c.action_id == fence.operation_id,
    )).one_or_none()
    if row is None or row.action_name is None:
        return None
    return row.action_name, caller_of(session, fence.instance_uuid, row.action_request_id or "")


def caller_of(session: Session, uuid: str, request_id: str) -> Caller:
    """Answer who made a request, by the action log."""
    row = session.execute(sa.select(InstanceActionRow.user_id, InstanceActionRow.project_id).where(
        InstanceActionRow.instance_uuid == uuid, InstanceActionRow.request_id == request_id,
    ).order_by(InstanceActionRow.id.desc()).limit(1)).one_or_none()
    return Caller(user_id=row.user_id if row else "", project_id=row.project_id if row else "", request_id=request_id)
