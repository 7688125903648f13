"""Limits of projects and users, and what they are compared with.

A limit is looked up in four places, the last found wins: configuration, the default class, the project, the user in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db.models.mappings import InstanceMapping, ProjectLock, Reservation
from novalike.db.models.projects import KeypairRow, QuotaRow, ServerGroupRow
from novalike.db.upsert import upsert
from novalike.objects.quota import Usage

#: The name of the only class which has an effect: defaults for every project.
DEFAULT_CLASS = "default"

_LOCKS = ProjectLock.__table__
_QUOTAS = QuotaRow.__table__
_LIMITS = sa.select(_QUOTAS.c.project_id, _QUOTAS.c.user_id, _QUOTAS.c.resource, _QUOTAS.c.hard_limit).where(
    _QUOTAS.c.project_id.in_(sa.bindparam("projects", expanding=True)), _QUOTAS.c.user_id.in_(sa.bindparam("users", expanding=True)),
)
_LOCK = sa.select(_LOCKS.c.scope).where(_LOCKS.c.scope == sa.bindparam("in_scope")).with_for_update()


def limits(session: Session, project_id: str, user_id: str | None, defaults: Mapping[str, int]) -> dict[str, int]:
    """Answer the limit of every resource in `defaults` for a project, or for one user in it. -1 is unlimited."""
    scopes = [("", ""), (project_id, "")]
    if user_id:
        scopes.append((project_id, user_id))
    return _overlay(session, scopes, defaults)


def both_limits(
    session: Session, project_id: str, user_id: str, defaults: Mapping[str, int],
) -> tuple[dict[str, int], dict[str, int]]:
    """Answer the limits of a project, and those of one user in it, in one query."""
    scopes = [("", ""), (project_id, ""), (project_id, user_id)]
    found = _limits(session, scopes)
    return _merge(found, scopes[:2], defaults), _merge(found, scopes, defaults)


def class_limits(session: Session, defaults: Mapping[str, int]) -> dict[str, int]:
    """Answer the limits a project has when none was set for it."""
    return _overlay(session, [("", "")], defaults)


def _overlay(session: Session, scopes: list[tuple[str, str]], defaults: Mapping[str, int]) -> dict[str, int]:
    return _merge(_limits(session, scopes), scopes, defaults)


def _limits(session: Session, scopes: list[tuple[str, str]]) -> dict[tuple[str, str], dict[str, int]]:
    found: dict[tuple[str, str], dict[str, int]] = {}
    values = {"projects": [project for project, _ in scopes], "users": [user for _, user in scopes]}
    for project, user, resource, limit in session.execute(_LIMITS, values):
        found.setdefault((project, user), {})[resource] = limit
    return found


def _merge(
    found: Mapping[tuple[str, str], Mapping[str, int]], scopes: list[tuple[str, str]], defaults: Mapping[str, int],
) -> dict[str, int]:
    merged = dict(defaults)
    for scope in scopes:
        merged.update({name: limit for name, limit in found.get(scope, {}).items() if name in merged})
    return merged


def set_limits(session: Session, project_id: str, user_id: str | None, values: Mapping[str, int], *, now: datetime) -> None:
    """Set limits of a project, or of one user in it; resources not named keep theirs."""
    for resource, limit in sorted(values.items()):
        key = {"project_id": project_id, "user_id": user_id or "", "resource": resource}
        changes = {"hard_limit": limit, "updated_at": now}
        upsert(session, QuotaRow, key, changes, changes)


def set_class_limits(session: Session, values: Mapping[str, int], *, now: datetime) -> None:
    """Set the limits of every project which has none of its own."""
    set_limits(session, "", None, values, now=now)


def delete(session: Session, project_id: str, user_id: str | None = None) -> None:
    """Go back to defaults, for a project with all of its users, or for one user in it."""
    scope = [QuotaRow.project_id == project_id]
    if user_id:
        scope.append(QuotaRow.user_id == user_id)
    session.execute(sa.delete(QuotaRow).where(*scope))


def usage(session: Session, project_id: str, user_id: str | None = None) -> Usage:
    """Answer what a project's servers, or one user's in it, count against its limits, with what their resizes reserve."""
    def total(column: Any) -> sa.Select[Any]:
        table = column.class_
        query = sa.select(sa.func.coalesce(sa.func.sum(column), 0)).where(table.project_id == project_id)
        return query.where(table.user_id == user_id) if user_id else query
    mapped = [InstanceMapping.project_id == project_id, InstanceMapping.released_at.is_(None)]
    if user_id:
        mapped.append(InstanceMapping.user_id == user_id)
    query = sa.select(
        sa.func.count(), sa.func.coalesce(sa.func.sum(InstanceMapping.cores), 0), sa.func.coalesce(sa.func.sum(InstanceMapping.ram), 0),
        total(Reservation.cores).scalar_subquery(), total(Reservation.ram).scalar_subquery(),
    ).where(*mapped)
    instances, cores, ram, more_cores, more_ram = session.execute(query).one()
    return Usage(instances=instances, cores=int(cores) + int(more_cores), ram=int(ram) + int(more_ram))


def count_keypairs(session: Session, user_id: str) -> int:
    """Answer how many key pairs a user has."""
    return session.scalar(sa.select(sa.func.count()).select_from(KeypairRow).where(KeypairRow.user_id == user_id)) or 0


def count_server_groups(session: Session, project_id: str, user_id: str | None = None) -> int:
    """Answer how many server groups a project has, or one user in it."""
    query = sa.select(sa.func.count()).select_from(ServerGroupRow).where(ServerGroupRow.project_id == project_id)
    if user_id:
        query = query.where(ServerGroupRow.user_id == user_id)
    return session.scalar(query) or 0


def lock(session: Session, scope: str) -> None:
    """Make others who lock the same scope wait until this transaction ends.

    Scopes are e.g. `project:<id>` or `keypairs:<user>`. Call it before counting: what is counted then stays true. The row
    is read first, so that only the first transaction ever of a scope inserts (inserting before locking deadlocks).
    """
    if session.scalar(_LOCK, {"in_scope": scope}) is None:
        upsert(session, ProjectLock, {"scope": scope}, {}, {"scope": scope})
