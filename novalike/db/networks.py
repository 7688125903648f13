"""Networks and subnets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db import network_listing
from novalike.db.models.networks import NetworkRow, PortRow, SubnetRow
from novalike.db.network_listing import Listing
from novalike.exception import NotFound
from novalike.objects.network import Network, NetworkSubnet

_NETWORKS = NetworkRow.__table__
_SUBNETS = SubnetRow.__table__
_FLAGS = ("admin_state_up", "shared", "external", "is_default", "port_security")
_NETWORK_COLUMNS = tuple(f.name for f in fields(Network) if f.name != "subnet_ids")
_SUBNET_COLUMNS = tuple(f.name for f in fields(NetworkSubnet))

# Built once: every new server needs them, and making a query takes longer than running one of these.
_BY_IDS = sa.select(_NETWORKS).where(_NETWORKS.c.id.in_(sa.bindparam("ids", expanding=True)))
_SUBNETS_OF = sa.select(_SUBNETS).where(
    _SUBNETS.c.network_id.in_(sa.bindparam("ids", expanding=True)),
).order_by(_SUBNETS.c.created_at, _SUBNETS.c.id)


def insert(session: Session, network: Network, now: datetime) -> None:
    """Store a new network."""
    values = {name: getattr(network, name) for name in _NETWORK_COLUMNS} | {"created_at": now, "updated_at": now}
    session.add(NetworkRow(**_flags(values, _FLAGS) | {"tags": list(network.tags), "zone_hints": list(network.zone_hints)}))
    session.flush()


def update(session: Session, network_id: str, changes: dict[str, Any], now: datetime) -> None:
    """Change columns of a network. Raises NotFound."""
    _change(session, _NETWORKS, network_id, _flags(changes, _FLAGS), now, "Network")


def delete(session: Session, network_id: str) -> None:
    """Remove a network which has neither ports nor subnets any more."""
    session.execute(sa.delete(NetworkRow).where(NetworkRow.id == network_id))


def get(session: Session, network_id: str) -> Network:
    """Answer a network. Raises NotFound."""
    return one(by_ids(session, [network_id]), f"Network {network_id} could not be found.")


def one(found: list[Any], message: str) -> Any:
    """Answer the only thing found; raise NotFound with the message when there is none."""
    if not found:
        raise NotFound(message)
    return found[0]


def by_ids(session: Session, network_ids: Iterable[str]) -> list[Network]:
    """Answer those of the networks which exist."""
    return _networks(session, list(session.execute(_BY_IDS, {"ids": sorted(set(network_ids))})))


def list_page(session: Session, listing: Listing) -> list[Network]:
    """Answer networks a project may see: its own, shared and external ones."""
    conditions = [] if listing.project_id is None else [visible(listing.project_id)]
    return _networks(session, network_listing.fetch(session, NetworkRow, listing, *conditions))


def visible(project_id: str) -> sa.ColumnElement[bool]:
    """Answer the condition for networks a project may see."""
    return sa.or_(_NETWORKS.c.project_id == project_id, _NETWORKS.c.shared == 1, _NETWORKS.c.external == 1)


def segments(session: Session, kind: str, wire: str) -> set[int]:
    """Answer the identifiers in use by networks of one type (on one physical network, if it needs one)."""
    return set(session.scalars(sa.select(_NETWORKS.c.segment).where(
        _NETWORKS.c.network_type == kind, _NETWORKS.c.physical_network == wire, _NETWORKS.c.segment.is_not(None),
    )))


def wires(session: Session) -> set[str]:
    """Answer the physical networks which flat networks use; each can be one flat network only."""
    return set(session.scalars(sa.select(_NETWORKS.c.physical_network).where(_NETWORKS.c.network_type == "flat")))


def insert_subnet(session: Session, subnet: NetworkSubnet, now: datetime) -> None:
    """Store a new subnet."""
    values = {name: getattr(subnet, name) for name in _SUBNET_COLUMNS} | {"created_at": now, "updated_at": now}
    session.add(SubnetRow(**_subnet_values(values)))
    session.flush()


def update_subnet(session: Session, subnet_id: str, changes: dict[str, Any], now: datetime) -> None:
    """Change columns of a subnet. Raises NotFound."""
    _change(session, _SUBNETS, subnet_id, _subnet_values(changes), now, "Subnet")


def delete_subnet(session: Session, subnet_id: str) -> None:
    """Remove a subnet which has no addresses in use."""
    session.execute(sa.delete(SubnetRow).where(SubnetRow.id == subnet_id))


def get_subnet(session: Session, subnet_id: str) -> NetworkSubnet:
    """Answer a subnet. Raises NotFound."""
    rows = list(session.execute(sa.select(_SUBNETS).where(_SUBNETS.c.id == subnet_id)))
    return _subnet(one(rows, f"Subnet {subnet_id} could not be found."))


def subnets_of(session: Session, network_ids: Iterable[str]) -> dict[str, list[NetworkSubnet]]:
    """Answer the subnets of each network, oldest first."""
    found: dict[str, list[NetworkSubnet]] = defaultdict(list)
    for row in session.execute(_SUBNETS_OF, {"ids": sorted(set(network_ids))}):
        found[row.network_id].append(_subnet(row))
    return found


def cidrs(session: Session) -> list[str]:
    """Answer the ranges of all subnets."""
    return list(session.scalars(sa.select(SubnetRow.cidr)))


def list_subnets(session: Session, listing: Listing, *, shared: bool | None = None) -> list[NetworkSubnet]:
    """Answer subnets a project may see, its own and those of shared networks: all, or only those which are shared (or are not)."""
    conditions = []
    of_shared = _SUBNETS.c.network_id.in_(sa.select(_NETWORKS.c.id).where(_NETWORKS.c.shared == 1))
    if listing.project_id is not None:
        conditions.append(sa.or_(_SUBNETS.c.project_id == listing.project_id, of_shared))
    if shared is not None:
        conditions.append(of_shared if shared else sa.not_(of_shared))
    return [_subnet(row) for row in network_listing.fetch(session, SubnetRow, listing, *conditions)]


def lock(session: Session, network_id: str) -> Network:
    """Make others who change this network's subnets or existence wait, and answer it. Raises NotFound."""
    session.execute(sa.select(_NETWORKS.c.id).where(_NETWORKS.c.id == network_id).with_for_update())
    return get(session, network_id)


def lock_subnets(session: Session, subnet_ids: Iterable[str]) -> dict[str, NetworkSubnet]:
    """Lock subnets, always in the order of their ids, and answer them by id."""
    query = sa.select(_SUBNETS).where(_SUBNETS.c.id.in_(set(subnet_ids))).order_by(_SUBNETS.c.id).with_for_update()
    return {row.id: _subnet(row) for row in session.execute(query)}


def lock_subnets_of(session: Session, network_id: str) -> list[tuple[NetworkSubnet, str]]:
    """Lock a network's subnets, always in the order of their ids; answer them, oldest first, with their cursors."""
    query = sa.select(_SUBNETS).where(_SUBNETS.c.network_id == network_id).order_by(_SUBNETS.c.id).with_for_update()
    rows = sorted(session.execute(query), key=lambda row: (row.created_at, row.id))
    return [(_subnet(row), row.cursor) for row in rows]


def count(session: Session, resource: str, project_id: str) -> int:
    """Answer how many networks, subnets or ports a project has."""
    table: Any = {"network": NetworkRow, "subnet": SubnetRow, "port": PortRow}[resource]
    return session.scalar(sa.select(sa.func.count()).where(table.project_id == project_id)) or 0


def _networks(session: Session, rows: list[sa.Row[Any]]) -> list[Network]:
    subnet_ids: dict[str, list[str]] = defaultdict(list)
    query = sa.select(_SUBNETS.c.network_id, _SUBNETS.c.id).where(_SUBNETS.c.network_id.in_([row.id for row in rows]))
    for network_id, subnet_id in session.execute(query.order_by(_SUBNETS.c.created_at, _SUBNETS.c.id)):
        subnet_ids[network_id].append(subnet_id)
    answer = []
    for row in rows:
        values = {name: getattr(row, name) for name in _NETWORK_COLUMNS}
        values |= {name: bool(values[name]) for name in _FLAGS}
        values |= {"tags": tuple(row.tags), "zone_hints": tuple(row.zone_hints)}
        answer.append(Network(**values, subnet_ids=tuple(subnet_ids[row.id])))
    return answer


def _subnet(row: sa.Row[Any]) -> NetworkSubnet:
    values = {name: getattr(row, name) for name in _SUBNET_COLUMNS}
    return NetworkSubnet(**values | {
        "enable_dhcp": bool(row.enable_dhcp), "dns_nameservers": tuple(row.dns_nameservers), "tags": tuple(row.tags),
        "allocation_pools": tuple((pool["start"], pool["end"]) for pool in row.allocation_pools),
        "host_routes": tuple((route["destination"], route["nexthop"]) for route in row.host_routes),
    })


def _subnet_values(values: dict[str, Any]) -> dict[str, Any]:
    values = _flags(values, ("enable_dhcp",))
    if "allocation_pools" in values:
        values["allocation_pools"] = [{"start": start, "end": end} for start, end in values["allocation_pools"]]
    if "host_routes" in values:
        values["host_routes"] = [{"destination": to, "nexthop": via} for to, via in values["host_routes"]]
    for name in ("dns_nameservers", "tags"):
        if name in values:
            values[name] = list(values[name])
    return values


def _flags(values: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    changed = {name: int(values[name]) for name in names if name in values}
    return {**values, **changed, **({"tags": list(values["tags"])} if "tags" in values else {})}


def _change(session: Session, table: Any, key: str, changes: dict[str, Any], now: datetime, noun: str) -> None:
    result: Any = session.execute(
        sa.update(table).where(table.c.id == key)
        .values(**changes, updated_at=now, revision_number=table.c.revision_number + 1),
    )
    if not result.rowcount:
        raise NotFound(f"{noun} {key} could not be found.")
