"""Looks for what nobody owns: the one checker of `novalike-manage placement check`, of the laws and of the live tests.

It only reads. While a cloud works, a finding may be a step that is just being made: look twice, or give `grace` seconds.
A debt of a host (db/debts.py) is owned: what it covers is no leftover.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db import aggregates, claim_audit, claims, hosts, quota_audit
from novalike.db.base import now_ms
from novalike.db.cells import Cells
from novalike.db.claim_audit import Server
from novalike.db.models.hosts import ComputeNodeRow
from novalike.db.models.instances import (
    BlockDeviceRow,
    ConsoleTokenRow,
    InstanceActionEventRow,
    InstanceActionRow,
    InstanceRow,
    MigrationRow,
)
from novalike.db.models.mappings import InstanceMapping
from novalike.db.models.networks import PortRow
from novalike.db.models.projects import ServerGroupMemberRow
from novalike.db.models.tasks import TaskRow
from novalike.hardware.capacity import Ratios, capacity, overrides
from novalike.objects.hardware import Hardware
from novalike.objects.host import Inventory
from novalike.objects.leftover import NO_MAPPING, Leftover
from novalike.objects.states import VmState
from novalike.rpc import serializer

_LIVE = sa.and_(InstanceRow.uuid.is_not(None), InstanceRow.deleted == 0)
_NOWHERE = (VmState.SHELVED_OFFLOADED, VmState.DELETED)
_COMPUTE_PORT = "compute:"


def leftovers(
    cells: Cells, *, ratios: Ratios | None = None, grace: float = 0.0, idle: bool = False,
) -> tuple[Leftover, ...]:
    """Answer everything that is wrong in GLOBAL and all cells; empty is right.

    `grace` seconds are given to what is allowed to be late: overdue tasks, and mappings whose instance comes after them.
    With `idle` nothing may be going on: every task, task_state and lease is a leftover, too.
    """
    found: list[Leftover] = []
    servers: dict[str, Server] = {}
    metadata = aggregates.metadata_of_hosts(cells.shared.fetch(aggregates.list_aggregates))
    for database in cells:
        found += database.fetch(in_cell, ratios=ratios or Ratios(), metadata=metadata, grace=grace, idle=idle)
        servers |= database.fetch(lambda session: {server.uuid: server for server in claim_audit.servers(session)})
    found += cells.shared.fetch(in_global, servers, grace=grace)
    return tuple(found)


def in_cell(
    session: Session, *, ratios: Ratios, metadata: Mapping[str, Mapping[str, frozenset[str]]] | None = None, grace: float = 0.0,
    idle: bool = False,
) -> list[Leftover]:
    """Answer what is wrong in one cell. `metadata` are those of aggregates, by host: they may set allocation ratios."""
    found = [*(one.finding() for one in claim_audit.differences(session)), *_capacity(session, ratios, metadata or {}), *_tasks(session, grace), *_states(session, grace), *_children(session)]
    if idle:
        found += _busy(session)
    return found


def in_global(session: Session, servers: Mapping[str, Server], *, grace: float = 0.0) -> list[Leftover]:
    """Answer what is wrong in GLOBAL, given all servers which are not deleted, by uuid."""
    uncounted = {uuid for uuid, server in servers.items() if not server.counted}
    return [
        *_mappings(session, servers.keys(), uncounted, grace), *quota_audit.leftovers(session, servers, grace=grace),
        *_ports(session, servers), *_members(session, servers),
    ]


def _capacity(session: Session, ratios: Ratios, metadata: Mapping[str, Mapping[str, frozenset[str]]]) -> Iterator[Leftover]:
    rows = session.execute(sa.select(ComputeNodeRow.id, ComputeNodeRow.host, ComputeNodeRow.inventory, ComputeNodeRow.deleted)).all()
    sums = hosts.claim_sums(session, [row.id for row in rows])
    custom, given = claims.custom_sums(session, sums), claims.hardware_held(session, sums)
    for row in rows:
        used = sums.get(row.id)
        if used is None:
            continue
        if row.deleted:
            yield Leftover("host", row.host, f"was deleted and still has {used[3]} instances")
            continue
        limit = capacity(serializer.load(Inventory, row.inventory), ratios, overrides(metadata.get(row.host, {}))).limit
        most = {"vCPUs": limit.vcpus, "MiB of memory": limit.memory_mb, "GiB of disk": limit.disk_gb}
        promised = dict(zip(most, used, strict=False)) | custom.get(row.id, {})
        for name, amount in promised.items():
            allowed = most.get(name, limit.custom.get(name, 0))
            if amount > allowed:
                yield Leftover("host", row.host, f"has promised {amount} of {allowed} {name}")
        yield from (Leftover("host", row.host, text) for text in _doubled(given.get(row.id, ())))


def _doubled(given: Iterable[Hardware]) -> Iterator[str]:
    """Answer which CPUs and devices of a host were given away more than once."""
    times: Counter[str] = Counter()
    for one in given:
        alone = [cpu for cell in one.cells for _, cpu in cell.pins]
        times.update(f"CPU {cpu}" for cpu in (*alone, *one.emulator_cpus))
        times.update(f"PCI device {device.address}" for device in one.devices)
    for name, count in sorted(times.items()):
        if count > 1:
            yield f"has given {name} to {count} servers"


def _tasks(session: Session, grace: float) -> Iterator[Leftover]:
    late = now_ms() - int(grace * 1000)
    query = sa.select(
        TaskRow.kind, TaskRow.step, TaskRow.instance_uuid, TaskRow.epoch, InstanceRow.epoch, sa.case((_LIVE, 1), else_=0),
        sa.case((TaskRow.deadline < late, 1), else_=0),
    ).join(InstanceRow, InstanceRow.uuid == TaskRow.instance_uuid, isouter=True)
    for kind, step, uuid, epoch, wanted, is_live, overdue in session.execute(query):
        if not is_live:
            yield Leftover("task", uuid, f"{kind} of an instance which is gone")
        elif epoch != wanted:
            yield Leftover("task", uuid, f"{kind} has epoch {epoch}, its instance {wanted}")
        elif overdue:
            yield Leftover("task", uuid, f"{kind} is past the deadline of its step {step}")


def _states(session: Session, grace: float) -> Iterator[Leftover]:
    late = now_ms() - int(grace * 1000)
    query = sa.select(
        InstanceRow.uuid, InstanceRow.vm_state, InstanceRow.task_state, InstanceRow.action_name, TaskRow.id,
        sa.case((InstanceRow.action_deadline < late, 1), else_=0),
    ).join(TaskRow, TaskRow.instance_uuid == InstanceRow.uuid, isouter=True).where(
        InstanceRow.deleted == 0,
        sa.or_(
            InstanceRow.task_state.is_not(None), InstanceRow.action_id.is_not(None), InstanceRow.vm_state == VmState.BUILDING,
            InstanceRow.vm_state.in_(_NOWHERE),
        ),
    )
    for uuid, vm_state, task_state, action, task, overdue in session.execute(query):
        if task is None and action is None and task_state is not None:
            yield Leftover("instance", uuid, f"is {task_state}, but no task or action works on it")
        elif task is None and action is None and vm_state == VmState.BUILDING:
            yield Leftover("instance", uuid, "is building, but no task works on it")
        elif action is not None and task_state is None:
            yield Leftover("instance", uuid, f"has the action {action} without a task_state")
        elif action is not None and overdue:
            yield Leftover("instance", uuid, f"is past the deadline of its action {action}")
        elif vm_state == VmState.DELETED:
            yield Leftover("instance", uuid, "is deleted by its state, and is not by its mark")


def _children(session: Session) -> Iterator[Leftover]:
    """Rows which hang off an instance that is gone, and events which nobody will end."""
    for kind, column in (("block device", BlockDeviceRow.instance_uuid), ("console token", ConsoleTokenRow.instance_uuid)):
        yield from _orphans(session, kind, column)
    unfinished = MigrationRow.status.not_in(("done", "finished", "confirmed", "reverted", "error", "failed", "cancelled", "completed"))
    yield from _orphans(session, "migration", MigrationRow.instance_uuid, unfinished)
    query = sa.select(InstanceActionRow.instance_uuid, InstanceActionRow.action, InstanceActionEventRow.event).join(
        InstanceActionEventRow, InstanceActionEventRow.action_id == InstanceActionRow.id,
    ).join(TaskRow, TaskRow.instance_uuid == InstanceActionRow.instance_uuid, isouter=True).join(
        InstanceRow, InstanceRow.uuid == InstanceActionRow.instance_uuid, isouter=True,
    ).where(
        InstanceActionEventRow.finish_time.is_(None), TaskRow.id.is_(None), InstanceRow.action_id.is_(None),
    )
    for uuid, action, event in session.execute(query):
        yield Leftover("event", uuid, f"{event} of {action} never ended, and nothing works on it")


def _orphans(session: Session, kind: str, column: Any, *conditions: Any) -> Iterator[Leftover]:
    query = sa.select(column).join(InstanceRow, InstanceRow.uuid == column, isouter=True).where(sa.not_(_LIVE), *conditions)
    for uuid in session.scalars(query):
        yield Leftover(kind, uuid, f"a {kind} of an instance which is gone")


def _busy(session: Session) -> Iterator[Leftover]:
    for kind, step, uuid, owner in session.execute(
        sa.select(TaskRow.kind, TaskRow.step, TaskRow.instance_uuid, TaskRow.lease_owner),
    ):
        yield Leftover("task", uuid, f"{kind} is at {step}" + (f", leased by {owner}" if owner else ""))
    for uuid, task_state in session.execute(
        sa.select(InstanceRow.uuid, InstanceRow.task_state).where(InstanceRow.task_state.is_not(None)),
    ):
        yield Leftover("instance", uuid, f"is {task_state}")


def _mappings(session: Session, live: Collection[str], uncounted: Collection[str], grace: float) -> Iterator[Leftover]:
    late = now_ms() - int(grace * 1000)
    rows = session.execute(sa.select(
        InstanceMapping.uuid, sa.case((InstanceMapping.released_at.is_(None), 0), else_=1),
        sa.case((InstanceMapping.created_at > late, 1), else_=0),
    ).where(sa.or_(InstanceMapping.released_at.is_(None), InstanceMapping.released_at <= late)))
    mapped = set()
    for uuid, released, young in rows:
        mapped.add(uuid)
        if released and uuid in live and uuid not in uncounted:
            yield Leftover("mapping", uuid, "no longer counts against the quota, but its instance is there", "count it again")
        elif not released and uuid in uncounted and not young:
            yield Leftover("mapping", uuid, "counts against the quota, but its instance is soft-deleted", "count it no more")
        elif not released and uuid not in live and not young:
            yield Leftover("mapping", uuid, "counts against the quota, but its instance is gone", "count it no more")
    for uuid in _absent(session, InstanceMapping.uuid, set(live) - mapped):
        yield Leftover("instance", uuid, NO_MAPPING, "make one, which counts")


def _ports(session: Session, live: Collection[str]) -> Iterator[Leftover]:
    query = sa.select(PortRow.id, PortRow.device_id, PortRow.device_owner, PortRow.host).where(
        sa.or_(PortRow.device_owner.startswith(_COMPUTE_PORT), sa.and_(PortRow.device_id == "", PortRow.owned == 1)),
    )
    for port, device, _owner, host in session.execute(query):
        if not device:
            yield Leftover("port", port, "was made for a server and belongs to none")
        elif device not in live:
            yield Leftover("port", port, f"belongs to instance {device}, which is gone" + (f" (on {host})" if host else ""))


def _members(session: Session, live: Collection[str]) -> Iterator[Leftover]:
    for uuid, group in session.execute(sa.select(ServerGroupMemberRow.instance_uuid, ServerGroupMemberRow.group_uuid)):
        if uuid not in live:
            yield Leftover("group member", uuid, f"is in server group {group}, but its instance is gone")


def _absent(session: Session, column: Any, uuids: Iterable[str]) -> set[str]:
    """Answer those of the uuids which the column does not hold."""
    wanted = list(uuids)
    absent = set(wanted)
    for start in range(0, len(wanted), 500):
        absent -= set(session.scalars(sa.select(column).where(column.in_(wanted[start:start + 500]))))
    return absent
