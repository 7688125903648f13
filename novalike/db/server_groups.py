"""Server groups (GLOBAL). That claims keep their policy is for the cell which the group's servers are in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db.models.mappings import InstanceMapping
from novalike.db.models.projects import ServerGroupMemberRow, ServerGroupRow
from novalike.exception import NotFound
from novalike.objects.server_group import ServerGroup

_GROUPS = cast("sa.Table", ServerGroupRow.__table__)
_MEMBERS = cast("sa.Table", ServerGroupMemberRow.__table__)


def create(session: Session, group: ServerGroup, *, cell: str, now: datetime) -> ServerGroup:
    """Store a new group without members; all of its servers will live in `cell`."""
    row = ServerGroupRow(
        uuid=group.uuid, project_id=group.project_id, user_id=group.user_id, name=group.name, policy=group.policy,
        rules=dict(group.rules), cell=cell, created_at=now,
    )
    session.add(row)
    session.flush()
    return replace(group, id=row.id, created_at=now, members=())


def list_page(session: Session, *, project_id: str | None, limit: int | None = None, offset: int = 0) -> list[ServerGroup]:
    """Answer the groups of a project (None: of all), oldest first; two queries."""
    query = sa.select(_GROUPS).order_by(_GROUPS.c.id).limit(limit)
    if offset:
        query = query.offset(offset)
    if project_id is not None:
        query = query.where(_GROUPS.c.project_id == project_id)
    return _with_members(session, session.execute(query).all())


def get(session: Session, uuid: str, *, project_id: str | None) -> ServerGroup:
    """Answer a group. Raises NotFound, also for one of another project (None: any)."""
    query = sa.select(_GROUPS).where(_GROUPS.c.uuid == uuid)
    if project_id is not None:
        query = query.where(_GROUPS.c.project_id == project_id)
    rows = session.execute(query).all()
    if not rows:
        raise NotFound(f"Instance group {uuid} could not be found.")
    return _with_members(session, rows)[0]


def delete(session: Session, uuid: str, *, project_id: str | None) -> None:
    """Forget a group; its servers stay. Raises NotFound, also for one of another project (None: any)."""
    get(session, uuid, project_id=project_id)
    session.execute(sa.delete(_MEMBERS).where(_MEMBERS.c.group_uuid == uuid))
    session.execute(sa.delete(_GROUPS).where(_GROUPS.c.uuid == uuid))


def _with_members(session: Session, rows: Sequence[Any]) -> list[ServerGroup]:
    members: dict[str, list[str]] = {row.uuid: [] for row in rows}
    if rows:
        # Whether a server still exists stands in its mapping, so that no cell need be asked.
        query = (
            sa.select(_MEMBERS.c.group_uuid, _MEMBERS.c.instance_uuid)
            .join(InstanceMapping, InstanceMapping.uuid == _MEMBERS.c.instance_uuid)
            .where(_MEMBERS.c.group_uuid.in_(list(members)), InstanceMapping.released_at.is_(None)).order_by(_MEMBERS.c.id)
        )
        for group_uuid, instance_uuid in session.execute(query):
            members[group_uuid].append(instance_uuid)
    return [
        ServerGroup(
            id=row.id, uuid=row.uuid, name=row.name, project_id=row.project_id, user_id=row.user_id, policy=row.policy,
            rules=row.rules or {}, members=tuple(members[row.uuid]), created_at=row.created_at,
        ) for row in rows
    ]
