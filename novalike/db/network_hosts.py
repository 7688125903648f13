"""What changed for which host: revisions by which network agents fetch only what is new."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db import upsert
from novalike.db.models.networks import NetworkHostChangeRow, NetworkHostRow, NetworkRow, PortRow
from novalike.db.models.routers import RouterRow

_HOSTS = NetworkHostRow.__table__
_CHANGES = NetworkHostChangeRow.__table__
#: How many of a host's last revisions may be news to it.
_RECENT = 100


def touch(session: Session, changed: Iterable[tuple[str, str]]) -> dict[str, int]:
    """Note that (host, network) pairs changed and answer each host's new revision.

    The hosts' rows stay locked until the commit, in the order of their names: call it last in a transaction.
    """
    pairs = sorted({(host, network) for host, network in changed if host})
    revisions: dict[str, int] = {}
    for host in dict.fromkeys(host for host, _ in pairs):
        upsert.upsert(session, NetworkHostRow, {"host": host}, {"revision": 1}, {"revision": _HOSTS.c.revision + 1})
        revisions[host] = session.scalar(sa.select(_HOSTS.c.revision).where(_HOSTS.c.host == host)) or 0
    for host, network in pairs:
        values = {"revision": revisions[host]}
        upsert.upsert(session, NetworkHostChangeRow, {"host": host, "network_id": network}, values, values)
    return revisions


def touch_network(session: Session, network_id: str) -> dict[str, int]:
    """Note that a network changed for every host which has ports in it."""
    return touch(session, [(host, network_id) for host in hosts_of(session, network_id)])


def hosts_of(session: Session, network_id: str) -> list[str]:
    """Answer the hosts which have ports of a network."""
    query = sa.select(PortRow.host).where(PortRow.network_id == network_id, PortRow.host != "").distinct()
    return sorted(session.scalars(query))


def set_address(session: Session, host: str, address: str) -> dict[str, int]:
    """Store a host's VXLAN endpoint; when it moved, the networks it is in change for their other hosts."""
    known = session.scalar(sa.select(_HOSTS.c.address).where(_HOSTS.c.host == host))
    if known == address:
        return {}
    upsert.upsert(session, NetworkHostRow, {"host": host}, {"revision": 0, "address": address}, {"address": address})
    networks = session.scalars(sa.select(PortRow.network_id).where(PortRow.host == host).distinct())
    return touch(session, [(other, network) for network in networks for other in hosts_of(session, network)])


def addresses(session: Session, hosts: Iterable[str]) -> dict[str, str]:
    """Answer the VXLAN endpoints of those hosts which have one."""
    query = sa.select(_HOSTS.c.host, _HOSTS.c.address).where(_HOSTS.c.host.in_(set(hosts)), _HOSTS.c.address != "")
    return {row.host: row.address for row in session.execute(query)}


def revision(session: Session, host: str) -> int:
    """Answer the host's revision; 0 for a host that never had a port."""
    return session.scalar(sa.select(_HOSTS.c.revision).where(_HOSTS.c.host == host)) or 0


def changed_since(session: Session, host: str, since: int) -> list[str]:
    """Answer the networks which changed for a host after a revision."""
    return list(session.scalars(sa.select(_CHANGES.c.network_id).where(_CHANGES.c.host == host, _CHANGES.c.revision > since)))


def networks_on(session: Session, host: str) -> list[str]:
    """Answer the networks which have ports on a host."""
    return sorted(session.scalars(sa.select(PortRow.network_id).where(PortRow.host == host).distinct()))


def forget(session: Session) -> None:
    """Remove what is kept about networks and routers which are no more, once so much has happened on a host since that it knows:
    a host that was told nothing would keep them until it looks at everything, and a new network of the same range would clash."""
    newest = sa.select(_HOSTS.c.revision).where(_HOSTS.c.host == _CHANGES.c.host).scalar_subquery()
    old = session.execute(sa.select(_CHANGES.c.host, _CHANGES.c.network_id).where(
        _CHANGES.c.revision < newest - _RECENT, _CHANGES.c.network_id.not_in(sa.select(NetworkRow.id)),
        _CHANGES.c.network_id.not_in(sa.select(RouterRow.id)),
    ).limit(1000)).all()                         # looked up first: deleting by condition would lock all rows
    for host, network_id in old:
        session.execute(sa.delete(NetworkHostChangeRow).where(_CHANGES.c.host == host, _CHANGES.c.network_id == network_id))
