"""Routers. Their interfaces and gateways are ports."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db import network_listing, ports
from novalike.db.models.networks import AddressRow, PortRow
from novalike.db.models.routers import RouterRow
from novalike.db.network_listing import Listing
from novalike.exception import NotFound
from novalike.objects.network import Port
from novalike.objects.router import GATEWAY, INTERFACE, Router

_ROUTERS: Any = RouterRow.__table__
_PORTS: Any = PortRow.__table__
_ADDRESSES: Any = AddressRow.__table__
_FLAGS = ("admin_state_up", "enable_snat")
_COLUMNS = tuple(f.name for f in fields(Router) if f.name != "gateway_ips")


def insert(session: Session, router: Router, now: datetime) -> None:
    """Store a new router."""
    values = {name: getattr(router, name) for name in _COLUMNS} | {"created_at": now, "updated_at": now}
    session.execute(sa.insert(_ROUTERS), [_values(values)])


def update(session: Session, router_id: str, changes: dict[str, Any], now: datetime) -> None:
    """Change a router's columns."""
    session.execute(
        sa.update(_ROUTERS).where(_ROUTERS.c.id == router_id)
        .values(**_values(changes), updated_at=now, revision_number=_ROUTERS.c.revision_number + 1),
    )


def delete(session: Session, router_id: str) -> None:
    """Remove a router which has no ports any more."""
    session.execute(sa.delete(RouterRow).where(RouterRow.id == router_id))


def get(session: Session, router_id: str, *, lock: bool = False) -> Router:
    """Answer a router, locked against others' changes if so asked. Raises NotFound."""
    query = sa.select(_ROUTERS).where(_ROUTERS.c.id == router_id)
    found = _routers(session, list(session.execute(query.with_for_update() if lock else query)))
    if not found:
        raise NotFound(f"Router {router_id} could not be found")
    return found[0]


def by_ids(session: Session, router_ids: Iterable[str]) -> list[Router]:
    """Answer those of the routers which exist."""
    query = sa.select(_ROUTERS).where(_ROUTERS.c.id.in_(set(router_ids))).order_by(_ROUTERS.c.id)
    return _routers(session, list(session.execute(query)))


def list_page(session: Session, listing: Listing) -> list[Router]:
    """Answer the routers of a project, or everybody's."""
    conditions = [] if listing.project_id is None else [_ROUTERS.c.project_id == listing.project_id]
    return _routers(session, network_listing.fetch(session, RouterRow, listing, *conditions))


def on_host(session: Session, host: str) -> list[Router]:
    """Answer the routers which run on a host."""
    return _routers(session, list(session.execute(sa.select(_ROUTERS).where(_ROUTERS.c.host == host).order_by(_ROUTERS.c.id))))


def homes(session: Session) -> set[str]:
    """Answer the hosts which routers run on; an empty name among them for those which run nowhere."""
    return set(session.scalars(sa.select(_ROUTERS.c.host).distinct()))


def lock_on_host(session: Session, host: str, limit: int) -> list[Router]:
    """Answer some of the routers which run on a host (nowhere, for an empty name), locked against others' changes."""
    query = sa.select(_ROUTERS).where(_ROUTERS.c.host == host).order_by(_ROUTERS.c.id).limit(limit).with_for_update()
    return _routers(session, list(session.execute(query)))


def homeless(session: Session) -> list[str]:
    """Answer the routers which run nowhere yet, locked."""
    query = sa.select(_ROUTERS.c.id).where(_ROUTERS.c.host == "").order_by(_ROUTERS.c.id).with_for_update()
    return list(session.scalars(query))


def any_homeless(session: Session) -> bool:
    """Tell whether there is a router which runs nowhere."""
    return session.scalar(sa.select(_ROUTERS.c.id).where(_ROUTERS.c.host == "").limit(1)) is not None


def loads(session: Session, hosts: Iterable[str]) -> dict[str, int]:
    """Answer how many routers each of the hosts has."""
    query = sa.select(_ROUTERS.c.host, sa.func.count()).where(_ROUTERS.c.host.in_(set(hosts))).group_by(_ROUTERS.c.host)
    return {row[0]: row[1] for row in session.execute(query)}


def count(session: Session, project_id: str) -> int:
    """Answer how many routers a project has."""
    return session.scalar(sa.select(sa.func.count()).select_from(RouterRow).where(_ROUTERS.c.project_id == project_id)) or 0


def interfaces(session: Session, router_id: str) -> list[Port]:
    """Answer a router's ports on inner networks, oldest first."""
    return [port for port in ports.of_device(session, router_id) if port.device_owner == INTERFACE]


def gateway(session: Session, router_id: str) -> Port | None:
    """Answer a router's port on its external network."""
    return next((port for port in ports.of_device(session, router_id) if port.device_owner == GATEWAY), None)


def held_gateways(session: Session, network_ids: Iterable[str]) -> set[tuple[str, str]]:
    """Answer which (subnet id, address) of networks are held by interfaces of routers."""
    query = sa.select(_ADDRESSES.c.subnet_id, _ADDRESSES.c.address).join(_PORTS, _PORTS.c.id == _ADDRESSES.c.port_id).where(
        _PORTS.c.network_id.in_(set(network_ids)), _PORTS.c.device_owner == INTERFACE,
    )
    return {(row.subnet_id, row.address) for row in session.execute(query)}


def attached(session: Session, network_id: str) -> dict[str, list[Port]]:
    """Answer the interfaces of routers on a network, by router."""
    found: dict[str, list[Port]] = defaultdict(list)
    for port in ports.of_network(session, network_id, owner=INTERFACE):
        found[port.device_id].append(port)
    return found


def _routers(session: Session, rows: list[sa.Row[Any]]) -> list[Router]:
    fixed: dict[str, list[tuple[str, str]]] = defaultdict(list)
    ids = [row.id for row in rows if row.network_id]
    if ids:
        query = sa.select(_PORTS.c.device_id, _ADDRESSES.c.subnet_id, _ADDRESSES.c.address).join(
            _ADDRESSES, _ADDRESSES.c.port_id == _PORTS.c.id,
        ).where(_PORTS.c.device_id.in_(ids), _PORTS.c.device_owner == GATEWAY).order_by(_ADDRESSES.c.id)
        for device_id, subnet_id, address in session.execute(query):
            fixed[device_id].append((subnet_id, address))
    answer = []
    for row in rows:
        values = {name: getattr(row, name) for name in _COLUMNS}
        values |= {name: bool(values[name]) for name in _FLAGS}
        values |= {"tags": tuple(row.tags), "zone_hints": tuple(row.zone_hints), "routes": tuple((to, via) for to, via in row.routes)}
        answer.append(Router(**values, gateway_ips=tuple(fixed[row.id])))
    return answer


def _values(values: dict[str, Any]) -> dict[str, Any]:
    changed: dict[str, Any] = {name: int(values[name]) for name in _FLAGS if name in values}
    changed |= {name: list(values[name]) for name in ("tags", "zone_hints") if name in values}
    if "routes" in values:
        changed["routes"] = [list(route) for route in values["routes"]]
    return {**values, **changed}
