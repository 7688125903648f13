"""Floating addresses, and where they lead."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db import network_listing
from novalike.db.models.routers import FloatingIpRow
from novalike.db.network_listing import Listing
from novalike.exception import NotFound
from novalike.objects.router import FloatingIp

_TABLE: Any = FloatingIpRow.__table__
_COLUMNS = tuple(f.name for f in fields(FloatingIp))


def insert(session: Session, floating: FloatingIp, now: datetime) -> None:
    """Store a new floating address."""
    values = {name: getattr(floating, name) for name in _COLUMNS} | {"created_at": now, "updated_at": now, "tags": list(floating.tags)}
    session.execute(sa.insert(_TABLE), [values])


def update(session: Session, floating_id: str, changes: dict[str, Any], now: datetime) -> None:
    """Change a floating address's columns."""
    tags = {"tags": list(changes["tags"])} if "tags" in changes else {}
    session.execute(
        sa.update(_TABLE).where(_TABLE.c.id == floating_id)
        .values(**changes | tags, updated_at=now, revision_number=_TABLE.c.revision_number + 1),
    )


def delete(session: Session, floating_id: str) -> None:
    """Remove a floating address; its port is the caller's to remove."""
    session.execute(sa.delete(FloatingIpRow).where(FloatingIpRow.id == floating_id))


def get(session: Session, floating_id: str, *, lock: bool = False) -> FloatingIp:
    """Answer a floating address, locked against others' changes if so asked. Raises NotFound."""
    query = sa.select(_TABLE).where(_TABLE.c.id == floating_id)
    row = session.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise NotFound(f"Floating IP {floating_id} could not be found")
    return _floating(row)


def list_page(session: Session, listing: Listing, *, statuses: Collection[str] | None = None) -> list[FloatingIp]:
    """Answer the floating addresses of a project, or everybody's: all, or those of some statuses (FloatingIp.status)."""
    conditions = [] if listing.project_id is None else [_TABLE.c.project_id == listing.project_id]
    if statuses is not None:
        of_status = {"ACTIVE": _TABLE.c.router_id.is_not(None), "DOWN": _TABLE.c.router_id.is_(None)}
        conditions.append(sa.or_(sa.false(), *(of_status[status] for status in set(statuses) if status in of_status)))
    return [_floating(row) for row in network_listing.fetch(session, FloatingIpRow, listing, *conditions)]


def of_ports(session: Session, port_ids: Iterable[str]) -> list[FloatingIp]:
    """Answer the floating addresses which lead to ports."""
    return _where(session, _TABLE.c.port_id.in_(set(port_ids)))


def of_router(session: Session, router_id: str) -> list[FloatingIp]:
    """Answer the floating addresses which a router translates."""
    return _where(session, _TABLE.c.router_id == router_id)


def of_network(session: Session, network_id: str) -> list[FloatingIp]:
    """Answer the floating addresses of an external network."""
    return _where(session, _TABLE.c.network_id == network_id)


def by_address(session: Session, project_id: str, address: str) -> list[FloatingIp]:
    """Answer a project's floating addresses which are this address (of several external networks, maybe)."""
    return _where(session, sa.and_(_TABLE.c.project_id == project_id, _TABLE.c.address == address))


def count(session: Session, project_id: str) -> int:
    """Answer how many floating addresses a project has."""
    return session.scalar(sa.select(sa.func.count()).select_from(FloatingIpRow).where(_TABLE.c.project_id == project_id)) or 0


def _where(session: Session, condition: sa.ColumnElement[bool]) -> list[FloatingIp]:
    return [_floating(row) for row in session.execute(sa.select(_TABLE).where(condition).order_by(_TABLE.c.created_at, _TABLE.c.id))]


def _floating(row: sa.Row[Any]) -> FloatingIp:
    values = {name: getattr(row, name) for name in _COLUMNS}
    return FloatingIp(**values | {"tags": tuple(row.tags)})
