"""Admins set a server's state by hand."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db import action_log, deletions, instances, tasks
from novalike.db.models.tasks import TaskRow
from novalike.objects.states import VmState
from novalike.objects.tasks import Caller


def reset(session: Session, uuid: str, vm_state: VmState, caller: Caller, *, now: datetime) -> str | None:
    """Set `vm_state` and end whatever works on the server; answer the id of a durable task which is undone now, if any.

    A single-host action ends at once: its late report is refused by the epoch, which is raised. A durable task is undone
    first, and the task_state stays until that is done. A delete goes on: it ends by itself, and wins. Raises NotFound.
    """
    # Locks in the conductor's order: the task, then the instance.
    task = session.scalars(sa.select(TaskRow).where(TaskRow.instance_uuid == uuid).with_for_update()).one_or_none()
    row = instances.lock(session, uuid)
    action_log.start(session, "resetState", uuid, caller, now)
    if task is not None and task.kind == deletions.KIND:
        return None
    row.vm_state = vm_state
    row.epoch += 1
    row.updated_at = now
    row.action_id = row.action_name = row.action_request_id = row.action_arguments = None
    row.action_wake_at = row.action_deadline = None
    if task is None:
        row.task_state = None
        return None
    tasks.cancel(session, task, epoch=row.epoch, reason="An administrator reset the state of the server.")
    return task.id
