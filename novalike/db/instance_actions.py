"""Single-host actions: accepted by one guarded UPDATE, ended by the host's report or by the sweep.

The rules are objects/states.py ACTIONS. The running action lives in the instance's own row.
"""

from __future__ import annotations

import uuid as uuid_module
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db import acceptance, action_log, block_devices, instances
from novalike.db.base import now_ms
from novalike.db.models.instances import InstanceRow
from novalike.objects.block_device import BlockDevice
from novalike.objects.device_tasks import SWAP_VOLUME
from novalike.objects.instance import Instance
from novalike.objects.instance_action import action_event
from novalike.objects.states import ACTIONS, PowerState, VmState
from novalike.objects.tasks import Caller, Fence, Outcome

#: Milliseconds after which an unanswered action is sent again (heartbeats of a host which works on it push this on).
RESEND = 15_000
#: Actions which may wait for a durable task to be undone.
_WAITING = ("soft_delete",)


@dataclass(frozen=True, slots=True)
class DueAction:
    """An action which the sweep has to send again, or to end because its deadline passed."""

    instance: Instance
    action: str
    fence: Fence
    arguments: dict[str, str]
    overdue: bool
    block_devices: tuple[BlockDevice, ...] = ()


@dataclass(frozen=True, slots=True)
class Ended:
    """An action which has ended; `error` None means well."""

    instance_uuid: str
    action: str
    request_id: str
    error: str | None = None


def begin(
    session: Session, instance: Instance, action: str, caller: Caller, *, now: datetime,
    arguments: dict[str, str] | None = None, pass_lock: bool = False, force: bool = False,
) -> Fence:
    """Accept an action (a key of ACTIONS) on an instance as it was read before; answer the fence to send it with.

    `pass_lock` lets admins act on locked servers; `force` skips the state rules, for the control plane's own corrections.
    Raises Conflict, in Nova's words, when the state, the lock or another action does not allow it, NotFound when it is gone.
    """
    rule = ACTIONS[action]
    operation = str(uuid_module.uuid4())
    values: dict[str, Any] = {
        "updated_at": now, "action_id": operation, "action_name": action, "action_request_id": caller.request_id,
        "action_arguments": arguments or {}, "action_wake_at": now_ms() + RESEND, "action_deadline": now_ms() + rule.deadline * 1000,
    }
    if rule.sets is not None:
        values["task_state"] = rule.sets
    acceptance.move(session, instance, rule, values, pass_lock=pass_lock, force=force)
    if not rule.any_task:
        # An order made with the old volume and done after the copy would bring the old one back.
        acceptance.refuse_during(session, instance, rule, SWAP_VOLUME)
    action_log.start(session, rule.name, instance.uuid, caller, now)
    return Fence(instance_uuid=instance.uuid, operation_id=operation, sequence=0, epoch=instance.epoch)


def wait_for_task(session: Session, row: InstanceRow, action: str, caller: Caller, *, now: datetime) -> None:
    """Accept an action which begins when the durable task that is being undone has gone (see `begin_waiting`)."""
    rule = ACTIONS[action]
    row.task_state = rule.sets
    row.updated_at = now
    row.action_id, row.action_name, row.action_request_id = str(uuid_module.uuid4()), action, caller.request_id
    row.action_arguments, row.action_wake_at, row.action_deadline = {}, None, None
    action_log.start(session, rule.name, row.uuid, caller, now)


def begin_waiting(session: Session, instance_uuid: str) -> None:
    """A durable task was undone: an action which waited for that is due now."""
    row = InstanceRow
    session.execute(
        sa.update(row).where(row.uuid == instance_uuid, row.action_name.in_(_WAITING), row.action_wake_at.is_(None)).values(
            task_state=sa.case({name: ACTIONS[name].sets for name in _WAITING}, value=row.action_name),
            action_wake_at=now_ms(), action_deadline=now_ms() + max(ACTIONS[name].deadline for name in _WAITING) * 1000,
        ).execution_options(synchronize_session=False),
    )


def finish(session: Session, outcome: Outcome, *, now: datetime) -> Ended | None:
    """End the action which an outcome belongs to; None when it is over already or a newer operation owns the instance.

    Success moves vm_state to the action's end. Failure keeps the vm_state (or sets the action's `on_failure`), and records
    a fault; nothing stays in a task_state either way.
    """
    fence = outcome.fence
    row = session.execute(
        sa.select(InstanceRow).where(
            InstanceRow.uuid == fence.instance_uuid, InstanceRow.action_id == fence.operation_id,
            InstanceRow.epoch == fence.epoch, InstanceRow.deleted == 0,
        ).with_for_update(),
    ).scalar_one_or_none()
    if row is None or row.action_name is None:
        return None
    action = row.action_name
    rule = ACTIONS[action]
    request_id = row.action_request_id or ""
    if outcome.error is None:
        if rule.ends is not None:
            row.vm_state = rule.ends
            row.fault = None
    else:
        if rule.on_failure is not None:
            row.vm_state = rule.on_failure
        instances.record_fault(session, row, code=500, message=outcome.error, details=outcome.details, now=now, host=outcome.host)
    if outcome.power_state is not None:
        row.power_state = outcome.power_state
    _clear(row)
    row.updated_at = now
    action_log.finish(
        session, row.uuid, request_id, event=action_event(rule.name), now=now, error=outcome.error, details=outcome.details,
        host=outcome.host, started=outcome.started_at,
    )
    return Ended(row.uuid, action, request_id, outcome.error)


def _clear(row: InstanceRow) -> None:
    row.task_state = None
    row.action_id = row.action_name = row.action_request_id = row.action_arguments = None
    row.action_wake_at = row.action_deadline = None


def due(session: Session, *, limit: int = 100) -> list[DueAction]:
    """Answer the actions to look at now, and push each on by the resend interval, so that one sweeper takes each."""
    query = sa.select(InstanceRow, (InstanceRow.action_deadline < now_ms()).label("overdue")).where(
        InstanceRow.action_wake_at <= now_ms(), InstanceRow.deleted == 0,
    ).limit(limit).with_for_update(skip_locked=True)
    found = []
    rows = session.execute(query).all()
    disks = block_devices.of_instances(session, [row.uuid for row, _ in rows])
    for row, overdue in rows:
        fence = Fence(instance_uuid=row.uuid, operation_id=row.action_id or "", sequence=0, epoch=row.epoch)
        found.append(DueAction(
            instances.to_object(row), row.action_name or "", fence, dict(row.action_arguments or {}), bool(overdue),
            disks.get(row.uuid, ()),
        ))
    if found:
        session.execute(
            sa.update(InstanceRow).where(InstanceRow.uuid.in_([d.instance.uuid for d in found]), InstanceRow.action_id.is_not(None))
            .values(action_wake_at=now_ms() + RESEND).execution_options(synchronize_session=False),
        )
    return found


def postpone(session: Session, fences: list[Fence]) -> None:
    """A host says that it works on these: do not send them again before the next interval."""
    ids = [fence.operation_id for fence in fences]
    if ids:
        session.execute(
            sa.update(InstanceRow)
            .where(InstanceRow.uuid.in_([f.instance_uuid for f in fences]), InstanceRow.action_id.in_(ids))
            .values(action_wake_at=now_ms() + RESEND).execution_options(synchronize_session=False),
        )


def power_changed(session: Session, uuid: str, host: str, epoch: int, power: int, *, now: datetime) -> str | None:
    """A guest changed power state by itself: follow it (facts/nova-server-states.md section 5).

    Answers the name of an action which has to be begun to correct it ("stop": a stopped server runs), or None. A server
    with a task is left alone: the task's end will say.
    """
    row = session.execute(
        sa.select(InstanceRow).where(
            InstanceRow.uuid == uuid, InstanceRow.host == host, InstanceRow.epoch == epoch, InstanceRow.deleted == 0,
            InstanceRow.task_state.is_(None),
        ).with_for_update(),
    ).scalar_one_or_none()
    if row is None:
        return None
    row.power_state = power
    off = power in {PowerState.SHUTDOWN, PowerState.CRASHED}
    if row.vm_state == VmState.ACTIVE and off:
        row.vm_state = VmState.STOPPED
        row.updated_at = now
        return None
    if row.vm_state == VmState.ACTIVE and power == PowerState.SUSPENDED:
        return "stop"
    if row.vm_state == VmState.STOPPED and power == PowerState.RUNNING:
        return "stop"
    if row.vm_state == VmState.SOFT_DELETED and power == PowerState.RUNNING:
        return "soft_delete"
    if row.vm_state in {VmState.PAUSED, VmState.SUSPENDED} and off:
        row.vm_state = VmState.STOPPED
        row.updated_at = now
    return None
