"""What is under way on servers at this moment: durable tasks and single-host actions, for the action log and for operators."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db import tasks
from novalike.db.models.instances import InstanceActionRow, InstanceRow
from novalike.objects.instance_action import ActionEvent, action_event, step_event
from novalike.objects.states import ACTIONS
from novalike.objects.tasks import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningAction:
    """A single-host action which has not ended. Stamps are the database's clock in milliseconds; `deadline` None: it waits
    for something else to end first."""

    id: str
    name: str
    instance_uuid: str
    host: str | None
    request_id: str
    since: datetime
    deadline: int | None


def event(session: Session, instance_uuid: str, request_id: str) -> ActionEvent | None:
    """Answer the step by which a request is being carried out now, without an end or a result; None when it is over."""
    task = tasks.of_instance(session, instance_uuid)
    if task is not None and task.caller.request_id == request_id:
        return _step(task)
    row = session.execute(_actions().where(
        InstanceRow.uuid == instance_uuid, InstanceRow.action_request_id == request_id,
    )).one_or_none()
    if row is None:
        return None
    action = _action(row)
    rule = ACTIONS.get(action.name)
    return ActionEvent(event=action_event(rule.name if rule is not None else action.name), start_time=action.since, host=action.host)


def actions(session: Session) -> list[RunningAction]:
    """Answer all single-host actions which run, oldest first."""
    return [_action(row) for row in session.execute(_actions().order_by(InstanceRow.updated_at))]


def stamp(milliseconds: int) -> datetime:
    """Answer a stamp of the database's clock as naive UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).replace(tzinfo=None)


def _step(task: Task) -> ActionEvent:
    return ActionEvent(
        event=step_event(task.kind, task.step, on_host=task.waiting_host is not None), start_time=stamp(task.step_since),
        host=task.waiting_host, details=task.failure if task.undoing else None,
    )


def _actions() -> Any:
    started = sa.select(sa.func.max(InstanceActionRow.start_time)).where(
        InstanceActionRow.instance_uuid == InstanceRow.uuid, InstanceActionRow.request_id == InstanceRow.action_request_id,
    ).scalar_subquery()
    return sa.select(
        InstanceRow.action_id, InstanceRow.action_name, InstanceRow.uuid, InstanceRow.host, InstanceRow.action_request_id,
        InstanceRow.action_deadline, sa.func.coalesce(started, InstanceRow.updated_at).label("since"),
    ).where(InstanceRow.action_id.is_not(None), InstanceRow.deleted == 0)


def _action(row: Any) -> RunningAction:
    return RunningAction(
        id=row.action_id, name=row.action_name or "", instance_uuid=row.uuid, host=row.host, request_id=row.action_request_id or "",
        since=row.since, deadline=row.action_deadline,
    )
