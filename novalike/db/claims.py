"""The exact claim: an instance takes resources of one host, or learns what is missing.

Exactness comes from locking rows before reading sums, always in this order: server group, compute nodes by id, claim, instance.
(Measured on MariaDB: reading first over-commits, inserting first deadlocks; DESIGN section 4.5.) SQLite has one writer.
A claim of an instance which holds none is four statements: the node's new stamp locks it, the unique key of the new claim
and the condition of the instance's change keep others away from those.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any, cast

import orjson
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from novalike.db import hosts
from novalike.db.base import now_ms
from novalike.db.models.hosts import ClaimRow, ComputeNodeRow, HostDebtRow, ServerGroupLock
from novalike.db.models.instances import InstanceRow
from novalike.exception import Fenced
from novalike.hardware import capacity as arithmetic
from novalike.hardware import fitting
from novalike.hardware.capacity import NO_OVERRIDES, Amounts, Overrides, Ratios, Shortage
from novalike.objects.claim import Claim
from novalike.objects.hardware import Hardware
from novalike.objects.host import Inventory
from novalike.objects.request_spec import RequestSpec
from novalike.objects.server_group import refusal
from novalike.rpc import serializer

_CLAIMS = cast("sa.Table", ClaimRow.__table__)
_NODES = cast("sa.Table", ComputeNodeRow.__table__)
_INSTANCES = cast("sa.Table", InstanceRow.__table__)
_GROUPS = cast("sa.Table", ServerGroupLock.__table__)
_DEBTS = cast("sa.Table", HostDebtRow.__table__)


#: How the inventory of a compute node is read: by its id, from its JSON document.
ReadInventory = Callable[[int, str], Inventory]

#: Where an instance is; and, while a move is not confirmed, its other place.
INSTANCE, MIGRATION = "instance", "migration"
_EXCHANGED = "exchanged"                         # for a moment: (instance, role) is unique


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """The instance holds this claim now; `fresh` False says that it did before."""

    claim: Claim
    availability_zone: str
    fresh: bool = True


@dataclass(frozen=True, slots=True)
class DoesNotFit:
    """The host has less room than was thought. Nothing was changed; try another host."""

    shortages: tuple[Shortage, ...]
    reason: str = "not enough room"


@dataclass(frozen=True, slots=True)
class AgainstPolicy:
    """The server's group allows no such host, as its servers are placed now. Nothing was changed; look at the group again."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unusable:
    """The host takes no new work: it is gone, or owes the cleanup of an earlier instance. Nothing was changed."""

    reason: str


def claim(
    session: Session, spec: RequestSpec, *, node_id: int, availability_zone: str, ratios: Ratios,
    overrides: Overrides = NO_OVERRIDES, read: ReadInventory | None = None,
) -> Claimed | DoesNotFit | AgainstPolicy | Unusable:
    """Claim what `spec` needs of a compute node; a transaction of its own.

    For the role "instance" the same transaction writes host, node and zone into the instance. A claim which the instance
    already holds in this role and epoch, on a host which is not excluded, is answered instead, whatever node was asked
    for; any other claim in this role is replaced. `overrides` are the ratios which the host's aggregates set, and `read`
    knows inventories which it saw before. Raises Fenced when a newer operation owns the instance or it is gone.
    """
    try:
        outcome = _claim(session, spec, node_id, availability_zone, ratios, overrides, read or _read)
    except IntegrityError:
        session.rollback()                       # the same was asked for twice, and the other one has just made the claim: see it
        outcome = _claim(session, spec, node_id, availability_zone, ratios, overrides, read or _read)
    if not isinstance(outcome, Claimed):
        session.rollback()                       # nothing was changed, not even the node's stamp
    return outcome


def _claim(
    session: Session, spec: RequestSpec, node_id: int, availability_zone: str, ratios: Ratios, overrides: Overrides, read: ReadInventory,
) -> Claimed | DoesNotFit | AgainstPolicy | Unusable:
    node, held, zone = _lock(session, spec, node_id)
    if held is not None and _answers(held, spec):
        return Claimed(claim=_to_object(held), availability_zone=zone or "", fresh=False)
    if node is None or node.deleted:
        return Unusable("the host is gone")
    if spec.group is not None and spec.server_group is not None:
        now_there = replace(spec.group, others=group_hosts(session, spec.server_group, apart_from=spec.instance_uuid))
        forbidden = refusal(now_there, node.host)
        if forbidden is not None:
            return AgainstPolicy(forbidden)
    wanted = arithmetic.demand(spec.flavor, root_volume=spec.root_volume)
    if node.debts:
        return Unusable("the host has to clean up first")
    inventory = read(node.id, node.inventory)
    used = Amounts(int(node.used_vcpus or 0), int(node.used_memory_mb or 0), int(node.used_disk_gb or 0))
    if wanted.custom:
        used = replace(used, custom=custom_sums(session, [node.id], apart_from=held.id if held else 0).get(node.id, {}))
    short = arithmetic.shortages(wanted, used, arithmetic.capacity(inventory, ratios, overrides))
    if short:
        return DoesNotFit(short)
    granted = _grant(session, spec, inventory, held, arithmetic.ratios_of(inventory, ratios, overrides), node.id)
    if isinstance(granted, fitting.Misfit):
        return DoesNotFit((), granted.reason)
    document = serializer.dump(Hardware, granted) if granted is not None else None
    _store(session, spec, node, wanted, document, held)
    if spec.role == INSTANCE:
        placed = session.execute(_PLACE, {
            "in_uuid": spec.instance_uuid, "in_epoch": spec.epoch, "in_host": node.host, "in_node": node.node,
            "in_zone": availability_zone, "in_hardware": document,
        })
        if placed.rowcount == 0:  # type: ignore[attr-defined]  # rows matched: SQLAlchemy asks MySQL for those
            raise _fenced(spec)
    elif held is None:
        _lock_instance(session, spec)
    return Claimed(
        claim=Claim(
            instance_uuid=spec.instance_uuid, role=spec.role, epoch=spec.epoch, compute_node_id=node.id, host=node.host,
            node=node.node, vcpus=wanted.vcpus, memory_mb=wanted.memory_mb, disk_gb=wanted.disk_gb, resources=dict(wanted.custom),
            hardware=granted,
        ),
        availability_zone=availability_zone,
    )


def held_by(session: Session, spec: RequestSpec) -> Claimed | None:
    """Answer the claim which the instance holds in the spec's role and epoch on a host that is not excluded, if any."""
    held = _held(session, spec)
    if held is None or not _answers(held, spec):
        return None
    zone = session.scalar(sa.select(_INSTANCES.c.availability_zone).where(_INSTANCES.c.uuid == spec.instance_uuid))
    return Claimed(claim=_to_object(held), availability_zone=zone or "", fresh=False)


def group_hosts(session: Session, group_uuid: str, *, apart_from: str) -> dict[str, int]:
    """Answer on which hosts how many servers of a group hold claims, without one of them."""
    return {host: int(count) for host, count in session.execute(_GROUP_HOSTS, {"in_group": group_uuid, "in_apart": apart_from})}


def hosts_of(session: Session, uuids: Collection[str], *, project_id: str) -> dict[str, tuple[str, ...]]:
    """Answer where a project's servers hold claims: two hosts while one moves. Foreign ones are left out, as missing ones are."""
    found: dict[str, tuple[str, ...]] = {}
    for uuid, host in session.execute(_HOSTS_OF, {"uuids": sorted(uuids), "in_project": project_id}):
        found[uuid] = (*found.get(uuid, ()), host)
    return found


def custom_sums(session: Session, node_ids: Collection[int], *, apart_from: int = 0) -> dict[int, dict[str, int]]:
    """Answer, by compute node id, what claims take of custom resources, without one claim.

    Summed here and not by the database, whose JSON functions differ: ask only of hosts which have such resources.
    """
    sums: dict[int, dict[str, int]] = {}
    for node_id, resources in session.execute(_CUSTOM, {"ids": sorted(node_ids), "in_apart": apart_from}):
        for name, amount in (resources or {}).items():
            of_node = sums.setdefault(node_id, {})
            of_node[name] = of_node.get(name, 0) + amount
    return sums


def hardware_held(session: Session, node_ids: Collection[int], *, apart_from: int = 0) -> dict[int, tuple[Hardware, ...]]:
    """Answer, by compute node id, which CPUs, pages and devices claims hold, without one claim; nodes without are left out."""
    held: dict[int, tuple[Hardware, ...]] = {}
    for node_id, document in session.execute(_HARDWARE, {"ids": sorted(node_ids), "in_apart": apart_from}):
        held[node_id] = (*held.get(node_id, ()), serializer.load(Hardware, document))
    return held


def release(
    session: Session, instance_uuid: str, *, epoch: int, roles: Collection[str] | None = None, clear_host: bool = False,
    host: str | None = None,
) -> tuple[Claim, ...]:
    """Give back what an instance holds, in these roles (None: all), on this host (None: any); answer what that was.

    Claims newer than `epoch` stay: a late release never takes the room of a later build. With `clear_host` the instance
    forgets host, node and zone if it is still of this epoch. Call it early in a transaction, before the instance's row is
    locked, for the order of locks above. Fine when there is nothing.
    """
    query = _OF_INSTANCE.where(_CLAIMS.c.instance_uuid == instance_uuid, _CLAIMS.c.epoch <= epoch)
    if roles is not None:
        query = query.where(_CLAIMS.c.role.in_(sorted(roles)))
    if host is not None:
        query = query.where(_NODES.c.host == host)
    rows = session.execute(query).all()
    if rows:
        session.execute(_TOUCH, {"ids": sorted({row.compute_node_id for row in rows})})
        # The epoch again: between reading and now a newer operation may have replaced one.
        session.execute(sa.delete(_CLAIMS).where(_CLAIMS.c.id.in_([row.id for row in rows]), _CLAIMS.c.epoch <= epoch))
    if clear_host:
        change = sa.update(_INSTANCES).where(_INSTANCES.c.uuid == instance_uuid, _INSTANCES.c.epoch == epoch)
        if host is not None:
            change = change.where(_INSTANCES.c.host == host)
        session.execute(change.values(host=None, node=None, availability_zone=None, hardware=None))
    return tuple(_to_object(row) for row in rows)


def exchange(session: Session, instance_uuid: str, *, epoch: int) -> None:
    """The instance moved from one of its two places to the other: let its claims change roles, and belong to this epoch.

    Locks hosts, so that it comes before the instance's row is locked. Whoever calls it writes the instance's host in the
    same transaction. Raises Fenced when there are no two claims, or newer ones.
    """
    rows = session.execute(_OF_INSTANCE.where(_CLAIMS.c.instance_uuid == instance_uuid)).all()
    by_role = {row.role: row for row in rows if row.epoch <= epoch}
    if by_role.keys() != {INSTANCE, MIGRATION}:
        raise Fenced(f"Instance {instance_uuid} does not hold two claims.")
    session.execute(_LOCK_NODES, {"ids": sorted({row.compute_node_id for row in rows})}).all()
    for row, role in ((by_role[INSTANCE], _EXCHANGED), (by_role[MIGRATION], INSTANCE), (by_role[INSTANCE], MIGRATION)):
        session.execute(sa.update(_CLAIMS).where(_CLAIMS.c.id == row.id).values(role=role, epoch=epoch))
    session.execute(sa.update(_INSTANCES).where(_INSTANCES.c.uuid == instance_uuid).values(hardware=by_role[MIGRATION].hardware))
    session.execute(_TOUCH, {"ids": sorted({row.compute_node_id for row in rows})})


def of_instance(session: Session, instance_uuid: str) -> tuple[Claim, ...]:
    """Answer all claims of an instance."""
    return tuple(_to_object(row) for row in session.execute(_OF_INSTANCE.where(_CLAIMS.c.instance_uuid == instance_uuid)))


def on_node(session: Session, node_id: int) -> tuple[Claim, ...]:
    """Answer all claims on a compute node."""
    return tuple(_to_object(row) for row in session.execute(_OF_INSTANCE.where(_CLAIMS.c.compute_node_id == node_id)))


_OF_INSTANCE = sa.select(_CLAIMS, _NODES.c.host, _NODES.c.node).join(_NODES, _NODES.c.id == _CLAIMS.c.compute_node_id)
_HELD = _OF_INSTANCE.where(_CLAIMS.c.instance_uuid == sa.bindparam("in_uuid"), _CLAIMS.c.role == sa.bindparam("in_role"))
_LOCK_NODES = sa.select(_NODES.c.id).where(_NODES.c.id.in_(sa.bindparam("ids", expanding=True))).order_by(_NODES.c.id).with_for_update()
_LOCK_INSTANCE = sa.select(
    _INSTANCES.c.epoch, _INSTANCES.c.deleted, _INSTANCES.c.availability_zone,
).where(_INSTANCES.c.uuid == sa.bindparam("in_uuid")).with_for_update()
_LOCK_GROUP = sa.select(_GROUPS.c.group_uuid).where(_GROUPS.c.group_uuid == sa.bindparam("in_group")).with_for_update()
_OWN = sa.and_(_CLAIMS.c.instance_uuid == sa.bindparam("in_uuid"), _CLAIMS.c.role == sa.bindparam("in_role"))
_OTHERS = sa.select(
    sa.func.sum(_CLAIMS.c.vcpus).label("used_vcpus"), sa.func.sum(_CLAIMS.c.memory_mb).label("used_memory_mb"),
    sa.func.sum(_CLAIMS.c.disk_gb).label("used_disk_gb"),
).where(_CLAIMS.c.compute_node_id == sa.bindparam("in_node"), sa.not_(_OWN)).subquery()
#: A locked node, what claims of others take of it, how many cleanups its host owes; the database's time; whether the instance holds a claim.
_LOOK = sa.select(
    _NODES.c.id, _NODES.c.host, _NODES.c.node, sa.type_coerce(_NODES.c.inventory, sa.Text).label("inventory"), _NODES.c.deleted, _OTHERS,
    sa.select(sa.func.count()).where(_DEBTS.c.host == _NODES.c.host).scalar_subquery().label("debts"),
    now_ms().label("now"),
    sa.select(sa.func.count()).where(_OWN).scalar_subquery().label("holds"),
).select_from(sa.join(_NODES, _OTHERS, sa.true())).where(_NODES.c.id == sa.bindparam("in_node"))
_GROUP_HOSTS = sa.select(_NODES.c.host, sa.func.count(sa.distinct(_CLAIMS.c.instance_uuid))).join(
    _NODES, _NODES.c.id == _CLAIMS.c.compute_node_id,
).where(
    _CLAIMS.c.server_group == sa.bindparam("in_group"), _CLAIMS.c.instance_uuid != sa.bindparam("in_apart"),
).group_by(_NODES.c.host)
_HOSTS_OF = sa.select(_CLAIMS.c.instance_uuid, _NODES.c.host).join(_NODES, _NODES.c.id == _CLAIMS.c.compute_node_id).join(
    _INSTANCES, _INSTANCES.c.uuid == _CLAIMS.c.instance_uuid,
).where(_CLAIMS.c.instance_uuid.in_(sa.bindparam("uuids", expanding=True)), _INSTANCES.c.project_id == sa.bindparam("in_project"))
_CUSTOM = sa.select(_CLAIMS.c.compute_node_id, _CLAIMS.c.resources).where(
    _CLAIMS.c.compute_node_id.in_(sa.bindparam("ids", expanding=True)), _CLAIMS.c.id != sa.bindparam("in_apart"),
)
_HARDWARE = sa.select(_CLAIMS.c.compute_node_id, _CLAIMS.c.hardware).where(
    _CLAIMS.c.compute_node_id.in_(sa.bindparam("ids", expanding=True)), _CLAIMS.c.id != sa.bindparam("in_apart"),
    _CLAIMS.c.hardware.is_not(None),
).order_by(_CLAIMS.c.id)
_TOUCH = sa.update(_NODES).where(_NODES.c.id.in_(sa.bindparam("ids", expanding=True))).values(changed_at=hosts.next_stamp())
_PLACE = sa.update(_INSTANCES).where(
    _INSTANCES.c.uuid == sa.bindparam("in_uuid"), _INSTANCES.c.epoch == sa.bindparam("in_epoch"), _INSTANCES.c.deleted == 0,
).values(
    host=sa.bindparam("in_host"), node=sa.bindparam("in_node"), availability_zone=sa.bindparam("in_zone"),
    hardware=sa.bindparam("in_hardware", type_=_INSTANCES.c.hardware.type),
)
_INSERT = sa.insert(_CLAIMS)


def _held(session: Session, spec: RequestSpec) -> Any:
    return session.execute(_HELD, {"in_uuid": spec.instance_uuid, "in_role": spec.role}).one_or_none()


def _answers(held: Any, spec: RequestSpec) -> bool:
    return bool(held.epoch == spec.epoch and held.host not in spec.excluded_hosts)


def _lock(session: Session, spec: RequestSpec, node_id: int) -> tuple[Any, Any, str | None]:
    """Lock all that a claim is about, and give the nodes their new stamps.

    Answer the node (a row of _LOOK; None when there is none), the claim which the instance holds already, and then the zone
    in which it is. The instance is locked only when it holds one.
    """
    ids = {node_id}
    while True:
        if spec.server_group is not None:
            _lock_group(session, spec.server_group)
        if len(ids) > 1:                         # an UPDATE locks in an order of its own
            session.execute(_LOCK_NODES, {"ids": sorted(ids)}).all()
        session.execute(_TOUCH, {"ids": sorted(ids)})
        node = session.execute(_LOOK, {"in_node": node_id, "in_uuid": spec.instance_uuid, "in_role": spec.role}).one_or_none()
        if node is not None and not node.holds:
            return node, None, None
        instance = _lock_instance(session, spec)
        held = _held(session, spec)
        if held is None or held.compute_node_id in ids or _answers(held, spec):
            return node, held, instance.availability_zone
        # It gives up another node, which had to be locked before the instance: start over with both, in order.
        session.rollback()
        ids = {node_id, held.compute_node_id}


def _lock_group(session: Session, group_uuid: str) -> None:
    while session.execute(_LOCK_GROUP, {"in_group": group_uuid}).one_or_none() is None:
        try:
            with session.begin_nested():
                session.execute(sa.insert(_GROUPS).values(group_uuid=group_uuid))
        except IntegrityError:
            pass                                 # another member was faster; now it can be locked


def _lock_instance(session: Session, spec: RequestSpec) -> Any:
    row = session.execute(_LOCK_INSTANCE, {"in_uuid": spec.instance_uuid}).one_or_none()
    if row is None or row.deleted or row.epoch != spec.epoch:
        raise _fenced(spec)
    return row


def _fenced(spec: RequestSpec) -> Fenced:
    return Fenced(f"A newer operation owns instance {spec.instance_uuid}.")


def _read(_node_id: int, document: str) -> Inventory:
    return serializer.load(Inventory, orjson.loads(document))


def _grant(
    session: Session, spec: RequestSpec, inventory: Inventory, held: Any, ratios: Ratios, node_id: int,
) -> Hardware | fitting.Misfit | None:
    """Answer which CPUs, pages and devices of a locked node the spec gets; None when it wants none in particular."""
    if spec.hardware is None:
        return None
    used = hardware_held(session, [node_id], apart_from=held.id if held else 0).get(node_id, ())
    return fitting.fit(spec.hardware, fitting.free(inventory.cells, inventory.devices, used), ratios)


def _store(session: Session, spec: RequestSpec, node: Any, wanted: Amounts, hardware: Any, held: Any) -> None:
    values = {
        "compute_node_id": node.id, "epoch": spec.epoch, "vcpus": wanted.vcpus, "memory_mb": wanted.memory_mb,
        "disk_gb": wanted.disk_gb, "resources": dict(wanted.custom), "hardware": hardware,
        "server_group": spec.server_group,
    }
    if held is not None:
        session.execute(sa.update(_CLAIMS).where(_CLAIMS.c.id == held.id).values(**values))
        return
    session.execute(_INSERT, {
        **values, "instance_uuid": spec.instance_uuid, "role": spec.role, "created_at": hosts.moment(int(node.now)),
    })


def _to_object(row: Any) -> Claim:
    return Claim(
        instance_uuid=row.instance_uuid, role=row.role, epoch=row.epoch, compute_node_id=row.compute_node_id,
        host=row.host, node=row.node, vcpus=row.vcpus, memory_mb=row.memory_mb, disk_gb=row.disk_gb,
        resources=row.resources or {}, hardware=serializer.load(Hardware, row.hardware) if row.hardware is not None else None,
    )

