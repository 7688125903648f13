"""Soft-deleted servers: powered off and hidden, until they are restored or reclaimed."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db import acceptance, instance_actions, instances, tasks
from novalike.db.models.instances import InstanceRow
from novalike.db.models.tasks import TaskRow
from novalike.exception import Conflict
from novalike.objects.instance import Instance
from novalike.objects.states import ACTIONS, VmState
from novalike.objects.tasks import Caller, Fence

ACTION = "soft_delete"


def begin(session: Session, instance: Instance, caller: Caller, *, now: datetime, pass_lock: bool = False) -> Fence | str:
    """Accept a soft delete, which wins over whatever runs. Answers the fence with which its order is sent at once, or the
    id of the durable task which is undone first.

    Raises Conflict when the server is locked, NotFound when it is gone.
    """
    task = session.scalars(sa.select(TaskRow).where(TaskRow.instance_uuid == instance.uuid).with_for_update()).one_or_none()
    if task is None:
        return instance_actions.begin(session, instance, ACTION, caller, now=now, pass_lock=pass_lock)
    row = instances.lock(session, instance.uuid)
    if row.locked_by is not None and not pass_lock:
        raise acceptance.refusal(instances.to_object(row), ACTIONS[ACTION])
    if row.launched_at is None or row.host is None:
        raise Conflict(f"Instance {instance.uuid} is not ready")
    if row.action_name != ACTION:
        row.epoch += 1                           # whoever works on the task right now can change nothing more
        tasks.cancel(session, task, epoch=row.epoch, reason="The server was deleted meanwhile.")
        instance_actions.wait_for_task(session, row, ACTION, caller, now=now)
    return task.id


def due(session: Session, *, before: datetime, limit: int = 100) -> list[Instance]:
    """Answer idle soft-deleted servers which were last changed before this time."""
    row = InstanceRow
    query = sa.select(row).where(
        row.vm_state == VmState.SOFT_DELETED, row.task_state.is_(None), row.deleted == 0, row.updated_at < before,
    ).order_by(row.id).limit(limit)
    return [instances.to_object(found) for found in session.scalars(query)]
