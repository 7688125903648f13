"""Durable tasks: add, lease, save, remove. All times are milliseconds of the database's clock.

A save is `WHERE id AND sequence AND epoch AND lease_owner`: whoever lost the lease, or whose task was replaced by a DELETE,
gets Fenced and undoes what it just did.
"""

from __future__ import annotations

import uuid as uuid_module
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db import instances
from novalike.db.base import now_ms
from novalike.db.models.instances import InstanceRow
from novalike.db.models.tasks import TaskRow
from novalike.exception import Fenced
from novalike.objects.instance import Instance
from novalike.objects.tasks import Caller, Fence, Task
from novalike.rpc import serializer

FIRST_DEADLINE = 120_000


@dataclass(frozen=True, slots=True)
class Leased:
    """A task in the hands of one conductor, with the instance it works on (None: its row is gone).

    `overdue` says that the current step's deadline had passed when the lease was taken.
    """

    task: Task
    instance: Instance | None
    overdue: bool = False


def add(
    session: Session, *, kind: str, instance_uuid: str, epoch: int, step: str, state: Any, caller: Caller, now: datetime,
    task_id: str | None = None, deadline: int = FIRST_DEADLINE,
) -> str:
    """Insert a task, ready to run at once; answer its id. `state` is the kind's state dataclass."""
    row = TaskRow(
        id=task_id or str(uuid_module.uuid4()), kind=kind, instance_uuid=instance_uuid, epoch=epoch, step=step,
        state=serializer.dump(type(state), state), caller=serializer.dump(Caller, caller), wake_at=now_ms(),
        deadline=now_ms() + deadline, step_since=now_ms(), created_at=now, sequence=0, undoing=0,
    )
    session.add(row)
    session.flush()
    return row.id


def _to_object(row: TaskRow) -> Task:
    return Task(
        id=row.id, kind=row.kind, instance_uuid=row.instance_uuid, epoch=row.epoch, sequence=row.sequence, step=row.step,
        undoing=bool(row.undoing), state=row.state, caller=serializer.load(Caller, row.caller), deadline=row.deadline,
        step_since=row.step_since, waiting_host=row.waiting_host, failure=row.failure, created_at=row.created_at,
    )


def _take(session: Session, query: Any, owner: str, ttl: int) -> Leased | None:
    found = session.execute(query.with_for_update()).one_or_none()
    if found is None:
        return None
    row, overdue = found
    session.execute(
        sa.update(TaskRow).where(TaskRow.id == row.id)
        .values(lease_owner=owner, lease_until=now_ms() + ttl, wake_at=now_ms() + ttl)
        .execution_options(synchronize_session=False),
    )
    instance = session.scalars(sa.select(InstanceRow).where(InstanceRow.uuid == row.instance_uuid)).one_or_none()
    return Leased(_to_object(row), instances.to_object(instance) if instance is not None else None, bool(overdue))


def _free() -> sa.ColumnElement[bool]:
    return sa.or_(TaskRow.lease_owner.is_(None), TaskRow.lease_until < now_ms())


def _query() -> Any:
    return sa.select(TaskRow, (TaskRow.deadline < now_ms()).label("overdue"))


def lease(session: Session, task_id: str, owner: str, ttl: int) -> Leased | None:
    """Take a task for `ttl` milliseconds; None when it is gone, in other hands, or not to be looked at yet.

    Its wake_at moves to the end of the lease, so that the sweep finds it when its conductor dies.
    """
    return _take(session, _query().where(TaskRow.id == task_id, _free(), TaskRow.wake_at <= now_ms()), owner, ttl)


def lease_reported(session: Session, fence: Fence, owner: str, ttl: int) -> Leased | None:
    """Take the task whose present wait this fence belongs to; None when the report is old, doubled or fenced off."""
    query = _query().where(
        TaskRow.id == fence.operation_id, TaskRow.sequence == fence.sequence, TaskRow.epoch == fence.epoch,
        TaskRow.waiting_host.is_not(None), _free(),
    )
    return _take(session, query, owner, ttl)


def save(
    session: Session, task: Task, owner: str, *, step: str, state: Any, undoing: bool, failure: str | None,
    waiting_host: str | None, wake_in: int, deadline_in: int | None, release: bool = True,
) -> Task:
    """Store where a task stands; answer it with its next sequence. Raises Fenced when it is ours no more.

    `deadline_in` None keeps the step's deadline. A task that waits for a host is saved with `release`, before the order
    is sent: so the host's report always finds its sequence.
    """
    values: dict[str, Any] = {
        "step": step, "state": state, "undoing": int(undoing), "failure": failure, "waiting_host": waiting_host,
        "wake_at": now_ms() + wake_in, "sequence": task.sequence + 1,
    }
    if deadline_in is not None:
        values |= {"deadline": now_ms() + deadline_in, "step_since": now_ms()}
    if release:
        values |= {"lease_owner": None, "lease_until": None}
    _ours(session, task, owner, values)
    row = session.scalars(sa.select(TaskRow).where(TaskRow.id == task.id).execution_options(populate_existing=True)).one()
    return _to_object(row)


def postpone(session: Session, task: Task, owner: str, *, wake_in: int) -> None:
    """Give a task back unchanged, to be looked at again in `wake_in` milliseconds. Raises Fenced."""
    _ours(session, task, owner, {"wake_at": now_ms() + wake_in, "lease_owner": None, "lease_until": None})


def _ours(session: Session, task: Task, owner: str, values: dict[str, Any]) -> None:
    done: Any = session.execute(
        sa.update(TaskRow).where(
            TaskRow.id == task.id, TaskRow.sequence == task.sequence, TaskRow.epoch == task.epoch, TaskRow.lease_owner == owner,
        ).values(**values).execution_options(synchronize_session=False),
    )
    if done.rowcount != 1:
        raise Fenced(f"Task {task.id} is in other hands.")


def remove(session: Session, task: Task, owner: str) -> None:
    """A task ended: delete its row, in the transaction which stores its result. Raises Fenced when it is ours no more."""
    done: Any = session.execute(
        sa.delete(TaskRow).where(
            TaskRow.id == task.id, TaskRow.sequence == task.sequence, TaskRow.epoch == task.epoch, TaskRow.lease_owner == owner,
        ).execution_options(synchronize_session=False),
    )
    if done.rowcount != 1:
        raise Fenced(f"Task {task.id} is in other hands.")


def due(session: Session, *, limit: int = 100, grace: int = 1000) -> list[str]:
    """Answer the ids of tasks that somebody should look at now, those waiting longest first.

    `grace` milliseconds are left to the doorbell, which usually comes first.
    """
    query = sa.select(TaskRow.id).where(TaskRow.wake_at <= now_ms() - grace, _free()).order_by(TaskRow.wake_at).limit(limit)
    return list(session.scalars(query))


def working(session: Session, fences: list[Fence], *, resend: int) -> None:
    """A host says that it works on these: do not send them again before `resend` milliseconds from now."""
    ids = [fence.operation_id for fence in fences]
    if ids:
        session.execute(
            sa.update(TaskRow).where(TaskRow.id.in_(ids), TaskRow.waiting_host.is_not(None), TaskRow.lease_owner.is_(None))
            .values(wake_at=sa.case((TaskRow.deadline < now_ms() + resend, TaskRow.deadline), else_=now_ms() + resend))
            .execution_options(synchronize_session=False),
        )


def of_instance(session: Session, instance_uuid: str) -> Task | None:
    """Answer the task that works on an instance, if any (for views; leases nothing)."""
    row = session.scalars(sa.select(TaskRow).where(TaskRow.instance_uuid == instance_uuid)).one_or_none()
    return _to_object(row) if row is not None else None


def listed(session: Session) -> list[Task]:
    """Answer all tasks, oldest first."""
    return [_to_object(row) for row in session.scalars(sa.select(TaskRow).order_by(TaskRow.created_at))]
