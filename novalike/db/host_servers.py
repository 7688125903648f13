"""CELL: which servers are on which hypervisors, for what administrators see of hosts."""

from __future__ import annotations

from collections.abc import Collection
from typing import cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db.models.hosts import ClaimRow, ComputeNodeRow
from novalike.db.models.instances import InstanceRow
from novalike.hardware.capacity import Amounts
from novalike.objects.host import HostedServer
from novalike.objects.instance import numbered_name

_INSTANCES = cast("sa.Table", InstanceRow.__table__)
_CLAIMS = cast("sa.Table", ClaimRow.__table__)
_NODES = cast("sa.Table", ComputeNodeRow.__table__)


def of_hosts(session: Session, hosts: Collection[str]) -> dict[tuple[str, str], list[HostedServer]]:
    """Answer the servers by (host, node), oldest first; one query, and no entry for nodes without servers."""
    found: dict[tuple[str, str], list[HostedServer]] = {}
    if not hosts:
        return found
    query = sa.select(_INSTANCES.c.id, _INSTANCES.c.uuid, _INSTANCES.c.host, _INSTANCES.c.node, _INSTANCES.c.guest_name).where(
        _INSTANCES.c.host.in_(sorted(hosts)), _INSTANCES.c.deleted == 0,
    ).order_by(_INSTANCES.c.id)
    for number, uuid, host, node, named in session.execute(query):
        found.setdefault((host, node), []).append(HostedServer(uuid=uuid, name=named or numbered_name(number)))
    return found


def occupied(session: Session, hosts: Collection[str]) -> set[str]:
    """Answer those of the hosts which have servers."""
    if not hosts:
        return set()
    query = sa.select(_INSTANCES.c.host).where(_INSTANCES.c.host.in_(sorted(hosts)), _INSTANCES.c.deleted == 0).distinct()
    return set(session.scalars(query))


def by_project(session: Session, host: str) -> dict[str, Amounts]:
    """Answer what each project's servers hold of a host, by project id."""
    query = sa.select(
        _INSTANCES.c.project_id, sa.func.sum(_CLAIMS.c.vcpus), sa.func.sum(_CLAIMS.c.memory_mb), sa.func.sum(_CLAIMS.c.disk_gb),
    ).join(_NODES, _NODES.c.id == _CLAIMS.c.compute_node_id).join(_INSTANCES, _INSTANCES.c.uuid == _CLAIMS.c.instance_uuid).where(
        _NODES.c.host == host,
    ).group_by(_INSTANCES.c.project_id).order_by(_INSTANCES.c.project_id)
    return {project: Amounts(int(vcpus), int(memory), int(disk)) for project, vcpus, memory, disk in session.execute(query)}
