"""Operations on servers are accepted here: one guarded UPDATE built from the operation's rule, or a refusal in Nova's words.

A durable operation's task and action record are written in the same transaction. Single-host actions: instance_actions.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db import action_log, instances, tasks
from novalike.db.models.instances import InstanceRow
from novalike.db.models.tasks import TaskRow
from novalike.exception import Conflict
from novalike.objects.instance import Instance
from novalike.objects.states import DURABLE, Rule
from novalike.objects.tasks import Caller


def move(
    session: Session, instance: Instance, rule: Rule, values: Mapping[str, Any], *, pass_lock: bool = False, force: bool = False,
) -> None:
    """Set `values` in an instance's row if `rule` allows the operation now.

    `pass_lock` lets admins act on locked servers; `force` skips vm_state, launch and lock, for the control plane's own
    corrections. Raises Conflict saying why not, NotFound when the instance is gone.
    """
    done: Any = session.execute(
        sa.update(InstanceRow).where(*_guards(instance, rule, pass_lock=pass_lock, force=force)).values(**values)
        .execution_options(synchronize_session=False),
    )
    if done.rowcount != 1:
        raise refusal(instances.get(session, instance.uuid), rule, pass_lock=pass_lock or force)


def begin_task(
    session: Session, instance: Instance, operation: str, *, kind: str, state: Any, caller: Caller, now: datetime,
    pass_lock: bool = False, deadline: int = tasks.FIRST_DEADLINE // 1000, values: Mapping[str, Any] | None = None,
) -> str:
    """Accept a durable operation (a key of DURABLE) on an instance as it was read before; answer its task's id.

    `state` is the kind's state dataclass, or what makes it of the session once the server is locked; `deadline` is its first step's, in seconds. `values` are further columns to set.
    Raises Conflict when the server's state, its lock or another task does not allow it, NotFound when it is gone.
    """
    rule = DURABLE[operation]
    running = session.scalar(sa.select(TaskRow.kind).where(TaskRow.instance_uuid == instance.uuid).with_for_update())
    changes: dict[str, Any] = {"updated_at": now, **(values or {})}
    if rule.sets is not None:
        changes["task_state"] = rule.sets
    epoch = instance.epoch
    if rule.raises_epoch:
        epoch += 1
        changes["epoch"] = epoch
    move(session, instance, rule, changes, pass_lock=pass_lock)
    if running is not None:
        raise _working(instance, rule, running)
    if callable(state):
        state = state(session)
    action_log.start(session, rule.name, instance.uuid, caller, now)
    return tasks.add(
        session, kind=kind, instance_uuid=instance.uuid, epoch=epoch, step="", state=state, caller=caller, now=now,
        deadline=deadline * 1000,
    )


def refuse_during(session: Session, instance: Instance, rule: Rule, kind: str) -> None:
    """Raise Conflict when a task of this kind works on the instance, whose row is locked by now."""
    if session.scalar(sa.select(TaskRow.kind).where(TaskRow.instance_uuid == instance.uuid, TaskRow.kind == kind)) is not None:
        raise _working(instance, rule, kind)


def _working(instance: Instance, rule: Rule, kind: str) -> Conflict:
    return Conflict(f"Cannot '{rule.name}' instance {instance.uuid} while a task works on it ({kind})")


def check(instance: Instance, rule: Rule, *, pass_lock: bool = False) -> None:
    """Raise Conflict when `rule` does not allow the operation on the instance as it was read; for a look before other work."""
    complaint = _complaint(instance, rule, pass_lock=pass_lock)
    if complaint is not None:
        raise Conflict(complaint)


def refusal(instance: Instance, rule: Rule, *, pass_lock: bool = False) -> Conflict:
    """Answer why an operation on this instance was refused."""
    complaint = _complaint(instance, rule, pass_lock=pass_lock)
    return Conflict(complaint or f"Cannot '{rule.name}' instance {instance.uuid}: its state has just changed, try again")


def _complaint(instance: Instance, rule: Rule, *, pass_lock: bool) -> str | None:
    begin = f"Cannot '{rule.name}' instance {instance.uuid} while it is in"
    if rule.obeys_lock and instance.locked_by and not pass_lock:
        return f"Instance {instance.uuid} is locked"
    if instance.vm_state not in rule.vm_states:
        return f"{begin} vm_state {instance.vm_state}"
    if not rule.any_task and instance.task_state is not None and instance.task_state not in rule.task_states:
        return f"{begin} task_state {instance.task_state}"
    if rule.needs_host and instance.host is None:
        return f"Instance {instance.uuid} is not ready"
    if rule.needs_launch and instance.launched_at is None:
        return f"{begin} launched_at None"
    return None


def _guards(instance: Instance, rule: Rule, *, pass_lock: bool, force: bool) -> list[sa.ColumnElement[bool]]:
    row = InstanceRow
    guards: list[sa.ColumnElement[bool]] = [row.uuid == instance.uuid, row.deleted == 0, row.epoch == instance.epoch]
    if rule.needs_host:
        guards.append(row.host.is_not(None))
    if not force:
        guards.append(row.vm_state.in_(rule.vm_states))
        if rule.needs_launch:
            guards.append(row.launched_at.is_not(None))
        if rule.obeys_lock and not pass_lock:
            guards.append(row.locked_by.is_(None))
    if not rule.any_task:
        idle = row.task_state.is_(None)
        guards.append(sa.or_(idle, row.task_state.in_(rule.task_states)) if rule.task_states else idle)
    return guards
