"""Servers, a batch at a time: what Nova says of them is read, then stored in one transaction of GLOBAL and one of the cell.

A server is known by its uuid. What counts them (GLOBAL) is written first and may be written again, so that a run which broke off
between the two is repaired by the next.
"""

from __future__ import annotations

import uuid as uuid_module
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db import block_devices, claims, hosts, imports, instances
from novalike.db.models.hosts import ClaimRow, ComputeNodeRow
from novalike.db.models.instances import InstanceRow
from novalike.db.models.mappings import InstanceMapping, Reservation
from novalike.db.models.projects import ServerGroupMemberRow, ServerGroupRow
from novalike.hardware.capacity import demand
from novalike.manage.import_nova import history, server, versioned
from novalike.manage.import_nova.hosts import Place
from novalike.manage.import_nova.plan import Kind, Left, Plan
from novalike.manage.import_nova.server import Parts, Server
from novalike.manage.import_nova.source import NovaDatabase, Row
from novalike.manage.import_nova.target import Target
from novalike.network.neutron_memory import Adoption
from novalike.objects.flavor import Flavor
from novalike.objects.hardware import Hardware
from novalike.objects.instance import Fault
from novalike.objects.network_info import Vif
from novalike.objects.states import VmState
from novalike.rpc import serializer

#: What is compared of a server which is here already.
_COMPARED = ("vm_state", "host", "node", "display_name")
_NOTHING: list[Row] = []


@dataclass(slots=True)
class Batch:
    """Rows of servers with what hangs on them, by uuid."""

    rows: list[Row]
    parts: dict[str, Parts]
    actions: dict[str, list[Row]]
    events: dict[Any, list[Row]]


@dataclass(slots=True)
class Servers:
    """Takes over the servers of Nova's cells, one cell after the other."""

    api: NovaDatabase
    target: Target
    plan: Plan
    zones: Mapping[str, str]
    adoption: Adoption | None = None
    seen: set[str] = field(default_factory=set)      # uuids: 36 bytes of each server, to find those whose cell was not given

    def take(self, nova: NovaDatabase, places: set[Place]) -> Iterator[tuple[str, Sequence[Vif]]]:
        """Take over the servers of one cell which are not here; answer all that are here then, with their ports."""
        account = self.plan.of("servers")
        for rows in nova.rows("instances", with_deleted=True):
            gone = [row for row in rows if row["deleted"]]
            living = [row for row in rows if not row["deleted"]]
            self.seen.update(row["uuid"] for row in rows)
            self._account_gone(gone, account)
            here = self._account_here(living, account)
            batch = self._read(nova, [row for row in living if row["uuid"] not in here])
            fresh = self._with_group_names(list(self._converted(batch, places, account)))
            account.new += len(fresh)
            self._count_parts(batch, fresh)
            self.target.write(self.target.shared, _store_shared, fresh, self.target.cell)
            self.target.write(self.target.database, _store, fresh, batch, self.target)
            yield from here.items()
            yield from ((one.instance.uuid, one.instance.network_info) for one in fresh)

    def _account_gone(self, rows: list[Row], account: Kind) -> None:
        if rows:
            account.leave("", Left("deleted", matters=False), count=len(rows))
            known = self.target.database.fetch(instances.existing, [row["uuid"] for row in rows])
            account.remarks += [f"{uuid} is deleted in Nova, and here it is not" for uuid in sorted(known)]
            account.matters = account.matters or bool(known)

    def _account_here(self, rows: list[Row], account: Kind) -> dict[str, Sequence[Vif]]:
        """Answer the ports of those which are here, and tell where Nova says something else of them now."""
        here = self.target.database.fetch(_present, [row["uuid"] for row in rows])
        account.here += len(here)
        for row in rows:
            found = here.get(row["uuid"])
            differing = [] if found is None else [name for name in _COMPARED if (getattr(found, name) or None) != (row.get(name) or None)]
            if differing:
                told = ", ".join(f"{name} {getattr(found, name)}, in Nova {row.get(name)}" for name in differing)
                account.remarks.append(f"{row['uuid']} stays as it is here: {told}")
        return {uuid: tuple(serializer.load(Vif, one) for one in found.network_info or ()) for uuid, found in here.items()}

    def _read(self, nova: NovaDatabase, rows: list[Row]) -> Batch:
        uuids = [row["uuid"] for row in rows]
        found = {name: nova.of(name, "instance_uuid", uuids) for name in (
            "instance_extra", "instance_info_caches", "instance_metadata", "instance_system_metadata", "block_device_mapping", "instance_faults",
            "migrations", "virtual_interfaces", "pci_devices", "instance_actions",
        )}
        tags = nova.of("tags", "resource_id", uuids)
        specs = self.api.of("request_specs", "instance_uuid", uuids)
        groups = self._groups(uuids)
        actions = [row["id"] for one in found["instance_actions"].values() for row in one]
        events: dict[Any, list[Row]] = {}
        for start in range(0, len(actions), 500):
            events |= nova.of("instance_actions_events", "action_id", actions[start:start + 500])

        def of(name: str, uuid: str) -> list[Row]:
            return found[name].get(uuid, _NOTHING)
        return Batch(rows, {uuid: Parts(
            extra=next(iter(of("instance_extra", uuid)), {"flavor": None, "numa_topology": None, "pci_requests": None, "keypairs": None}),
            cache=next((row["network_info"] for row in of("instance_info_caches", uuid)), None), metadata=of("instance_metadata", uuid),
            system_metadata=of("instance_system_metadata", uuid), tags=sorted(tags.get(uuid, _NOTHING), key=lambda row: str(row["tag"])),
            devices=of("block_device_mapping", uuid), faults=of("instance_faults", uuid), moves=of("migrations", uuid),
            interfaces=of("virtual_interfaces", uuid), pci=of("pci_devices", uuid),
            spec=versioned.data(next((row["spec"] for row in specs.get(uuid, _NOTHING)), None)) or {}, group=groups.get(uuid),
        ) for uuid in uuids}, found["instance_actions"], events)

    def _groups(self, uuids: list[str]) -> dict[str, str]:
        """Answer the groups which servers are in, if they are here (or about to be)."""
        members = self.api.of("instance_group_member", "instance_uuid", uuids)
        numbers = {row["group_id"] for rows in members.values() for row in rows}
        known = {number: rows[0]["uuid"] for number, rows in self.api.of("instance_groups", "id", numbers).items()}
        here = set(known.values()) if self.target.dry_run else self.target.shared.fetch(imports.present, ServerGroupRow.uuid, set(known.values()))
        return {uuid: known[rows[0]["group_id"]] for uuid, rows in members.items() if known.get(rows[0]["group_id"]) in here}

    def _converted(self, batch: Batch, places: set[Place], account: Kind) -> Iterator[Server]:
        for row in batch.rows:
            if row.get("hidden"):
                account.leave(row["uuid"], Left("hidden: the other half of a move between cells", matters=False))
                continue
            try:
                yield server.convert(row, batch.parts[row["uuid"]], self.target, places, self.zones)
            except Left as left:
                account.leave(row["uuid"], left)
            except (KeyError, ValueError, TypeError, AttributeError) as error:
                account.leave(row["uuid"], Left(f"which Nova describes in a way that is not understood ({type(error).__name__}: {error})"))

    def _with_group_names(self, fresh: list[Server]) -> list[Server]:
        """Nova stores the security groups which a user asked for by id; ours are shown by name."""
        ids = {name for one in fresh for name in one.instance.security_groups if _is_uuid(name)}
        names = self.adoption.group_names(ids) if ids and self.adoption is not None else {}
        return [one.renamed(names) for one in fresh] if names else fresh

    def _count_parts(self, batch: Batch, fresh: list[Server]) -> None:
        uuids = [one.instance.uuid for one in fresh]
        for what, count in (
            ("block devices", sum(len(one.devices) for one in fresh)), ("ports", sum(len(one.instance.network_info) for one in fresh)),
            ("actions", sum(len(batch.actions.get(uuid, _NOTHING)) for uuid in uuids)),
            ("faults", sum(len(batch.parts[uuid].faults) for uuid in uuids)), ("moves", sum(len(batch.parts[uuid].moves) for uuid in uuids)),
        ):
            self.plan.of(f"{what} of new servers").new += count

    def account_missing(self) -> None:
        """Tell of servers which are in a cell of Nova's whose database was not given."""
        account, names = self.plan.of("servers"), {row["id"]: row["name"] for row in self.api.every("cell_mappings")}
        for batch in self.api.rows("instance_mappings"):
            for row in batch:
                if row["instance_uuid"] not in self.seen and not row.get("queued_for_delete") and row["cell_id"] is not None:
                    account.leave(row["instance_uuid"], Left(f"in none of the given databases; Nova has them in {names.get(row['cell_id'], 'a lost cell')}"))


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid_module.UUID(text)) == text
    except ValueError:
        return False


def _present(session: Session, uuids: list[str]) -> dict[str, Any]:
    columns = (InstanceRow.uuid, InstanceRow.network_info, *(getattr(InstanceRow, name) for name in _COMPARED))
    return {row.uuid: row for row in session.execute(sa.select(*columns).where(InstanceRow.uuid.in_(uuids)))} if uuids else {}


def _store_shared(session: Session, fresh: list[Server], cell: str) -> None:
    """Map and count servers, and put them into their groups; what an earlier run wrote of them is replaced."""
    uuids = [one.instance.uuid for one in fresh]
    if not uuids:
        return
    for column in (InstanceMapping.uuid, Reservation.instance_uuid, ServerGroupMemberRow.instance_uuid):
        session.execute(sa.delete(column.class_).where(column.in_(uuids)))
    rows, reserved = [], []
    for one in fresh:
        server_, before = one.instance, one.departure.flavor if one.departure is not None else one.instance.flavor
        made = _stamp(server_.created_at)
        rows.append({
            "uuid": server_.uuid, "cell": cell, "project_id": server_.project_id, "user_id": server_.user_id, "cores": before.vcpus,
            "ram": before.memory_mb, "confirmed": 1, "created_at": made,
            "released_at": _stamp(server_.updated_at) if server_.vm_state == VmState.SOFT_DELETED else None,
        })
        grown = max(0, server_.flavor.vcpus - before.vcpus), max(0, server_.flavor.memory_mb - before.memory_mb)
        if any(grown):
            reserved.append({"instance_uuid": server_.uuid, "project_id": server_.project_id, "user_id": server_.user_id, "cores": grown[0],
                             "ram": grown[1], "created_at": made, "uuid": one.move})
    session.execute(sa.insert(InstanceMapping), rows)
    if reserved:
        session.execute(sa.insert(Reservation), reserved)
    members = [{"group_uuid": one.instance.server_group, "instance_uuid": one.instance.uuid} for one in fresh if one.instance.server_group]
    if members:
        session.execute(sa.insert(ServerGroupMemberRow), members)


def _stamp(moment: datetime | None) -> int:
    return int((moment or datetime(1970, 1, 1)).replace(tzinfo=UTC).timestamp() * 1000)  # noqa: DTZ001  # naive UTC, as everywhere here


def _store(session: Session, fresh: list[Server], batch: Batch, target: Target) -> None:
    """Store servers with their claims and all that hangs on them."""
    nodes = _lock_nodes(session, fresh)
    taken = imports.present(session, InstanceRow.id, [one.instance.id for one in fresh])
    rows = []
    for one in fresh:
        values = instances.columns(one.instance) | {
            "id": one.instance.id, "hardware": _dumped(Hardware, one.instance.hardware), "fault": _dumped(Fault, one.instance.fault),
        }
        # Its number says what its guest is called; with another number the name has to be kept.
        rows.append(values | ({"guest_name": one.instance.name} if one.instance.id in taken else {}))
    imports.add(session, InstanceRow, rows)
    held = [claim for one in fresh for claim in _claims(one, nodes, target)]
    if held:
        session.execute(sa.insert(cast("sa.Table", ClaimRow.__table__)), held)
        session.execute(sa.update(ComputeNodeRow).where(ComputeNodeRow.id.in_(sorted(set(nodes.values())))).values(changed_at=hosts.next_stamp()))
    for one in fresh:
        uuid, parts = one.instance.uuid, batch.parts[one.instance.uuid]
        block_devices.create(session, uuid, one.devices, now=one.instance.created_at or target.now)
        history.store_actions(session, batch.actions.get(uuid, []), batch.events, one.instance)
        history.store_faults(session, parts.faults)
        history.store_moves(session, parts.moves, one.instance, one.departure, target)


def _dumped(kind: Any, value: Any) -> Any:
    return serializer.dump(kind, value) if value is not None else None


def _lock_nodes(session: Session, fresh: list[Server]) -> dict[Place, int]:
    """Lock the nodes on which these servers hold something, in the order in which claims do."""
    names = {one.instance.host for one in fresh if one.instance.host} | {one.departure.host for one in fresh if one.departure is not None}
    query = sa.select(ComputeNodeRow.host, ComputeNodeRow.node, ComputeNodeRow.id).where(
        ComputeNodeRow.host.in_(sorted(names)), ComputeNodeRow.deleted == 0,
    ).order_by(ComputeNodeRow.id).with_for_update()
    return {(host, node): number for host, node, number in session.execute(query)} if names else {}


def _claims(one: Server, nodes: Mapping[Place, int], target: Target) -> Iterator[dict[str, Any]]:
    now, left = one.instance, one.departure
    if now.host is not None:
        yield _claim(one, claims.INSTANCE, nodes[now.host, now.node or ""], now.flavor, now.hardware, target)
    if left is not None:
        yield _claim(one, claims.MIGRATION, nodes[left.host, left.node], left.flavor, left.hardware, target)


def _claim(one: Server, role: str, node: int, flavor: Flavor, hardware: Hardware | None, target: Target) -> dict[str, Any]:
    amounts = demand(flavor, root_volume=one.boots_from_volume, hardware=hardware)
    return {
        "instance_uuid": one.instance.uuid, "role": role, "compute_node_id": node, "epoch": one.instance.epoch, "vcpus": amounts.vcpus,
        "memory_mb": amounts.memory_mb, "disk_gb": amounts.disk_gb, "resources": dict(amounts.custom), "hardware": _dumped(Hardware, hardware),
        "server_group": one.instance.server_group, "created_at": one.instance.created_at or target.now,
    }
