"""Durable tasks: add, lease, save, remove. All times are milliseconds of the database's clock.

A save is `WHERE id AND sequence AND epoch AND lease_owner`: whoever lost the lease, or whose task was replaced by a DELETE,
gets Fenced and undoes what it just did.
"""

from __future__ import annotations

import uuid as uuid_module
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast

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
#: The step which waits for what `hint` tells of: see conductor/tasks/await_ports.py.
AWAIT_PORTS = "await_ports"


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
    session.add(row)                             # stored with the transaction's next statement, many at once
    return row.id


def _to_object(row: Any) -> Task:
    return Task(
        id=row.id, kind=row.kind, instance_uuid=row.instance_uuid, epoch=row.epoch, sequence=row.sequence, step=row.step,
        undoing=bool(row.undoing), state=row.state, caller=serializer.load(Caller, row.caller), deadline=row.deadline,
        step_since=row.step_since, waiting_host=row.waiting_host, failure=row.failure, created_at=row.created_at,
    )


def _free() -> sa.ColumnElement[bool]:
    return sa.or_(TaskRow.lease_owner.is_(None), TaskRow.lease_until < now_ms())


# Built once: SQLAlchemy takes as long to make such a statement as MariaDB to run it.
_TASKS = cast("sa.Table", TaskRow.__table__)
_INSTANCES = cast("sa.Table", InstanceRow.__table__)
_LEASE = sa.update(_TASKS).where(_TASKS.c.id == sa.bindparam("in_id"), _free()).values(
    lease_owner=sa.bindparam("in_owner"), lease_until=now_ms() + sa.bindparam("in_ttl"), wake_at=now_ms() + sa.bindparam("in_ttl"),
)
_LEASE_WOKEN = _LEASE.where(_TASKS.c.wake_at <= now_ms())
_LEASE_REPORTED = _LEASE.where(
    _TASKS.c.sequence == sa.bindparam("in_sequence"), _TASKS.c.epoch == sa.bindparam("in_epoch"), _TASKS.c.waiting_host.is_not(None),
)
_LEASED = sa.select(_TASKS, (_TASKS.c.deadline < now_ms()).label("overdue")).where(_TASKS.c.id == sa.bindparam("in_id"))
_INSTANCE = sa.select(_INSTANCES).where(_INSTANCES.c.uuid == sa.bindparam("in_uuid"))


def _take(session: Session, statement: Any, task_id: str, values: dict[str, Any]) -> Leased | None:
    taken: Any = session.execute(statement, {"in_id": task_id, **values})
    if taken.rowcount != 1:
        return None
    row = session.execute(_LEASED, {"in_id": task_id}).one()
    instance = session.execute(_INSTANCE, {"in_uuid": row.instance_uuid}).one_or_none()
    return Leased(_to_object(row), instances.to_object(instance) if instance is not None else None, bool(row.overdue))


def lease(session: Session, task_id: str, owner: str, ttl: int) -> Leased | None:
    """Take a task for `ttl` milliseconds; None when it is gone, in other hands, or not to be looked at yet.

    Its wake_at moves to the end of the lease, so that the sweep finds it when its conductor dies.
    """
    return _take(session, _LEASE_WOKEN, task_id, {"in_owner": owner, "in_ttl": ttl})


def lease_reported(session: Session, fence: Fence, owner: str, ttl: int) -> Leased | None:
    """Take the task whose present wait this fence belongs to; None when the report is old, doubled or fenced off."""
    return _take(session, _LEASE_REPORTED, fence.operation_id, {
        "in_owner": owner, "in_ttl": ttl, "in_sequence": fence.sequence, "in_epoch": fence.epoch,
    })


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
    # Its stamps stay as they were when it was leased: who works on it does not look at them.
    return replace(
        task, sequence=task.sequence + 1, step=step, state=state, undoing=undoing, failure=failure, waiting_host=waiting_host,
    )


def postpone(session: Session, task: Task, owner: str, *, wake_in: int) -> None:
    """Give a task back unchanged, to be looked at again in `wake_in` milliseconds. Raises Fenced."""
    _ours(session, task, owner, {"wake_at": now_ms() + wake_in, "lease_owner": None, "lease_until": None})


def _mine(task: Task, owner: str) -> tuple[sa.ColumnElement[bool], ...]:
    columns = _TASKS.c
    return columns.id == task.id, columns.sequence == task.sequence, columns.epoch == task.epoch, columns.lease_owner == owner


def _ours(session: Session, task: Task, owner: str, values: dict[str, Any]) -> None:
    done: Any = session.execute(sa.update(_TASKS).where(*_mine(task, owner)).values(values))
    if done.rowcount != 1:
        raise Fenced(f"Task {task.id} is in other hands.")


def remove(session: Session, task: Task, owner: str) -> None:
    """A task ended: delete its row, in the transaction which stores its result. Raises Fenced when it is ours no more."""
    done: Any = session.execute(sa.delete(_TASKS).where(*_mine(task, owner)))
    if done.rowcount != 1:
        raise Fenced(f"Task {task.id} is in other hands.")


def cancel(session: Session, row: TaskRow, *, epoch: int, reason: str) -> None:
    """Have a task undone, of which the caller holds the row's lock: whoever has leased it gets Fenced.

    `epoch` is the instance's new one, with which the undo's orders are sent.
    """
    row.epoch = epoch
    row.sequence += 1
    row.lease_owner = row.lease_until = row.waiting_host = None
    row.wake_at = now_ms()
    if not row.undoing or row.failure is None:
        row.undoing, row.step, row.failure = 1, "", reason
        row.deadline = now_ms() + FIRST_DEADLINE
    session.flush()


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


def resend(session: Session, host: str) -> None:
    """A host has just started and works on nothing: let what waits for it be sent again now."""
    session.execute(
        sa.update(TaskRow).where(TaskRow.waiting_host == host, TaskRow.lease_owner.is_(None), TaskRow.wake_at > now_ms())
        .values(wake_at=now_ms()).execution_options(synchronize_session=False),
    )


def hint(session: Session, instance_uuid: str, step: str) -> str | None:
    """What a task waits for at this step may have come: let it look now; answer its id, None when it waits for nothing of the kind."""
    query = sa.select(TaskRow.id).where(TaskRow.instance_uuid == instance_uuid, TaskRow.step == step, TaskRow.undoing == 0, _free())
    task_id = session.scalar(query)
    if task_id is not None:
        session.execute(
            sa.update(TaskRow).where(TaskRow.id == task_id, TaskRow.wake_at > now_ms(), _free()).values(wake_at=now_ms())
            .execution_options(synchronize_session=False),
        )
    return task_id


def of_instance(session: Session, instance_uuid: str) -> Task | None:
    """Answer the task that works on an instance, if any (for views; leases nothing)."""
    row = session.scalars(sa.select(TaskRow).where(TaskRow.instance_uuid == instance_uuid)).one_or_none()
    return _to_object(row) if row is not None else None


def exists(session: Session, task_id: str) -> bool:
    """Answer whether a task has not ended yet."""
    return session.scalar(sa.select(TaskRow.id).where(TaskRow.id == task_id)) is not None


def listed(session: Session) -> list[Task]:
    """Answer all tasks, oldest first."""
    return [_to_object(row) for row in session.scalars(sa.select(TaskRow).order_by(TaskRow.created_at))]
