"""What happened to servers: actions with their events, faults, moves."""

from __future__ import annotations

import uuid as uuid_module
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db import imports
from novalike.db.instances import FAULT_LENGTH
from novalike.db.models.instances import InstanceActionEventRow, InstanceActionRow, InstanceFaultRow, MigrationRow
from novalike.db.server_migrations import ENDED, FINISHED, TO_CONFIRM
from novalike.manage.import_nova.source import Row
from novalike.manage.import_nova.target import Target
from novalike.objects.flavor import Flavor
from novalike.objects.instance import Fault, Instance
from novalike.objects.move_tasks import Departure
from novalike.objects.states import VmState
from novalike.rpc import serializer

_WORD = 64


def fault(rows: list[Row]) -> Fault | None:
    """Answer the newest fault of a server."""
    if not rows:
        return None
    newest = max(rows, key=lambda row: (row["created_at"], row["id"]))
    return Fault(
        code=newest["code"], message=(newest["message"] or "")[:FAULT_LENGTH], created=newest["created_at"], details=newest.get("details") or "",
    )


def store_actions(session: Session, actions: list[Row], events: dict[Any, list[Row]], instance: Instance) -> None:
    """Store what was done to a server, in Nova's order."""
    stored = [InstanceActionRow(
        action=(row["action"] or "")[:_WORD], instance_uuid=instance.uuid, request_id=(row["request_id"] or "")[:_WORD],
        user_id=(row.get("user_id") or "")[:_WORD], project_id=(row.get("project_id") or "")[:_WORD],
        start_time=row["start_time"] or instance.created_at, updated_at=row.get("updated_at") or row["start_time"] or instance.created_at,
        message=row.get("message"),
    ) for row in actions]
    session.add_all(stored)
    session.flush()
    session.add_all(InstanceActionEventRow(
        action_id=new.id, event=event["event"] or "", start_time=event["start_time"] or new.start_time, finish_time=event["finish_time"],
        result=(event["result"] or None) and event["result"][:16], host=event.get("host"), details=event.get("details"), traceback=event.get("traceback"),
    ) for new, row in zip(stored, actions, strict=True) for event in events.get(row["id"], ()))


def store_faults(session: Session, rows: list[Row]) -> None:
    """Store why servers failed."""
    if rows:
        session.execute(sa.insert(InstanceFaultRow), [{
            "instance_uuid": row["instance_uuid"], "code": row["code"], "message": (row["message"] or "")[:FAULT_LENGTH],
            "details": row.get("details"), "host": row.get("host"), "created_at": row["created_at"],
        } for row in rows])


def awaited(instance_state: str, rows: list[Row]) -> Row | None:
    """Answer the record of the move which a server's user has to confirm or revert."""
    waiting = [row for row in rows if row["status"] == FINISHED and row["migration_type"] in TO_CONFIRM]
    return waiting[-1] if waiting and instance_state == VmState.RESIZED else None


def store_moves(session: Session, rows: list[Row], instance: Instance, departure: Departure | None, target: Target) -> None:
    """Store the records of a server's moves; all of them are over but the one which waits, if `departure` says from where."""
    waiting = awaited(instance.vm_state, rows) if departure is not None else None
    fresh: list[dict[str, Any]] = []
    for row in rows:
        document: dict[str, Any] = {
            "old_flavor_id": row.get("old_instance_type_id"), "new_flavor_id": row.get("new_instance_type_id"), "dest_address": row.get("dest_host"),
        }
        status = row["status"] or "error"
        if row is waiting:
            document |= {"departure": serializer.dump(Departure, departure), "flavor": serializer.dump(Flavor, instance.flavor)}
        elif status not in ENDED:
            status = "confirmed" if status == FINISHED else "error"
        made = row.get("created_at") or target.now
        fresh.append({
            "id": row["id"], "uuid": row["uuid"] or str(uuid_module.uuid4()), "instance_uuid": instance.uuid, "migration_type": row["migration_type"] or "migration",
            "status": status[:_WORD], "source_host": row.get("source_compute"), "source_node": row.get("source_node"),
            "dest_host": row.get("dest_compute"), "dest_node": row.get("dest_node"), "project_id": row.get("project_id") or instance.project_id,
            "user_id": row.get("user_id") or instance.user_id, "document": document, "created_at": made, "updated_at": row.get("updated_at") or made,
        })
    imports.add(session, MigrationRow, fresh)
