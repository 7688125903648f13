"""CELL: which servers are on which hypervisors, for what administrators see of hosts."""

from __future__ import annotations

from collections.abc import Collection
from typing import cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db.models.instances import InstanceRow
from novalike.objects.host import HostedServer

_INSTANCES = cast("sa.Table", InstanceRow.__table__)


def of_hosts(session: Session, hosts: Collection[str]) -> dict[tuple[str, str], list[HostedServer]]:
    """Answer the servers by (host, node), oldest first; one query, and no entry for nodes without servers."""
    found: dict[tuple[str, str], list[HostedServer]] = {}
    if not hosts:
        return found
    query = sa.select(_INSTANCES.c.id, _INSTANCES.c.uuid, _INSTANCES.c.host, _INSTANCES.c.node).where(
        _INSTANCES.c.host.in_(sorted(hosts)), _INSTANCES.c.deleted == 0,
    ).order_by(_INSTANCES.c.id)
    for number, uuid, host, node in session.execute(query):
        found.setdefault((host, node), []).append(HostedServer(id=number, uuid=uuid))
    return found


def occupied(session: Session, hosts: Collection[str]) -> set[str]:
    """Answer those of the hosts which have servers."""
    if not hosts:
        return set()
    query = sa.select(_INSTANCES.c.host).where(_INSTANCES.c.host.in_(sorted(hosts)), _INSTANCES.c.deleted == 0).distinct()
    return set(session.scalars(query))
