"""CELL: records of servers moving between hosts."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db import paging
from novalike.db.models.hosts import ComputeNodeRow
from novalike.db.models.instances import MigrationRow
from novalike.objects.flavor import Flavor
from novalike.objects.instance import Instance
from novalike.objects.migration import Migration
from novalike.objects.move_tasks import Departure
from novalike.rpc import serializer

_TABLE = cast("sa.Table", MigrationRow.__table__)
#: Newest first; the uuid decides between equal times, the same in every cell.
_ORDER: list[paging.Key] = [(_TABLE.c.created_at, True), (_TABLE.c.uuid, True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What a list is narrowed to; None narrows nothing. `host` is either end of a move."""

    project_id: str | None = None
    user_id: str | None = None
    instance_uuid: str | None = None
    host: str | None = None
    source_compute: str | None = None
    status: str | None = None
    migration_type: str | None = None
    changed_since: datetime | None = None
    changed_before: datetime | None = None


Place = tuple[datetime, str]                     # created_at and uuid of a record: its place in the list


def place(session: Session, uuid: str, *, project_id: str | None = None) -> Place | None:
    """Answer where a record (of a project, if one is given) stands in the list; None when this cell does not have it."""
    query = sa.select(_TABLE.c.created_at, _TABLE.c.uuid).where(_TABLE.c.uuid == uuid)
    row = session.execute(query if project_id is None else query.where(_TABLE.c.project_id == project_id)).one_or_none()
    return None if row is None else (row.created_at, row.uuid)


def list_page(session: Session, filters: Filters, *, limit: int | None = None, after: Place | None = None) -> list[Migration]:
    """Answer records, newest first, after the one at `after`."""
    query = sa.select(_TABLE)
    for name in ("project_id", "user_id", "instance_uuid", "status", "migration_type"):
        value = getattr(filters, name)
        if value is not None:
            query = query.where(_TABLE.c[name] == value)
    if filters.source_compute is not None:
        query = query.where(_TABLE.c.source_host == filters.source_compute)
    if filters.host is not None:
        query = query.where(sa.or_(_TABLE.c.source_host == filters.host, _TABLE.c.dest_host == filters.host))
    if filters.changed_since is not None:
        query = query.where(_TABLE.c.updated_at >= filters.changed_since)
    if filters.changed_before is not None:
        query = query.where(_TABLE.c.updated_at <= filters.changed_before)
    return [_migration(row) for row in session.execute(paging.page(query, _ORDER, marker=after, limit=limit))]


def _migration(row: Any) -> Migration:
    document = row.document or {}
    return Migration(
        id=row.id, uuid=row.uuid, instance_uuid=row.instance_uuid, migration_type=row.migration_type, status=row.status,
        project_id=row.project_id, user_id=row.user_id, source_host=row.source_host, source_node=row.source_node,
        dest_host=row.dest_host, dest_node=row.dest_node, dest_address=document.get("dest_address"),
        old_flavor_id=document.get("old_flavor_id"), new_flavor_id=document.get("new_flavor_id"),
        created_at=row.created_at, updated_at=row.updated_at,
    )


#: What a move becomes when it is over; in "finished" it waits to be confirmed or reverted.
FINISHED = "finished"
ENDED = ("confirmed", "reverted", "error", "failed", "completed", "cancelled", "done")
#: Types whose end has to be confirmed or reverted.
TO_CONFIRM = ("migration", "resize")


@dataclass(frozen=True, slots=True)
class Awaiting:
    """A move which waits to be confirmed or reverted: from where the server came, and where it went."""

    migration: Migration
    departure: Departure
    flavor: Flavor                               # the new one


def add(
    session: Session, uuid: str, instance: Instance, migration_type: str, *, departure: Departure, flavor: Flavor, now: datetime,
) -> None:
    """Record that a move was accepted."""
    session.add(MigrationRow(
        uuid=uuid, instance_uuid=instance.uuid, migration_type=migration_type, status="pre-migrating", source_host=departure.host,
        source_node=departure.node, project_id=instance.project_id, user_id=instance.user_id, created_at=now, updated_at=now,
        document={
            "old_flavor_id": departure.flavor.id, "new_flavor_id": flavor.id, "departure": serializer.dump(Departure, departure),
            "flavor": serializer.dump(Flavor, flavor),
        },
    ))


def update(
    session: Session, uuid: str, status: str, *, now: datetime, dest_host: str | None = None, dest_node: str | None = None,
) -> None:
    """Note how far a move is, and where it goes once that is known. One that is over stays as it is."""
    values: dict[str, Any] = {"status": status, "updated_at": now}
    if dest_host is not None:
        values |= {"dest_host": dest_host, "dest_node": dest_node, "document": _with_address(session, uuid, dest_host)}
    session.execute(
        sa.update(MigrationRow).where(MigrationRow.uuid == uuid, MigrationRow.status.not_in(ENDED)).values(**values)
        .execution_options(synchronize_session=False),
    )


def _with_address(session: Session, uuid: str, host: str) -> Any:
    document = session.scalar(sa.select(_TABLE.c.document).where(_TABLE.c.uuid == uuid)) or {}
    inventory = session.scalar(sa.select(ComputeNodeRow.inventory).where(ComputeNodeRow.host == host).limit(1)) or {}
    return {**document, "dest_address": inventory.get("host_ip")}


def awaiting(session: Session, instance_uuid: str) -> Awaiting | None:
    """Answer the move of an instance which waits to be confirmed or reverted, if there is one."""
    row = session.execute(
        sa.select(_TABLE).where(
            _TABLE.c.instance_uuid == instance_uuid, _TABLE.c.status == FINISHED, _TABLE.c.migration_type.in_(TO_CONFIRM),
        ).order_by(_TABLE.c.id.desc()).limit(1),
    ).one_or_none()
    if row is None or "departure" not in (row.document or {}):
        return None
    return Awaiting(
        _migration(row), serializer.load(Departure, row.document["departure"]), serializer.load(Flavor, row.document["flavor"]),
    )


def unconfirmed(session: Session, *, before: datetime, limit: int = 100) -> list[str]:
    """Answer the instances whose moves wait to be confirmed since before that time, longest first."""
    query = sa.select(_TABLE.c.instance_uuid).where(
        _TABLE.c.status == FINISHED, _TABLE.c.migration_type.in_(TO_CONFIRM), _TABLE.c.updated_at < before,
    ).order_by(_TABLE.c.updated_at).limit(limit)
    return list(session.scalars(query))


def unended(session: Session, uuids: Collection[str]) -> set[str]:
    """Answer those of the migrations which go on or wait."""
    query = sa.select(_TABLE.c.uuid).where(_TABLE.c.uuid.in_(list(uuids)), _TABLE.c.status.not_in(ENDED))
    return set(session.scalars(query)) if uuids else set()


def end_all(session: Session, instance_uuid: str, *, now: datetime) -> None:
    """The instance is gone: a move which only waited counts as confirmed, one under way as failed."""
    for statuses, status in (((FINISHED, "confirming"), "confirmed"), (None, "error")):
        change = sa.update(MigrationRow).where(MigrationRow.instance_uuid == instance_uuid, MigrationRow.status.not_in(ENDED))
        if statuses is not None:
            change = change.where(MigrationRow.status.in_(statuses))
        session.execute(change.values(status=status, updated_at=now).execution_options(synchronize_session=False))
