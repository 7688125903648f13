"""Server groups (GLOBAL). That claims keep their policy is for the cell which the group's servers are in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db import quotas
from novalike.db.models.mappings import InstanceMapping
from novalike.db.models.projects import ServerGroupMemberRow, ServerGroupRow
from novalike.exception import NotFound, OverQuota
from novalike.objects.quota import UNLIMITED
from novalike.objects.server_group import ServerGroup

_GROUPS = cast("sa.Table", ServerGroupRow.__table__)
_MEMBERS = cast("sa.Table", ServerGroupMemberRow.__table__)

_LOCK = sa.select(_GROUPS.c.id).where(_GROUPS.c.uuid == sa.bindparam("in_uuid")).with_for_update()
_FIND = sa.select(_GROUPS).where(_GROUPS.c.uuid == sa.bindparam("in_uuid"))


def missing(uuid: str) -> NotFound:
    """Answer the error for a group that is not there, or must look so."""
    return NotFound(f"Instance group {uuid} could not be found.")


def create(session: Session, group: ServerGroup, *, cell: str, now: datetime, defaults: Mapping[str, int] | None = None) -> ServerGroup:
    """Store a new group without members; all of its servers will live in `cell`.

    With `defaults` (the limits where none were set) raises OverQuota beyond what project and user may have, exactly.
    """
    if defaults is not None:
        quotas.lock(session, f"project:{group.project_id}")     # the one under which limits change, too
        project, user = quotas.both_limits(session, group.project_id, group.user_id, defaults)
        for limit, of_user in ((project["server_groups"], None), (user["server_groups"], group.user_id)):
            if limit != UNLIMITED and quotas.count_server_groups(session, group.project_id, of_user) >= limit:
                raise OverQuota("Quota exceeded, too many server groups.", overs=("server_groups",))
    row = ServerGroupRow(
        uuid=group.uuid, project_id=group.project_id, user_id=group.user_id, name=group.name, policy=group.policy,
        rules=dict(group.rules), cell=cell, created_at=now,
    )
    session.add(row)
    session.flush()
    return replace(group, id=row.id, cell=cell, created_at=now, members=())


def join(session: Session, group: ServerGroup, uuids: Sequence[str], *, user_id: str, limit: int) -> None:
    """Add servers which are being accepted to a group; `limit` is how many of one user a group may have (-1: any).

    Exact at any concurrency: who adds to a group waits for the others. Raises OverQuota, and NotFound when it was deleted.
    """
    if session.execute(_LOCK, {"in_uuid": group.uuid}).one_or_none() is None:
        raise missing(group.uuid)
    if limit != UNLIMITED and count_members(session, group.uuid, user_id) + len(uuids) > limit:
        raise OverQuota("Quota exceeded, too many servers in group", overs=("server_group_members",))
    session.execute(sa.insert(_MEMBERS), [{"group_uuid": group.uuid, "instance_uuid": uuid} for uuid in uuids])


def count_members(session: Session, uuid: str, user_id: str) -> int:
    """Answer how many servers of one user are in a group."""
    return session.scalar(
        sa.select(sa.func.count()).select_from(_MEMBERS)
        .join(InstanceMapping, InstanceMapping.uuid == _MEMBERS.c.instance_uuid)
        .where(_MEMBERS.c.group_uuid == uuid, InstanceMapping.released_at.is_(None), InstanceMapping.user_id == user_id),
    ) or 0


def find(session: Session, uuid: str) -> ServerGroup | None:
    """Answer a group without its members, or None when it was deleted: what placing a server of it needs."""
    row = session.execute(_FIND, {"in_uuid": uuid}).one_or_none()
    return None if row is None else _to_object(row, ())


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
        raise missing(uuid)
    return _with_members(session, rows)[0]


def delete(session: Session, uuid: str, *, project_id: str | None) -> None:
    """Forget a group; its servers stay. Raises NotFound, also for one of another project (None: any)."""
    get(session, uuid, project_id=project_id)
    session.execute(_LOCK, {"in_uuid": uuid}).one_or_none()     # who is adding servers to it ends first
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
    return [_to_object(row, tuple(members[row.uuid])) for row in rows]


def _to_object(row: Any, members: tuple[str, ...]) -> ServerGroup:
    return ServerGroup(
        id=row.id, uuid=row.uuid, name=row.name, project_id=row.project_id, user_id=row.user_id, policy=row.policy,
        rules=row.rules or {}, members=members, cell=row.cell, created_at=row.created_at,
    )
