"""Ports, and the addresses they hold."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db import network_listing
from novalike.db.models.networks import AddressRow, NetworkRow, PortRow, PortSecurityGroupRow, SubnetRow
from novalike.db.network_listing import Listing
from novalike.exception import NotFound
from novalike.objects.network import NetworkSubnet, Port

_PORTS: Any = PortRow.__table__
_ADDRESSES: Any = AddressRow.__table__
_MEMBERS: Any = PortSecurityGroupRow.__table__
_FLAGS = ("admin_state_up", "port_security", "owned")
_ELSEWHERE = frozenset({"fixed_ips", "security_groups"})
_COLUMNS = tuple(f.name for f in fields(Port) if f.name not in _ELSEWHERE)
#: How many addresses are looked at in one query when searching a free one.
_WINDOW = 256


def insert(session: Session, port: Port, now: datetime) -> None:
    """Store a new port with its addresses and security groups; their subnets must be locked by the caller."""
    values = {name: getattr(port, name) for name in _COLUMNS} | {"created_at": now, "updated_at": now}
    session.execute(sa.insert(_PORTS), [_values(values)])
    add_addresses(session, port, port.fixed_ips)
    _join_groups(session, port.id, port.security_groups)


def update(session: Session, port_id: str, changes: dict[str, Any], now: datetime) -> None:
    """Change a port's columns and, when given, its security groups. Addresses have their own functions."""
    changes = dict(changes)
    groups = changes.pop("security_groups", None)
    session.execute(
        sa.update(_PORTS).where(_PORTS.c.id == port_id)
        .values(**_values(changes), updated_at=now, revision_number=_PORTS.c.revision_number + 1),
    )
    if groups is not None:
        session.execute(sa.delete(PortSecurityGroupRow).where(PortSecurityGroupRow.port_id == port_id))
        _join_groups(session, port_id, groups)


def delete(session: Session, port_ids: Iterable[str]) -> None:
    """Remove ports and free their addresses."""
    ids = list(port_ids)
    session.execute(sa.delete(AddressRow).where(AddressRow.port_id.in_(ids)))
    session.execute(sa.delete(PortSecurityGroupRow).where(PortSecurityGroupRow.port_id.in_(ids)))
    session.execute(sa.delete(PortRow).where(PortRow.id.in_(ids)))


def get(session: Session, port_id: str, *, lock: bool = False) -> Port:
    """Answer a port, locked against others' changes if so asked. Raises NotFound."""
    found = _where(session, _PORTS.c.id == port_id, lock=lock)
    if not found:
        raise NotFound(f"Port {port_id} could not be found.")
    return found[0]


def by_ids(session: Session, port_ids: Iterable[str]) -> list[Port]:
    """Answer those of the ports which exist."""
    return _where(session, _PORTS.c.id.in_(set(port_ids)))


def of_device(session: Session, device_id: str, *, lock: bool = False) -> list[Port]:
    """Answer a server's ports in NIC order."""
    return _where(session, _PORTS.c.device_id == device_id, lock=lock)


def of_network(session: Session, network_id: str, *, owner: str | None = None) -> list[Port]:
    """Answer a network's ports, or those of one kind of owner."""
    condition = _PORTS.c.network_id == network_id
    return _where(session, condition if owner is None else sa.and_(condition, _PORTS.c.device_owner == owner))


def on_host(session: Session, host: str, network_ids: Iterable[str]) -> dict[str, list[Port]]:
    """Answer the ports bound to a host, by network."""
    found: dict[str, list[Port]] = defaultdict(list)
    for port in _where(session, sa.and_(_PORTS.c.host == host, _PORTS.c.network_id.in_(set(network_ids)))):
        found[port.network_id].append(port)
    return found


def list_page(
    session: Session, listing: Listing, *, addresses: dict[str, tuple[str, ...]] | None = None,
    security_groups: tuple[str, ...] | None = None,
) -> list[Port]:
    """Answer ports a project may see: its own, and all of its own networks.

    `addresses` filters by the columns subnet_id and address, and by a part of the address (`part`), `security_groups` by membership.
    """
    conditions: list[sa.ColumnElement[bool]] = []
    if listing.project_id is not None:
        own = sa.select(NetworkRow.id).where(NetworkRow.project_id == listing.project_id)
        conditions.append(sa.or_(_PORTS.c.project_id == listing.project_id, _PORTS.c.network_id.in_(own)))
    if addresses:
        holding = sa.select(_ADDRESSES.c.port_id)
        for name, values in addresses.items():
            if name == "part":
                holding = holding.where(sa.or_(*(_ADDRESSES.c.address.contains(value, autoescape=True) for value in values)))
                continue
            holding = holding.where(network_listing.matches(_ADDRESSES.c[name], values))
        conditions.append(_PORTS.c.id.in_(holding))
    if security_groups is not None:
        members = sa.select(_MEMBERS.c.port_id).where(_MEMBERS.c.security_group_id.in_(security_groups))
        conditions.append(_PORTS.c.id.in_(members))
    return _ports(session, network_listing.fetch(session, PortRow, listing, *conditions))


def mac_in_use(session: Session, network_id: str, mac: str) -> bool:
    """Tell whether a port of the network has this MAC address."""
    return session.scalar(sa.select(_PORTS.c.id).where(_PORTS.c.network_id == network_id, _PORTS.c.mac_address == mac)) is not None


def group_in_use(session: Session, group_id: str) -> bool:
    """Tell whether any port is in a security group."""
    return session.scalar(sa.select(_MEMBERS.c.id).where(_MEMBERS.c.security_group_id == group_id).limit(1)) is not None


def holder(session: Session, subnet_id: str, address: str) -> str | None:
    """Answer the id of the port which has an address."""
    query = sa.select(_ADDRESSES.c.port_id).where(_ADDRESSES.c.subnet_id == subnet_id, _ADDRESSES.c.number == number(address))
    return session.scalar(query)


def at_address(session: Session, network_id: str, address: str) -> Port | None:
    """Answer the port of a network which has an address."""
    holding = sa.select(_ADDRESSES.c.port_id).where(_ADDRESSES.c.address == address, _ADDRESSES.c.network_id == network_id)
    return next(iter(_where(session, _PORTS.c.id.in_(holding))), None)


def holding(session: Session, network_ids: Iterable[str], owner: str) -> dict[str, str]:
    """Answer, by subnet, the address which ports of one kind of owner hold in networks (one of them, if they have several)."""
    query = sa.select(_ADDRESSES.c.subnet_id, _ADDRESSES.c.address).join(_PORTS, _PORTS.c.id == _ADDRESSES.c.port_id)
    query = query.where(_PORTS.c.network_id.in_(set(network_ids)), _PORTS.c.device_owner == owner)
    return {row.subnet_id: row.address for row in session.execute(query)}


def addresses_in_use(session: Session, subnet_ids: Iterable[str]) -> dict[str, int]:
    """Answer how many addresses of each subnet are held by ports."""
    query = sa.select(_ADDRESSES.c.subnet_id, sa.func.count()).where(_ADDRESSES.c.subnet_id.in_(set(subnet_ids)))
    return {row[0]: row[1] for row in session.execute(query.group_by(_ADDRESSES.c.subnet_id))}


def holders(session: Session, subnet_id: str) -> list[Port]:
    """Answer the ports which have addresses of a subnet."""
    return _where(session, _PORTS.c.id.in_(sa.select(_ADDRESSES.c.port_id).where(_ADDRESSES.c.subnet_id == subnet_id)))


def add_addresses(session: Session, port: Port, fixed_ips: Iterable[tuple[str, str]]) -> None:
    """Give a port addresses, as (subnet id, address); the subnets must be locked by the caller."""
    rows = [
        {"subnet_id": subnet_id, "network_id": port.network_id, "port_id": port.id, "number": number(address), "address": address}
        for subnet_id, address in fixed_ips
    ]
    if rows:
        session.execute(sa.insert(_ADDRESSES), rows)


def remove_addresses(session: Session, port_id: str, fixed_ips: Iterable[tuple[str, str]]) -> None:
    """Free addresses of a port."""
    for subnet_id, address in fixed_ips:
        session.execute(sa.delete(AddressRow).where(
            AddressRow.port_id == port_id, AddressRow.subnet_id == subnet_id, AddressRow.number == number(address),
        ))


def next_address(session: Session, subnet: NetworkSubnet, cursor: str | None = None) -> str | None:
    """Answer a free address of the subnet's pools, or None when they are used up; the subnet must be locked by the caller.

    The search goes on after the address given last, so that a freed one rests as long as it can, and so that an allocation
    costs the same in an empty and in a crowded subnet. `cursor` is that address's number, where the caller knows it.
    """
    if cursor is None:
        cursor = session.scalar(sa.select(SubnetRow.cursor).where(SubnetRow.id == subnet.id)) or ""
    for first, last in _spans(subnet, int(cursor, 16) if cursor else -1):
        for start in range(first, last + 1, _WINDOW):
            end = min(last, start + _WINDOW - 1)
            used = set(session.scalars(sa.select(_ADDRESSES.c.number).where(
                _ADDRESSES.c.subnet_id == subnet.id, _ADDRESSES.c.number.between(f"{start:032x}", f"{end:032x}"),
            )))
            for candidate in range(start, end + 1):
                digits = f"{candidate:032x}"
                if digits not in used:
                    session.execute(sa.update(SubnetRow).where(SubnetRow.id == subnet.id).values(cursor=digits))
                    return str(_address(subnet.ip_version, candidate))
    return None


def _spans(subnet: NetworkSubnet, cursor: int) -> Iterator[tuple[int, int]]:
    pools = sorted((int(ipaddress.ip_address(start)), int(ipaddress.ip_address(end))) for start, end in subnet.allocation_pools)
    for first, last in pools:
        if last > cursor:
            yield max(first, cursor + 1), last
    for first, last in pools:
        if first <= cursor:
            yield first, min(last, cursor)


def number(address: str) -> str:
    """Answer an address in the form that orders it."""
    return f"{int(ipaddress.ip_address(address)):032x}"


def _address(version: int, value: int) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.IPv4Address(value) if version == 4 else ipaddress.IPv6Address(value)


def _join_groups(session: Session, port_id: str, groups: Iterable[str]) -> None:
    rows = [{"port_id": port_id, "security_group_id": group} for group in dict.fromkeys(groups)]
    if rows:
        session.execute(sa.insert(_MEMBERS), rows)


def _where(session: Session, condition: sa.ColumnElement[bool], *, lock: bool = False) -> list[Port]:
    query = sa.select(_PORTS).where(condition).order_by(_PORTS.c.nic, _PORTS.c.created_at, _PORTS.c.id)
    return _ports(session, list(session.execute(query.with_for_update() if lock else query)))


def _ports(session: Session, rows: list[sa.Row[Any]]) -> list[Port]:
    ids = [row.id for row in rows]
    fixed: dict[str, list[tuple[str, str]]] = defaultdict(list)
    groups: dict[str, list[str]] = defaultdict(list)
    if ids:
        query = sa.select(_ADDRESSES.c.port_id, _ADDRESSES.c.subnet_id, _ADDRESSES.c.address)
        for port_id, subnet_id, address in session.execute(query.where(_ADDRESSES.c.port_id.in_(ids)).order_by(_ADDRESSES.c.id)):
            fixed[port_id].append((subnet_id, address))
        members = sa.select(_MEMBERS.c.port_id, _MEMBERS.c.security_group_id).where(_MEMBERS.c.port_id.in_(ids))
        for port_id, group_id in session.execute(members.order_by(_MEMBERS.c.id)):
            groups[port_id].append(group_id)
    return [_port(row, tuple(fixed[row.id]), tuple(groups[row.id])) for row in rows]


def _port(row: sa.Row[Any], fixed_ips: tuple[tuple[str, str], ...], groups: tuple[str, ...]) -> Port:
    values = {name: getattr(row, name) for name in _COLUMNS}
    values |= {name: bool(values[name]) for name in _FLAGS}
    values["tags"] = tuple(row.tags)
    values["address_pairs"] = tuple((pair[0], pair[1]) for pair in row.address_pairs)
    values["dhcp_options"] = tuple((name, value, version) for name, value, version in row.dhcp_options or ())
    values["bandwidth"] = tuple((name, value) for name, value in row.bandwidth or ())
    return Port(**values, fixed_ips=fixed_ips, security_groups=groups)


def _values(values: dict[str, Any]) -> dict[str, Any]:
    changed: dict[str, Any] = {name: int(values[name]) for name in _FLAGS if name in values}
    if "tags" in values:
        changed["tags"] = list(values["tags"])
    for name in ("address_pairs", "dhcp_options", "bandwidth"):
        if name in values:
            changed[name] = [list(item) for item in values[name]]
    if values.get("profile", 0) is None:
        changed["profile"] = {}
    return {**values, **changed}
