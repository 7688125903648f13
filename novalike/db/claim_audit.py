"""CELL: what servers should hold of hosts, against what they do hold. Reads only; claim_repairs.py mends.

A server holds its flavor's amounts of the host where it is; and, as long as a resize waits to be confirmed, what it had
before of the host where it was. While a task works on a server only the first host is looked at: amounts are in flux then.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db import claims, server_migrations
from novalike.db.models.hosts import ClaimRow, ComputeNodeRow
from novalike.db.models.instances import InstanceRow, MigrationRow
from novalike.db.models.tasks import TaskRow
from novalike.hardware.capacity import Amounts, demand
from novalike.objects.flavor import Flavor
from novalike.objects.hardware import Hardware
from novalike.objects.leftover import Leftover
from novalike.objects.states import VmState
from novalike.rpc import serializer

CLAIM, INSTANCE = "claim", "instance"


@dataclass(frozen=True, slots=True)
class Server:
    """A server which is not deleted. `busy`: a task works on it. `awaiting`: its resize waits to be confirmed."""

    uuid: str
    project_id: str
    user_id: str
    epoch: int
    host: str | None
    node: str | None
    flavor: Flavor
    group: str | None
    hardware: Hardware | None
    busy: bool
    counted: bool                                # whether it should count against the quota: a soft-deleted one should not
    awaiting: server_migrations.Awaiting | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """What somebody holds, or should hold, of one host. `volume_too` are amounts which are as good: of a root disk on a volume."""

    host: str
    node: str
    amounts: Amounts
    group: str | None
    hardware: Hardware | None = None
    volume_too: Amounts | None = None

    @property
    def place(self) -> tuple[str, str]:
        """Answer host and node."""
        return self.host, self.node

    def allows(self, other: Held) -> bool:
        """Whether `other` is what this one says."""
        same = self.place == other.place and self.group == other.group and self.hardware == other.hardware
        return same and other.amounts in (self.amounts, self.volume_too)


@dataclass(frozen=True, slots=True)
class Difference:
    """In one role: what a server should hold and does not (`should` None: nothing), and what it holds instead."""

    uuid: str
    role: str
    should: Held | None
    holds: Held | None
    live: bool = True
    busy: bool = False

    def finding(self) -> Leftover:
        """Answer it in words for operators, with what a repair would do."""
        should, holds = self.should, self.holds
        if holds is None:
            assert should is not None
            text = f"is on {should.host} without a claim" if self.role == claims.INSTANCE else (
                f"may go back to {should.host} until its resize is confirmed, and holds no claim there")
            return Leftover(INSTANCE, self.uuid, text, self._unless_busy(f"claim {_words(should.amounts)} on {should.host}/{should.node}"))
        place = f"{holds.host}/{holds.node}"
        if not self.live:
            return Leftover(CLAIM, self.uuid, f"the claim ({self.role}) of an instance which is gone", f"release the claim on {place}")
        if should is None and self.role != claims.INSTANCE:
            text = f"is on {place} in the role {self.role}, but its instance is not being moved"
            return Leftover(CLAIM, self.uuid, text, f"release the claim on {place}")
        if should is None or should.place != holds.place:
            host, node = should.place if should is not None else (None, None)
            repair = f"move the claim to {host}/{node}" if should is not None else f"release the claim on {place}"
            return Leftover(CLAIM, self.uuid, f"is on {place}, but its instance on {host}/{node}", self._unless_busy(repair))
        if holds.amounts not in (should.amounts, should.volume_too):
            text = f"holds {_words(holds.amounts)} instead of {_words(should.amounts)}"
        elif should.group != holds.group:
            text = f"is in server group {holds.group}, its instance in {should.group}"
        else:
            text = "holds other CPUs, pages or devices than its instance knows"
        return Leftover(CLAIM, self.uuid, f"({self.role}) {text}", "correct the claim")

    def _unless_busy(self, repair: str) -> str | None:
        return None if self.busy else repair


def differences(session: Session, uuids: Collection[str] | None = None) -> Iterator[Difference]:
    """Answer where claims and servers differ, of these or of all instances."""
    living = {server.uuid: server for server in servers(session, uuids)}
    holding = _held(session, uuids)
    for uuid, server in living.items():
        yield from _compare(server, holding.pop(uuid, {}))
    for uuid, held in holding.items():
        yield from (Difference(uuid, role, None, one, live=False) for role, one in held.items())


def servers(session: Session, uuids: Collection[str] | None = None) -> Iterator[Server]:
    """Answer these or all instances which are not deleted."""
    waiting = {uuid: server_migrations.awaiting(session, uuid) for uuid in session.scalars(
        _of(sa.select(MigrationRow.instance_uuid), MigrationRow.instance_uuid, uuids).where(
            MigrationRow.status == server_migrations.FINISHED, MigrationRow.migration_type.in_(server_migrations.TO_CONFIRM),
        ),
    )}
    query = sa.select(
        InstanceRow.uuid, InstanceRow.project_id, InstanceRow.user_id, InstanceRow.epoch, InstanceRow.host, InstanceRow.node,
        InstanceRow.document, InstanceRow.hardware, InstanceRow.vm_state, TaskRow.id.label("task"),
    ).join(TaskRow, TaskRow.instance_uuid == InstanceRow.uuid, isouter=True).where(InstanceRow.deleted == 0)
    for row in session.execute(_of(query, InstanceRow.uuid, uuids)):
        yield Server(
            uuid=row.uuid, project_id=row.project_id, user_id=row.user_id, epoch=row.epoch, host=row.host, node=row.node,
            flavor=serializer.load(Flavor, row.document["flavor"]), group=row.document.get("server_group"),
            hardware=_hardware(row.hardware), busy=row.task is not None, counted=row.vm_state != VmState.SOFT_DELETED,
            awaiting=waiting.get(row.uuid),
        )


def _of(query: Any, column: Any, uuids: Collection[str] | None) -> Any:
    return query if uuids is None else query.where(column.in_(list(uuids)))


def _held(session: Session, uuids: Collection[str] | None) -> dict[str, dict[str, Held]]:
    query = sa.select(ClaimRow, ComputeNodeRow.host, ComputeNodeRow.node).join(
        ComputeNodeRow, ComputeNodeRow.id == ClaimRow.compute_node_id, isouter=True,
    )
    found: dict[str, dict[str, Held]] = {}
    for row, host, node in session.execute(_of(query, ClaimRow.instance_uuid, uuids)):
        amounts = Amounts(row.vcpus, row.memory_mb, row.disk_gb, {name: amount for name, amount in (row.resources or {}).items() if amount})
        held = Held(host or "no host", node or "", amounts, row.server_group, _hardware(row.hardware))
        found.setdefault(row.instance_uuid, {})[row.role] = held
    return found


def _hardware(document: Any) -> Hardware | None:
    return serializer.load(Hardware, document) if document is not None else None


def _compare(server: Server, holds: dict[str, Held]) -> Iterable[Difference]:
    should = _should(server)
    if server.busy:
        here, there = should.get(claims.INSTANCE), holds.get(claims.INSTANCE)
        if (here.place if here else None) != (there.place if there else None):
            yield Difference(server.uuid, claims.INSTANCE, here, there, busy=True)
        return
    for role in sorted(should.keys() | holds.keys()):
        wanted, held = should.get(role), holds.get(role)
        if wanted is None or held is None or not wanted.allows(held):
            yield Difference(server.uuid, role, wanted, held)


def _should(server: Server) -> dict[str, Held]:
    if server.host is None:
        return {}
    found = {claims.INSTANCE: _holding(server.host, server.node or "", server.flavor, server.group, server.hardware)}
    if server.awaiting is not None:
        left = server.awaiting.departure
        found[claims.MIGRATION] = _holding(left.host, left.node, left.flavor, server.group, left.hardware)
    return found


def _holding(host: str, node: str, flavor: Flavor, group: str | None, hardware: Hardware | None) -> Held:
    amounts, without_root = (demand(flavor, root_volume=volume, hardware=hardware) for volume in (False, True))
    return Held(host, node, amounts, group, hardware, without_root)


def _words(amounts: Amounts) -> str:
    parts = [f"{amounts.vcpus} vCPUs", f"{amounts.memory_mb} MiB", f"{amounts.disk_gb} GiB"]
    return ", ".join([*parts, *(f"{amount} {name}" for name, amount in sorted(amounts.custom.items()))])
