"""CELL: servers which ran in a period, deleted ones included for as long as their rows stay."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db import paging
from novalike.db.models.instances import InstanceRow
from novalike.objects.usage import ServerRun

_TABLE = cast("sa.Table", InstanceRow.__table__)
_ORDER: list[paging.Key] = [(_TABLE.c.project_id, False), (_TABLE.c.uuid, False)]

Place = tuple[str, str]                          # project and uuid of a server: its place in the report


def place(session: Session, uuid: str, *, project_id: str | None = None) -> Place | None:
    """Answer where a server (of a project, if one is given) stands in a report; None when this cell does not have it."""
    query = sa.select(_TABLE.c.project_id, _TABLE.c.uuid).where(_TABLE.c.uuid == uuid)
    row = session.execute(query if project_id is None else query.where(_TABLE.c.project_id == project_id)).one_or_none()
    return None if row is None else (row.project_id, row.uuid)


def list_runs(
    session: Session, start: datetime, stop: datetime, *, project_id: str | None = None, limit: int | None = None,
    after: Place | None = None,
) -> list[ServerRun]:
    """Answer servers which ran between `start` and `stop`, by project and uuid."""
    query = sa.select(
        _TABLE.c.uuid, _TABLE.c.display_name, _TABLE.c.project_id, _TABLE.c.vm_state, _TABLE.c.launched_at,
        _TABLE.c.terminated_at, _TABLE.c.document,
    ).where(
        _TABLE.c.launched_at.is_not(None), _TABLE.c.launched_at < stop,
        sa.or_(_TABLE.c.terminated_at.is_(None), _TABLE.c.terminated_at > start),
    )
    if project_id is not None:
        query = query.where(_TABLE.c.project_id == project_id)
    return [_run(row) for row in session.execute(paging.page(query, _ORDER, marker=after, limit=limit))]


def _run(row: Any) -> ServerRun:
    flavor = row.document["flavor"]
    return ServerRun(
        uuid=row.uuid, name=row.display_name, project_id=row.project_id, vm_state=row.vm_state, flavor_name=flavor["name"],
        vcpus=flavor["vcpus"], memory_mb=flavor["memory_mb"], local_gb=flavor["root_gb"] + flavor.get("ephemeral_gb", 0),
        launched_at=row.launched_at, terminated_at=row.terminated_at,
    )
