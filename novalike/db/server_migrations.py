"""CELL: records of servers moving between hosts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db import paging
from novalike.db.models.instances import MigrationRow
from novalike.objects.migration import Migration

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


def place(session: Session, uuid: str) -> Place | None:
    """Answer where a record stands in the list; None when this cell does not have it."""
    row = session.execute(sa.select(_TABLE.c.created_at, _TABLE.c.uuid).where(_TABLE.c.uuid == uuid)).one_or_none()
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
