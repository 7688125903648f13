"""Flavors, their extra specs, and which projects may use the private ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from novalike.db import paging
from novalike.db.models.flavors import FlavorAccess, FlavorRow
from novalike.exception import Conflict, Duplicate, Invalid, NotFound
from novalike.objects.flavor import Flavor

_NEVER = datetime(1970, 1, 1)  # noqa: DTZ001  # naive UTC, as the database stores times

#: What lists may be sorted by (Nova's names), as expressions which are never NULL.
SORT_KEYS: dict[str, sa.ColumnElement[Any]] = {
    "created_at": FlavorRow.created_at.expression,
    "description": sa.func.coalesce(FlavorRow.description, ""),
    "disabled": FlavorRow.disabled.expression,
    "ephemeral_gb": FlavorRow.ephemeral_gb.expression,
    "flavorid": FlavorRow.flavorid.expression,
    "id": FlavorRow.id.expression,
    "is_public": FlavorRow.is_public.expression,
    "memory_mb": FlavorRow.memory_mb.expression,
    "name": FlavorRow.name.expression,
    "root_gb": FlavorRow.root_gb.expression,
    "rxtx_factor": FlavorRow.rxtx_factor.expression,
    "swap": FlavorRow.swap_mb.expression,
    "updated_at": sa.func.coalesce(FlavorRow.updated_at, _NEVER),
    "vcpus": FlavorRow.vcpus.expression,
}
_TABLE = FlavorRow.__table__
_Row = sa.Row[Any]


def create(session: Session, flavor: Flavor, *, now: datetime, project_ids: tuple[str, ...] = ()) -> Flavor:
    """Store a new flavor, open to `project_ids` when private, and answer it with its database id. Raises Duplicate."""
    _refuse_taken(session, flavor)
    row = FlavorRow(
        flavorid=flavor.flavorid, name=flavor.name, vcpus=flavor.vcpus, memory_mb=flavor.memory_mb, root_gb=flavor.root_gb,
        ephemeral_gb=flavor.ephemeral_gb, swap_mb=flavor.swap_mb, rxtx_factor=flavor.rxtx_factor,
        is_public=int(flavor.is_public), disabled=int(flavor.disabled), description=flavor.description,
        extra_specs=dict(flavor.extra_specs), created_at=now,
    )
    session.add(row)
    try:
        session.flush()
    except IntegrityError as error:              # somebody was faster than _refuse_taken
        raise Duplicate(f"Flavor with ID {flavor.flavorid} or name {flavor.name} already exists.") from error
    session.add_all(FlavorAccess(flavor_id=row.id, project_id=project_id) for project_id in project_ids)
    return replace(flavor, id=row.id, created_at=now)


def _refuse_taken(session: Session, flavor: Flavor) -> None:
    taken = session.execute(
        sa.select(_TABLE.c.flavorid).where(sa.or_(_TABLE.c.flavorid == flavor.flavorid, _TABLE.c.name == flavor.name)),
    ).scalars().all()
    if flavor.flavorid in taken:
        raise Duplicate(f"Flavor with ID {flavor.flavorid} already exists.")
    if taken:
        raise Duplicate(f"Flavor with name {flavor.name} already exists.")


_PUBLIC = _TABLE.c.is_public == 1
_OPEN = sa.or_(_PUBLIC, _TABLE.c.id.in_(
    sa.select(FlavorAccess.flavor_id).where(FlavorAccess.project_id == sa.bindparam("in_project")),
))
_BY_FLAVORID = sa.select(_TABLE).where(_TABLE.c.flavorid == sa.bindparam("in_flavorid"))


def get_by_flavorid(session: Session, flavorid: str, project_id: str | None, is_admin: bool) -> Flavor:
    """Answer a flavor by the id users see. NotFound also for private ones closed to the project, unless `is_admin`."""
    query = _BY_FLAVORID if is_admin else _BY_FLAVORID.where(_open_to(project_id))
    row = session.execute(query, {"in_flavorid": flavorid, "in_project": project_id}).first()
    if row is None:
        raise NotFound(f"Flavor {flavorid} could not be found.")
    return _flavor(row)


def list_page(
    session: Session, *, project_id: str | None, is_public: bool | None = True, include_disabled: bool = False, min_ram: int = 0,
    min_disk: int = 0, name: str | None = None, sort_key: str = "flavorid", descending: bool = False, limit: int | None = None,
    marker: str | None = None,
) -> list[Flavor]:
    """Answer flavors, sorted and paged; `min_ram` in MiB, `min_disk` in GiB, `marker` is the flavorid of the last one seen.

    `is_public` True: public ones and those open to the project; False: private ones; None: all. Raises Invalid for an
    unknown sort key or marker.
    """
    if sort_key not in SORT_KEYS:
        raise Invalid("Sort key supplied was not valid.")
    keys: list[paging.Key] = [(SORT_KEYS[sort_key], descending), (_TABLE.c.id, descending)]
    seen = None
    if marker is not None:
        place = sa.select(*(expression for expression, _ in keys)).where(_TABLE.c.flavorid == marker)
        seen = session.execute(place.where(_open_to(project_id)) if is_public else place, {"in_project": project_id}).first()
        if seen is None:
            raise Invalid(f"marker [{marker}] not found")
    narrowed = (is_public, project_id is not None, include_disabled, bool(min_ram), bool(min_disk), name is not None)
    values = {"in_project": project_id, "in_ram": min_ram, "in_disk": min_disk, "in_name": name, "in_limit": limit}
    page = _first_page(narrowed, sort_key, descending, limit is not None)
    return [_flavor(row) for row in session.execute(page if seen is None else paging.after(page, keys, seen), values)]


#: Whose flavors: public ones, of a project too; then whether disabled ones, and those with little memory, disk or another name stay out.
_Narrowed: TypeAlias = tuple[bool | None, bool, bool, bool, bool, bool]


@lru_cache(maxsize=256)
def _first_page(narrowed: _Narrowed, sort_key: str, descending: bool, limited: bool) -> sa.Select[Any]:
    """Build the query of a list once: that costs as much as running it."""
    public, in_project, disabled, ram, disk, name = narrowed
    query = sa.select(_TABLE)
    if public:
        query = query.where(_OPEN if in_project else _PUBLIC)
    elif public is not None:
        query = query.where(_TABLE.c.is_public == 0)
    narrowing = (
        (not disabled, _TABLE.c.disabled == 0), (ram, _TABLE.c.memory_mb >= sa.bindparam("in_ram")),
        (disk, _TABLE.c.root_gb >= sa.bindparam("in_disk")), (name, _TABLE.c.name == sa.bindparam("in_name")),
    )
    query = query.where(*(condition for wanted, condition in narrowing if wanted))
    page = paging.page(query, [(SORT_KEYS[sort_key], descending), (_TABLE.c.id, descending)], marker=None, limit=None)
    return page.limit(sa.bindparam("in_limit", type_=sa.Integer)) if limited else page


def update_description(session: Session, flavorid: str, description: str | None, *, now: datetime) -> Flavor:
    """Change a flavor's description (None removes it) and answer the flavor. Raises NotFound."""
    row = _locked(session, flavorid)
    session.execute(sa.update(FlavorRow).where(FlavorRow.id == row.id).values(description=description, updated_at=now))
    return get_by_flavorid(session, flavorid, None, True)


def delete(session: Session, flavorid: str) -> None:
    """Forget a flavor and its access list; servers keep their own copy. Raises NotFound."""
    row = _locked(session, flavorid)
    session.execute(sa.delete(FlavorAccess).where(FlavorAccess.flavor_id == row.id))
    session.execute(sa.delete(FlavorRow).where(FlavorRow.id == row.id))


def set_extra_specs(session: Session, flavorid: str, specs: dict[str, str], *, now: datetime) -> None:
    """Add or overwrite extra specs. Raises NotFound."""
    row = _locked(session, flavorid)
    _store_specs(session, row.id, {**(row.extra_specs or {}), **specs}, now)


def delete_extra_spec(session: Session, flavorid: str, key: str, *, now: datetime) -> None:
    """Remove one extra spec. Raises NotFound for an unknown flavor or key."""
    row = _locked(session, flavorid)
    specs = dict(row.extra_specs or {})
    if specs.pop(key, None) is None:
        raise NotFound(f"Flavor {flavorid} has no extra specs with key {key}.")
    _store_specs(session, row.id, specs, now)


def list_access(session: Session, flavorid: str) -> list[str]:
    """Answer the ids of the projects with access to a private flavor, in the order they were granted it. Raises NotFound."""
    query = (
        sa.select(FlavorAccess.project_id)
        .select_from(_TABLE.outerjoin(FlavorAccess.__table__, FlavorAccess.flavor_id == _TABLE.c.id))
        .where(_TABLE.c.flavorid == flavorid).order_by(FlavorAccess.id)
    )
    found = session.execute(query).scalars().all()
    if not found:
        raise NotFound(f"Flavor {flavorid} could not be found.")
    return [project_id for project_id in found if project_id is not None]


def add_access(session: Session, flavorid: str, project_id: str) -> None:
    """Let a project use a private flavor. Raises NotFound, and Conflict when it may already."""
    flavor = _locked(session, flavorid)
    if session.scalar(_access(flavor.id, project_id)) is not None:
        raise Conflict(f"Flavor access already exists for flavor {flavorid} and project {project_id} combination.")
    session.add(FlavorAccess(flavor_id=flavor.id, project_id=project_id))


def remove_access(session: Session, flavorid: str, project_id: str) -> None:
    """Take a private flavor from a project. Raises NotFound for an unknown flavor or when it had no access."""
    flavor = _locked(session, flavorid)
    access = session.scalar(_access(flavor.id, project_id))
    if access is None:
        raise NotFound(f"Flavor access not found for {flavorid} / {project_id} combination.")
    session.execute(sa.delete(FlavorAccess).where(FlavorAccess.id == access))


def _access(flavor_id: int, project_id: str) -> sa.Select[Any]:
    return sa.select(FlavorAccess.id).where(FlavorAccess.flavor_id == flavor_id, FlavorAccess.project_id == project_id)


def _open_to(project_id: str | None) -> sa.ColumnElement[bool]:
    """Answer the condition on flavors which a project may use; the query needs the parameter `in_project`."""
    return _PUBLIC if project_id is None else _OPEN


def _locked(session: Session, flavorid: str) -> _Row:
    # Extra specs are one document: without the lock, two writers would each keep only their own key.
    row = session.execute(sa.select(_TABLE).where(_TABLE.c.flavorid == flavorid).with_for_update()).first()
    if row is None:
        raise NotFound(f"Flavor {flavorid} could not be found.")
    return row


def _store_specs(session: Session, row_id: int, specs: dict[str, str], now: datetime) -> None:
    session.execute(sa.update(FlavorRow).where(FlavorRow.id == row_id).values(extra_specs=specs, updated_at=now))


def _flavor(row: _Row) -> Flavor:
    return Flavor(
        id=row.id, flavorid=row.flavorid, name=row.name, vcpus=row.vcpus, memory_mb=row.memory_mb, root_gb=row.root_gb,
        ephemeral_gb=row.ephemeral_gb, swap_mb=row.swap_mb, rxtx_factor=row.rxtx_factor, is_public=bool(row.is_public),
        disabled=bool(row.disabled), description=row.description, extra_specs=row.extra_specs or {},
        created_at=row.created_at, updated_at=row.updated_at,
    )
