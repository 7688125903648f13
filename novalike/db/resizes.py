"""CELL: resizes and cold migrations of instances: accepted, arrived, confirmed, reverted.

What they reserve of the project's quota is GLOBAL: reservations.py.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db import acceptance, console_tokens, server_migrations
from novalike.db.models.instances import InstanceRow, MigrationRow
from novalike.exception import Invalid
from novalike.objects.flavor import Flavor
from novalike.objects.instance import Instance
from novalike.objects.move_tasks import CONFIRM_RESIZE, RESIZE, REVERT_RESIZE, ConfirmState, ResizeState, RevertState
from novalike.objects.network_info import Vif
from novalike.objects.states import DURABLE, VmState
from novalike.objects.tasks import Caller
from novalike.rpc import serializer


def begin(
    session: Session, instance: Instance, operation: str, state: ResizeState, caller: Caller, *, migration_type: str, now: datetime,
    pass_lock: bool = False, deadline: int,
) -> str:
    """Accept a resize or migrate (`operation`) of an instance as it was read before; answer its task's id.

    Raises Conflict, NotFound.
    """
    task_id = acceptance.begin_task(
        session, instance, operation, kind=RESIZE, state=state, caller=caller, now=now, pass_lock=pass_lock, deadline=deadline,
    )
    server_migrations.add(
        session, state.migration_uuid, instance, migration_type, departure=state.departure, flavor=state.new_flavor, now=now,
    )
    return task_id


def begin_confirm(
    session: Session, instance: Instance, caller: Caller, *, now: datetime, pass_lock: bool = False, whatever_state: bool = False,
) -> str:
    """Accept that a resize is confirmed; answer the task's id.

    `whatever_state` is for what a resize left behind whose server was taken out of its state by hand. Raises Conflict, Invalid
    when there is nothing to confirm, NotFound.
    """
    def state() -> ConfirmState:
        found = _awaiting(session, instance)
        server_migrations.update(session, found.migration.uuid, "confirming", now=now)
        return ConfirmState(
            migration_uuid=found.migration.uuid, source_host=found.departure.host, flavor=found.flavor, vifs=instance.network_info,
        )
    operation = "confirm_left_resize" if whatever_state else "confirm_resize"
    return _begin(session, instance, operation, CONFIRM_RESIZE, state, caller, now=now, pass_lock=pass_lock)


def begin_revert(session: Session, instance: Instance, caller: Caller, *, now: datetime, pass_lock: bool = False) -> str:
    """Accept that a resize is reverted; answer the task's id. Raises Conflict, Invalid, NotFound."""
    def state() -> RevertState:
        found = _awaiting(session, instance)
        server_migrations.update(session, found.migration.uuid, "reverting", now=now)
        return RevertState(
            migration_uuid=found.migration.uuid, source_host=found.departure.host, dest_host=instance.host or "",
            departure=found.departure, vifs=instance.network_info,
        )
    return _begin(session, instance, "revert_resize", REVERT_RESIZE, state, caller, now=now, pass_lock=pass_lock)


def _begin(
    session: Session, instance: Instance, operation: str, kind: str, state: Callable[[], Any], caller: Caller, *, now: datetime,
    pass_lock: bool,
) -> str:
    # First whether the server is in the right state at all: that is the better complaint.
    acceptance.check(instance, DURABLE[operation], pass_lock=pass_lock)
    return acceptance.begin_task(
        session, instance, operation, kind=kind, state=state(), caller=caller, now=now, pass_lock=pass_lock,
    )


def _awaiting(session: Session, instance: Instance) -> server_migrations.Awaiting:
    found = server_migrations.awaiting(session, instance.uuid)
    if found is None:
        raise Invalid("Instance has not been resized.")
    return found


def place(
    session: Session, row: InstanceRow, *, host: str, node: str, availability_zone: str | None, flavor: Flavor,
    vifs: tuple[Vif, ...], auto_disk_config: bool,
) -> None:
    """Write where a locked instance is from now on, and in which size. Consoles opened on its old host end."""
    row.host, row.node, row.availability_zone = host, node, availability_zone
    row.flavor_id = flavor.flavorid
    row.network_info = [serializer.dump(Vif, vif) for vif in vifs]
    row.document = {
        **row.document, "flavor": serializer.dump(Flavor, flavor), "root_gb": flavor.root_gb, "auto_disk_config": auto_disk_config,
    }
    console_tokens.revoke(session, row.uuid)


def left_behind(session: Session, *, limit: int = 100) -> list[str]:
    """Answer idle instances which have a resize to confirm, but were taken out of VERIFY_RESIZE by other means (a reset state, a
    soft delete and a restore)."""
    query = sa.select(InstanceRow.uuid).join(MigrationRow, MigrationRow.instance_uuid == InstanceRow.uuid).where(
        MigrationRow.status == server_migrations.FINISHED, MigrationRow.migration_type.in_(server_migrations.TO_CONFIRM),
        InstanceRow.deleted == 0, InstanceRow.task_state.is_(None), InstanceRow.vm_state != VmState.RESIZED,
    ).limit(limit)
    return list(session.scalars(query))
