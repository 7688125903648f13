"""Subnet pools, and what was cut from them."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db import network_listing
from novalike.db.models.networks import SubnetRow
from novalike.db.models.routers import SubnetPoolRow
from novalike.db.network_listing import Listing
from novalike.exception import NotFound
from novalike.objects.router import SubnetPool

_TABLE: Any = SubnetPoolRow.__table__
_SUBNETS: Any = SubnetRow.__table__
_FLAGS = ("shared", "is_default")
_LISTS = ("prefixes", "tags")
_COLUMNS = tuple(f.name for f in fields(SubnetPool))


def insert(session: Session, pool: SubnetPool, now: datetime) -> None:
    """Store a new pool."""
    values = {name: getattr(pool, name) for name in _COLUMNS} | {"created_at": now, "updated_at": now}
    session.execute(sa.insert(_TABLE), [_values(values)])


def update(session: Session, pool_id: str, changes: dict[str, Any], now: datetime) -> None:
    """Change a pool's columns."""
    session.execute(
        sa.update(_TABLE).where(_TABLE.c.id == pool_id)
        .values(**_values(changes), updated_at=now, revision_number=_TABLE.c.revision_number + 1),
    )


def delete(session: Session, pool_id: str) -> None:
    """Remove a pool which has no subnets."""
    session.execute(sa.delete(SubnetPoolRow).where(SubnetPoolRow.id == pool_id))


def get(session: Session, pool_id: str, *, lock: bool = False) -> SubnetPool:
    """Answer a pool, locked against others' allocations if so asked. Raises NotFound."""
    query = sa.select(_TABLE).where(_TABLE.c.id == pool_id)
    row = session.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise NotFound(f"Subnet pool {pool_id} could not be found.")
    return _pool(row)


def list_page(session: Session, listing: Listing) -> list[SubnetPool]:
    """Answer pools a project may see: its own and shared ones."""
    conditions = [] if listing.project_id is None else [sa.or_(_TABLE.c.project_id == listing.project_id, _TABLE.c.shared == 1)]
    return [_pool(row) for row in network_listing.fetch(session, SubnetPoolRow, listing, *conditions)]


def default(session: Session, version: int) -> SubnetPool | None:
    """Answer the pool which is used where none is named."""
    row = session.execute(sa.select(_TABLE).where(_TABLE.c.is_default == 1, _TABLE.c.ip_version == version)).first()
    return None if row is None else _pool(row)


def cut(session: Session, pool_id: str) -> list[tuple[str, str]]:
    """Answer the CIDRs of a pool's subnets, each with its project."""
    query = sa.select(_SUBNETS.c.cidr, _SUBNETS.c.project_id).where(_SUBNETS.c.subnetpool_id == pool_id)
    return [(row.cidr, row.project_id) for row in session.execute(query)]


def count(session: Session, project_id: str) -> int:
    """Answer how many pools a project has."""
    return session.scalar(sa.select(sa.func.count()).select_from(SubnetPoolRow).where(_TABLE.c.project_id == project_id)) or 0


def _pool(row: sa.Row[Any]) -> SubnetPool:
    values = {name: getattr(row, name) for name in _COLUMNS}
    values |= {name: bool(values[name]) for name in _FLAGS} | {name: tuple(values[name]) for name in _LISTS}
    return SubnetPool(**values)


def _values(values: dict[str, Any]) -> dict[str, Any]:
    changed: dict[str, Any] = {name: int(values[name]) for name in _FLAGS if name in values}
    return {**values, **changed, **{name: list(values[name]) for name in _LISTS if name in values}}
