"""Admins set a server's state by hand."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db import action_log, instances
from novalike.db.models.tasks import TaskRow
from novalike.exception import Conflict
from novalike.objects.states import VmState
from novalike.objects.tasks import Caller


def reset(session: Session, uuid: str, vm_state: VmState, caller: Caller, *, now: datetime) -> None:
    """Set `vm_state` and end whatever single-host action runs; its late report is refused by the epoch, which is raised.

    Raises NotFound, and Conflict while a durable task works on the server: that always ends by itself, and DELETE ends it
    at once.
    """
    row = instances.lock(session, uuid)
    kind = session.scalar(sa.select(TaskRow.kind).where(TaskRow.instance_uuid == uuid))
    if kind is not None:
        raise Conflict(f"Instance {uuid} is worked on by a task ({kind}), which ends by itself")
    row.vm_state = vm_state
    row.task_state = None
    row.epoch += 1
    row.updated_at = now
    row.action_id = row.action_name = row.action_request_id = row.action_arguments = None
    row.action_wake_at = row.action_deadline = None
    action_log.start(session, "resetState", uuid, caller, now)
