"""Services which heartbeat, and compute nodes: what hosts have, as they told us.

`changed_at` of a compute node moves, by the database's clock, with everything a scheduler must know: it grows by at least
one with every change of the row, so that an equal stamp means an equal row.
"""

from __future__ import annotations

import uuid as uuid_module
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from novalike.db import paging
from novalike.db.base import now_ms
from novalike.db.models.hosts import ClaimRow, ComputeNodeRow, ServiceRow
from novalike.db.models.instances import InstanceRow
from novalike.exception import Conflict, NotFound
from novalike.objects.host import ComputeNode, HostUsage, Inventory, Service
from novalike.rpc import serializer

COMPUTE_BINARY = "novalike-compute"

_SERVICES = cast("sa.Table", ServiceRow.__table__)
_NODES = cast("sa.Table", ComputeNodeRow.__table__)
_CLAIMS = cast("sa.Table", ClaimRow.__table__)


def next_stamp() -> sa.ColumnElement[int]:
    """SQL expression for a compute node's next `changed_at`: now, and later than it was even when the clock stood still."""
    now = now_ms()
    return sa.case((now > _NODES.c.changed_at, now), else_=_NODES.c.changed_at + 1)


def moment(stamp: int) -> datetime:
    """Answer a stamp (epoch milliseconds) as a naive UTC datetime."""
    return datetime.fromtimestamp(stamp / 1000, UTC).replace(tzinfo=None)


# --- services ---------------------------------------------------------------------------------------------------------


def report_service(session: Session, *, host: str, binary: str, topic: str, version: int = 1) -> str:
    """Store that a daemon runs on a host and lives now; answer its service's uuid, which stays the same over restarts."""
    key = (_SERVICES.c.host == host, _SERVICES.c.binary == binary)
    change = sa.update(_SERVICES).where(*key).values(topic=topic, version=version, last_seen=now_ms())
    if _changed(session, change) == 0:
        now = _now(session)
        _insert_or(session, change, sa.insert(_SERVICES).values(
            uuid=str(uuid_module.uuid4()), host=host, binary=binary, topic=topic, version=version, disabled=0,
            forced_down=0, last_seen=now, created_at=moment(now),
        ))
    return str(session.scalar(sa.select(_SERVICES.c.uuid).where(*key)))


def heartbeat(session: Session, hosts: Collection[str], binary: str) -> frozenset[str]:
    """Store in one update that these hosts' daemons live; answer those hosts which have no such service (to register again)."""
    if not hosts:
        return frozenset()
    ours = (_SERVICES.c.binary == binary, _SERVICES.c.host.in_(sorted(hosts)))
    if _changed(session, sa.update(_SERVICES).where(*ours).values(last_seen=now_ms())) == len(set(hosts)):
        return frozenset()
    return frozenset(hosts) - set(session.scalars(sa.select(_SERVICES.c.host).where(*ours)))


def list_services(
    session: Session, *, down_after: float, host: str | None = None, binary: str | None = None,
    hosts: Collection[str] | None = None,
) -> list[Service]:
    """Answer services by id. One is up when it was seen in the last `down_after` seconds and is not forced down.

    Their `availability_zone` stays empty: that is GLOBAL's to know (db/aggregates.py).
    """
    query = _select_services(down_after).order_by(_SERVICES.c.id)
    if host is not None:
        query = query.where(_SERVICES.c.host == host)
    if binary is not None:
        query = query.where(_SERVICES.c.binary == binary)
    if hosts is not None:
        query = query.where(_SERVICES.c.host.in_(sorted(hosts)))
    return [_service(row) for row in session.execute(query)]


def any_other(session: Session, host: str, binary: str) -> bool:
    """Tell whether a daemon of a kind, up or not, is meant to run on another host."""
    query = sa.select(_SERVICES.c.id).where(_SERVICES.c.binary == binary, _SERVICES.c.host != host, _SERVICES.c.disabled == 0)
    return session.scalar(query.limit(1)) is not None


def services_on(session: Session, hosts: Collection[str], binary: str, *, down_after: float) -> list[Service]:
    """Answer the daemons of one kind on some hosts, in no order: what views of servers ask for with every look."""
    values = {"hosts": sorted(hosts), "in_binary": binary, "in_down_ms": int(down_after * 1000)}
    return [_service(row) for row in session.execute(_ON_HOSTS, values)]


def get_service(session: Session, uuid: str, *, down_after: float) -> Service:
    """Answer a service by its uuid. Raises NotFound."""
    return _one_service(session, _SERVICES.c.uuid == uuid, down_after=down_after, name=uuid)


def get_service_by_id(session: Session, service_id: int, *, down_after: float) -> Service:
    """Answer a service by its number, as the API named it before 2.53. Raises NotFound."""
    return _one_service(session, _SERVICES.c.id == service_id, down_after=down_after, name=str(service_id))


def find_service(session: Session, host: str, binary: str, *, down_after: float) -> Service:
    """Answer a host's service. Raises NotFound."""
    key = sa.and_(_SERVICES.c.host == host, _SERVICES.c.binary == binary)
    return _one_service(session, key, down_after=down_after, name=f"{binary} on host {host}")


def update_service(
    session: Session, uuid: str, *, down_after: float, disabled: bool | None = None, disabled_reason: str | None = None,
    forced_down: bool | None = None,
) -> Service:
    """Enable, disable or force down a service; what is None stays. Enabling forgets the reason. Raises NotFound."""
    values: dict[str, Any] = {}
    if disabled is not None:
        values |= {"disabled": int(disabled), "disabled_reason": disabled_reason if disabled else None}
    if forced_down is not None:
        values["forced_down"] = int(forced_down)
    if values:
        session.execute(sa.update(_SERVICES).where(_SERVICES.c.uuid == uuid).values(**values))
    return get_service(session, uuid, down_after=down_after)


def delete_service(session: Session, uuid: str) -> None:
    """Forget a service; a compute service takes its compute nodes along.

    Raises NotFound, and Conflict while the host still has servers or claims of them.
    """
    row = session.execute(sa.select(_SERVICES).where(_SERVICES.c.uuid == uuid).with_for_update()).one_or_none()
    if row is None:
        raise NotFound(f"Service {uuid} not found.")
    if row.binary == COMPUTE_BINARY:
        ids = list(session.scalars(
            sa.select(_NODES.c.id).where(_NODES.c.host == row.host).order_by(_NODES.c.id).with_for_update(),
        ))
        here = sa.select(sa.literal(1)).where(InstanceRow.host == row.host, InstanceRow.deleted == 0).limit(1)
        claimed = sa.select(sa.literal(1)).where(_CLAIMS.c.compute_node_id.in_(ids)).limit(1)
        if session.scalar(here) or (ids and session.scalar(claimed)):
            raise Conflict(
                "Unable to delete compute service that is hosting instances. "
                "Migrate or delete the instances first.",
            )
        session.execute(sa.update(_NODES).where(_NODES.c.id.in_(ids)).values(deleted=1, changed_at=next_stamp()))
    session.execute(sa.delete(_SERVICES).where(_SERVICES.c.id == row.id))


def _one_service(session: Session, key: sa.ColumnElement[bool], *, down_after: float, name: str) -> Service:
    row = session.execute(_select_services(down_after).where(key)).one_or_none()
    if row is None:
        raise NotFound(f"Service {name} not found.")
    return _service(row)


def is_up(down_after_ms: int | sa.BindParameter[int]) -> sa.ColumnElement[bool]:
    """SQL condition on `services`: seen in the last so many milliseconds by the database's clock, and not forced down."""
    return sa.and_(_SERVICES.c.forced_down == 0, _SERVICES.c.last_seen >= now_ms() - down_after_ms)


def _select_services(down_after: float) -> sa.Select[Any]:
    return sa.select(_SERVICES, sa.case((is_up(int(down_after * 1000)), 1), else_=0).label("up"))


#: Built once, as views of servers need it all the time.
_ON_HOSTS = sa.select(_SERVICES, sa.case((is_up(sa.bindparam("in_down_ms")), 1), else_=0).label("up")).where(
    _SERVICES.c.host.in_(sa.bindparam("hosts", expanding=True)), _SERVICES.c.binary == sa.bindparam("in_binary"),
)


def _service(row: Any) -> Service:
    return Service(
        id=row.id, uuid=row.uuid, host=row.host, binary=row.binary, topic=row.topic, up=bool(row.up),
        disabled=bool(row.disabled), disabled_reason=row.disabled_reason, forced_down=bool(row.forced_down),
        created_at=row.created_at, updated_at=moment(row.last_seen), version=row.version,
    )


# --- compute nodes ----------------------------------------------------------------------------------------------------


def register_compute_node(session: Session, inventory: Inventory) -> int:
    """Store what a host reports of itself; answer its compute node's database id.

    Schedulers look again only when something did change. A node deleted before comes back; a host which lost its state
    directory keeps its node, under its new uuid. Raises Conflict when the uuid is another host's (a copied directory).
    """
    owner = session.execute(sa.select(_NODES.c.host, _NODES.c.node).where(_NODES.c.uuid == inventory.uuid)).one_or_none()
    if owner is not None and (owner.host, owner.node) != (inventory.host, inventory.node):
        raise Conflict(
            f"Compute node {inventory.uuid} is {owner.node} on host {owner.host}, not {inventory.node} on host "
            f"{inventory.host}. Was the state directory copied, or the host renamed?",
        )
    key = (_NODES.c.host == inventory.host, _NODES.c.node == inventory.node)
    values = {
        "uuid": inventory.uuid, "vcpus": inventory.vcpus, "memory_mb": inventory.memory_mb,
        "local_gb": inventory.local_gb, "inventory": serializer.dump(Inventory, inventory), "deleted": 0,
    }
    row = session.execute(sa.select(_NODES).where(*key).with_for_update()).one_or_none()
    if row is not None:
        if any(getattr(row, name) != value for name, value in values.items()):
            session.execute(sa.update(_NODES).where(_NODES.c.id == row.id).values(**values, changed_at=next_stamp()))
        return int(row.id)
    now = _now(session)
    _insert_or(
        session, sa.update(_NODES).where(*key).values(**values, changed_at=next_stamp()),
        sa.insert(_NODES).values(
            **values, host=inventory.host, node=inventory.node, usage=serializer.dump(HostUsage, HostUsage()),
            build_failures=0, changed_at=now, created_at=moment(now),
        ),
    )
    return int(session.scalar(sa.select(_NODES.c.id).where(*key)) or 0)


def report_usage(session: Session, host: str, node: str, usage: HostUsage) -> bool:
    """Store what a host sees in use (shown, never scheduled on); False when there is no such node."""
    change = sa.update(_NODES).where(_NODES.c.host == host, _NODES.c.node == node, _NODES.c.deleted == 0)
    return _changed(session, change.values(usage=serializer.dump(HostUsage, usage))) > 0


def count_build_failure(session: Session, host: str, node: str | None = None) -> None:
    """Count one more failed build in a row on a host; weighers push it back."""
    change = sa.update(_NODES).where(_NODES.c.host == host)
    if node is not None:
        change = change.where(_NODES.c.node == node)
    session.execute(change.values(build_failures=_NODES.c.build_failures + 1, changed_at=next_stamp()))


def reset_build_failures(session: Session, host: str, node: str | None = None) -> None:
    """A build succeeded: forget the failures before it. Changes nothing where there were none."""
    change = sa.update(_NODES).where(_NODES.c.host == host, _NODES.c.build_failures > 0)
    if node is not None:
        change = change.where(_NODES.c.node == node)
    session.execute(change.values(build_failures=0, changed_at=next_stamp()))


def list_compute_nodes(
    session: Session, *, down_after: float, limit: int | None = None, after_id: int | None = None,
    hostname_pattern: str | None = None, host: str | None = None,
) -> list[ComputeNode]:
    """Answer compute nodes by id, at most `limit` of them, after the one with id `after_id`.

    `hostname_pattern` is a plain part of the hypervisor's name. Each comes with the sums of the claims on it and its
    service; four queries for any number of nodes.
    """
    query = sa.select(_NODES).where(_NODES.c.deleted == 0)
    if hostname_pattern is not None:
        query = query.where(_NODES.c.node.contains(hostname_pattern, autoescape=True))
    if host is not None:
        query = query.where(_NODES.c.host == host)
    marker = None if after_id is None else (after_id,)
    return _compute_nodes(session, paging.page(query, [(_NODES.c.id, False)], marker=marker, limit=limit), down_after)


def get_compute_node(session: Session, uuid: str, *, down_after: float) -> ComputeNode:
    """Answer a compute node by its uuid. Raises NotFound."""
    return _one_node(session, _NODES.c.uuid == uuid, uuid, down_after)


def get_compute_node_by_id(session: Session, node_id: int, *, down_after: float) -> ComputeNode:
    """Answer a compute node by its number, as the API named it before 2.53. Raises NotFound."""
    return _one_node(session, _NODES.c.id == node_id, str(node_id), down_after)


def _one_node(session: Session, key: sa.ColumnElement[bool], name: str, down_after: float) -> ComputeNode:
    nodes = _compute_nodes(session, sa.select(_NODES).where(key, _NODES.c.deleted == 0), down_after)
    if not nodes:
        raise NotFound(f"Compute host {name} could not be found.")
    return nodes[0]


def _compute_nodes(session: Session, query: sa.Select[Any], down_after: float) -> list[ComputeNode]:
    rows = session.execute(query).all()
    sums = claim_sums(session, [row.id for row in rows])
    hosts = {row.host for row in rows}
    services = {
        service.host: service
        for service in (list_services(session, down_after=down_after, binary=COMPUTE_BINARY, hosts=hosts) if rows else [])
    }
    pinned = _pinned(session, [row.id for row in rows if "PCPU" in row.inventory.get("resources", {})])
    return [_compute_node(row, sums.get(row.id, NO_CLAIMS), services.get(row.host), pinned.get(row.id, 0)) for row in rows]


def _pinned(session: Session, node_ids: Sequence[int]) -> Counter[int]:
    """Answer, by compute node id, how many dedicated CPUs claims hold."""
    counted: Counter[int] = Counter()
    for ids in _chunks(node_ids):
        for node_id, resources in session.execute(sa.select(_CLAIMS.c.compute_node_id, _CLAIMS.c.resources).where(_CLAIMS.c.compute_node_id.in_(ids))):
            counted[node_id] += (resources or {}).get("PCPU", 0)
    return counted


def _compute_node(row: Any, sums: tuple[int, int, int, int], service: Service | None, pinned: int = 0) -> ComputeNode:
    vcpus, memory_mb, disk_gb, instances = sums
    return ComputeNode(
        id=row.id, uuid=row.uuid, host=row.host, node=row.node, inventory=serializer.load(Inventory, row.inventory),
        usage=serializer.load(HostUsage, row.usage or {}), vcpus_used=vcpus + pinned, memory_mb_used=memory_mb,
        local_gb_used=disk_gb, instances=instances, failed_builds=row.build_failures, service=service, deleted=bool(row.deleted),
    )


NO_CLAIMS = (0, 0, 0, 0)


def claim_sums(session: Session, node_ids: Sequence[int]) -> dict[int, tuple[int, int, int, int]]:
    """Answer, by compute node id, what claims add up to: vCPUs, MiB, GiB, instances. Nodes without claims are left out."""
    sums: dict[int, tuple[int, int, int, int]] = {}
    for ids in _chunks(node_ids):
        query = sa.select(
            _CLAIMS.c.compute_node_id, sa.func.sum(_CLAIMS.c.vcpus), sa.func.sum(_CLAIMS.c.memory_mb),
            sa.func.sum(_CLAIMS.c.disk_gb), sa.func.count(sa.distinct(_CLAIMS.c.instance_uuid)),
        ).where(_CLAIMS.c.compute_node_id.in_(ids)).group_by(_CLAIMS.c.compute_node_id)
        for node_id, vcpus, memory_mb, disk_gb, instances in session.execute(query):
            sums[node_id] = (int(vcpus), int(memory_mb), int(disk_gb), int(instances))  # MySQL sums to Decimal
    return sums


# --- both -------------------------------------------------------------------------------------------------------------


def _now(session: Session) -> int:
    return int(session.scalar(sa.select(now_ms())) or 0)


def _changed(session: Session, statement: sa.Update) -> int:
    result = session.execute(statement)
    return int(result.rowcount)  # type: ignore[attr-defined]  # rows matched: SQLAlchemy asks MySQL for those


def _insert_or(session: Session, change: sa.Update, insert: sa.Insert) -> None:
    """Insert a row; when another was faster, change that one instead."""
    try:
        with session.begin_nested():
            session.execute(insert)
    except IntegrityError:
        session.execute(change)


def _chunks(ids: Sequence[int], size: int = 1000) -> Iterable[Sequence[int]]:
    return (ids[start:start + size] for start in range(0, len(ids), size))
