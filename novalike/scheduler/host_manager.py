"""From the databases to the snapshot which the pure core looks at, kept fresh by reading only what changed.

A compute node's `changed_at` grows with each change of its row and of the claims on it, but rows commit out of order: so
every refresh reads the stamps of the last OVERLAP_MS again, and now and then all of them. A host that slipped through
anyway costs a lost race at worst: the claim checks again under lock.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.clock import Clock
from novalike.db import aggregates as aggregates_table
from novalike.db import claims, hosts
from novalike.db.cells import Cells
from novalike.db.engine import Database
from novalike.db.models.hosts import ClaimRow, ComputeNodeRow, HostDebtRow, ServiceRow
from novalike.hardware import fitting
from novalike.hardware.capacity import Amounts, Ratios, capacity, overrides, ratios_of
from novalike.objects.aggregate import Aggregate
from novalike.objects.hardware import Hardware
from novalike.objects.host import Inventory
from novalike.rpc import serializer
from novalike.scheduler import extra_facts
from novalike.scheduler.host_state import FLAVORS, IMAGE_PROPERTIES, IO_OPS, METRICS, HostState

OVERLAP_MS = 2000
FULL_INTERVAL = 60.0
AGGREGATES_FOR = 1.0
#: Seconds for which what is read of all hosts together is good enough.
IO_OPS_FOR, METRICS_FOR = 1.0, 10.0

_NODES = cast("sa.Table", ComputeNodeRow.__table__)
_SERVICES = cast("sa.Table", ServiceRow.__table__)
_DEBTS = cast("sa.Table", HostDebtRow.__table__)
_CLAIMS = cast("sa.Table", ClaimRow.__table__)
_UP = hosts.is_up(sa.bindparam("in_down_ms"))

_STAMPS = sa.select(_NODES.c.id, _NODES.c.changed_at).where(_NODES.c.changed_at > sa.bindparam("in_since"))
_IDS: sa.BindParameter[int] = sa.bindparam("ids", expanding=True)
_SUMS = sa.select(
    _CLAIMS.c.compute_node_id, sa.func.sum(_CLAIMS.c.vcpus).label("vcpus"), sa.func.sum(_CLAIMS.c.memory_mb).label("memory_mb"),
    sa.func.sum(_CLAIMS.c.disk_gb).label("disk_gb"), sa.func.count(sa.distinct(_CLAIMS.c.instance_uuid)).label("instances"),
).where(_CLAIMS.c.compute_node_id.in_(_IDS)).group_by(_CLAIMS.c.compute_node_id).subquery()
_ROWS = sa.select(
    _NODES.c.id, _NODES.c.uuid, _NODES.c.host, _NODES.c.node, _NODES.c.inventory, _NODES.c.build_failures,
    _NODES.c.changed_at, _NODES.c.deleted, _SUMS.c.vcpus, _SUMS.c.memory_mb, _SUMS.c.disk_gb, _SUMS.c.instances,
).join(_SUMS, _SUMS.c.compute_node_id == _NODES.c.id, isouter=True).where(_NODES.c.id.in_(_IDS))
#: All hosts which get nothing: (host, disabled, up, owing). Built once: making a query costs more than running this one.
_CLOSED = sa.union_all(
    sa.select(
        _SERVICES.c.host, _SERVICES.c.disabled.label("disabled"), sa.case((_UP, 1), else_=0).label("up"),
        sa.literal_column("0").label("owing"),
    ).where(_SERVICES.c.binary == hosts.COMPUTE_BINARY, sa.or_(_SERVICES.c.disabled != 0, sa.not_(_UP))),
    sa.select(_DEBTS.c.host, sa.literal_column("0"), sa.literal_column("1"), sa.literal_column("1")).distinct(),
)


@dataclass(frozen=True, slots=True)
class _Closed:
    """Why a host gets nothing: most hosts have none of these."""

    up: bool = True
    disabled: bool = False
    owing: bool = False


_OPEN = _Closed()


@dataclass(frozen=True, slots=True)
class _Delta:
    """What one refresh read: changed rows with the sums of claims on them, all closed hosts, and with `full` all ids.

    Then what plugins need: of the changed rows, or of all nodes (None: not read this time).
    """

    rows: tuple[Any, ...]
    closed: Mapping[str, _Closed]
    ids: frozenset[int] | None
    custom: Mapping[int, Mapping[str, int]] = field(default_factory=dict)
    hardware: Mapping[int, tuple[Hardware, ...]] = field(default_factory=dict)
    flavors: Mapping[int, frozenset[str]] = field(default_factory=dict)
    image_properties: Mapping[int, Mapping[tuple[str, str], int]] = field(default_factory=dict)
    io_ops: Mapping[int, int] | None = None
    metrics: Mapping[int, Mapping[str, float]] | None = None


class HostManager:
    """The hosts of every cell. Thread-safe: threads that come while one refreshes share the next refresh.

    `needs` names what plugins need beyond what is always read (host_state.py).
    """

    def __init__(
        self, cells: Cells, clock: Clock, *, down_after: float, ratios: Ratios, default_zone: str = "nova",
        needs: Collection[str] = (),
    ) -> None:
        self._zones = _Aggregates(cells.shared, clock)
        self._views = {
            name: _CellView(
                cells.cell(name), clock, down_after=down_after, ratios=ratios, default_zone=default_zone, needs=frozenset(needs),
            )
            for name in cells.names()
        }

    def snapshot(self, cell: str, *, fresh_aggregates: bool = False) -> tuple[HostState, ...]:
        """Answer the cell's hosts as they are now, by id. Raises Unavailable when the database does not answer."""
        return self._views[cell].snapshot(self._zones.read(fresh=fresh_aggregates))


class _Aggregates:
    """All aggregates, read at most once in AGGREGATES_FOR seconds. The same object as long as nothing changed."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._known: tuple[Aggregate, ...] = ()
        self._until = float("-inf")

    def read(self, *, fresh: bool) -> tuple[Aggregate, ...]:
        with self._lock:
            now = self._clock.monotonic()
            if fresh or now >= self._until:
                found = tuple(self._database.fetch(aggregates_table.list_aggregates))
                if found != self._known:
                    self._known = found
                self._until = now + AGGREGATES_FOR
            return self._known


class _CellView:
    """The hosts of one cell."""

    def __init__(
        self, database: Database, clock: Clock, *, down_after: float, ratios: Ratios, default_zone: str, needs: frozenset[str],
    ) -> None:
        self._database = database
        self._clock = clock
        self._down_after = down_after
        self._ratios = ratios
        self._default_zone = default_zone
        self._lock = threading.Lock()
        self._started = self._finished = 0       # numbers of refreshes
        self._states: dict[int, HostState] = {}
        self._stamps: dict[int, int] = {}
        self._closed: Mapping[str, _Closed] = {}
        self._aggregates: tuple[Aggregate, ...] = ()
        self._zone_of: Mapping[str, str] = {}
        self._metadata_of: Mapping[str, Mapping[str, frozenset[str]]] = {}
        self._newest = 0
        self._needs = needs
        self._full_at = self._io_ops_at = self._metrics_at = float("-inf")
        self._io_ops: Mapping[int, int] = {}
        self._instances_then: dict[int, int] = {}    # when io_ops was read
        self._metrics: Mapping[int, Mapping[str, float]] = {}
        self._snapshot: tuple[HostState, ...] = ()

    def snapshot(self, aggregates: tuple[Aggregate, ...]) -> tuple[HostState, ...]:
        """Refresh, unless a refresh which began after this call did so already, and answer all hosts."""
        ticket = self._started
        with self._lock:
            if self._finished <= ticket or aggregates is not self._aggregates:
                self._started += 1
                self._refresh(aggregates)
                self._finished = self._started
            return self._snapshot

    def _refresh(self, aggregates: tuple[Aggregate, ...]) -> None:
        now = self._clock.monotonic()
        full = now >= self._full_at
        since = -1 if full else self._newest - OVERLAP_MS
        delta = self._database.fetch(self._read, since, full, now)
        changed = self._apply_rows(delta)
        changed |= self._apply_closed(delta.closed)
        changed |= self._apply_aggregates(aggregates)
        changed |= self._apply_busy(delta)
        if changed:
            self._snapshot = tuple(self._states[node_id] for node_id in sorted(self._states))
        if full:
            self._full_at = now + FULL_INTERVAL
        if delta.io_ops is not None:
            self._io_ops_at = now + IO_OPS_FOR
        if delta.metrics is not None:
            self._metrics_at = now + METRICS_FOR

    def _read(self, session: Session, since: int, full: bool, now: float) -> _Delta:
        stamps = session.execute(_STAMPS, {"in_since": since}).all()
        changed = [node_id for node_id, stamp in stamps if self._stamps.get(node_id) != stamp]
        rows: list[Any] = []
        custom: dict[int, Mapping[str, int]] = {}
        hardware: dict[int, tuple[Hardware, ...]] = {}
        flavors: dict[int, frozenset[str]] = {}
        image_properties: dict[int, Mapping[tuple[str, str], int]] = {}
        for start in range(0, len(changed), 1000):
            ids = changed[start:start + 1000]
            found = session.execute(_ROWS, {"ids": ids}).all()
            rows += found
            if special := [row.id for row in found if row.inventory.get("resources")]:
                custom |= claims.custom_sums(session, special)
            if special := [row.id for row in found if row.inventory.get("cells") or row.inventory.get("devices")]:
                hardware |= claims.hardware_held(session, special)
            if FLAVORS in self._needs:
                flavors |= extra_facts.flavors(session, ids)
            if IMAGE_PROPERTIES in self._needs:
                image_properties |= extra_facts.image_properties(session, ids)
        return _Delta(
            rows=tuple(rows), closed=self._read_closed(session), custom=custom, hardware=hardware, flavors=flavors, image_properties=image_properties,
            ids=frozenset(node_id for node_id, _ in stamps) if full else None,
            io_ops=extra_facts.io_ops(session) if IO_OPS in self._needs and now >= self._io_ops_at else None,
            metrics=extra_facts.metrics(session) if METRICS in self._needs and now >= self._metrics_at else None,
        )

    def _read_closed(self, session: Session) -> dict[str, _Closed]:
        closed: dict[str, _Closed] = {}
        for host, disabled, up, owing in session.execute(_CLOSED, {"in_down_ms": int(self._down_after * 1000)}):
            known = closed.get(host, _OPEN)
            closed[host] = _Closed(
                up=known.up and bool(up), disabled=known.disabled or bool(disabled), owing=known.owing or bool(owing),
            )
        return closed

    def _apply_rows(self, delta: _Delta) -> bool:
        changed = bool(delta.rows)
        for row in delta.rows:
            self._stamps[row.id] = row.changed_at
            self._newest = max(self._newest, row.changed_at)
            if row.deleted:
                self._states.pop(row.id, None)
            else:
                self._states[row.id] = self._state(row, delta)
        if delta.ids is not None:
            for node_id in self._stamps.keys() - delta.ids:
                del self._stamps[node_id]
                self._states.pop(node_id, None)
                changed = True
        return changed

    def _state(self, row: Any, delta: _Delta) -> HostState:
        inventory = serializer.load(Inventory, row.inventory)
        closed = self._closed.get(row.host, _OPEN)
        metadata = self._metadata_of.get(row.host, {})
        instances = row.instances or 0
        return HostState(
            node_id=row.id, uuid=row.uuid, host=row.host, node=row.node, inventory=inventory,
            capacity=capacity(inventory, self._ratios, overrides(metadata)), instances=instances,
            ratios=ratios_of(inventory, self._ratios, overrides(metadata)),
            free=fitting.free(inventory.cells, inventory.devices, delta.hardware.get(row.id, ())),
            used=Amounts(int(row.vcpus or 0), int(row.memory_mb or 0), int(row.disk_gb or 0), delta.custom.get(row.id, {})),
            build_failures=row.build_failures, availability_zone=self._zone_of.get(row.host, self._default_zone),
            metadata=metadata, up=closed.up, disabled=closed.disabled, owing=closed.owing,
            io_ops=self._busy(row.id, instances), metrics=self._metrics.get(row.id, {}),
            flavors=delta.flavors.get(row.id, frozenset()), image_properties=delta.image_properties.get(row.id, {}),
        )

    def _busy(self, node_id: int, instances: int) -> int:
        # A server which came since the busy ones were counted is surely being built or moved there.
        return self._io_ops.get(node_id, 0) + max(0, instances - self._instances_then.get(node_id, instances))

    def _apply_busy(self, delta: _Delta) -> bool:
        if delta.io_ops is not None:
            self._io_ops = delta.io_ops
            self._instances_then = {node_id: state.instances for node_id, state in self._states.items()}
        if delta.metrics is not None:
            self._metrics = delta.metrics
        if delta.io_ops is None and delta.metrics is None:
            return False
        changed = False
        for node_id, state in self._states.items():
            busy, measured = self._busy(node_id, state.instances), self._metrics.get(node_id, {})
            if busy != state.io_ops or measured != state.metrics:
                self._states[node_id] = replace(state, io_ops=busy, metrics=measured)
                changed = True
        return changed

    def _apply_closed(self, closed: Mapping[str, _Closed]) -> bool:
        differing = {
            host for host in closed.keys() | self._closed.keys() if closed.get(host, _OPEN) != self._closed.get(host, _OPEN)
        }
        self._closed = closed
        if not differing:
            return False
        for node_id, state in self._states.items():
            if state.host in differing:
                now = closed.get(state.host, _OPEN)
                self._states[node_id] = replace(state, up=now.up, disabled=now.disabled, owing=now.owing)
        return True

    def _apply_aggregates(self, aggregates: tuple[Aggregate, ...]) -> bool:
        if aggregates is self._aggregates:
            return False
        self._aggregates = aggregates
        self._zone_of = aggregates_table.zones_of_hosts(aggregates)
        self._metadata_of = aggregates_table.metadata_of_hosts(aggregates)
        for node_id, state in self._states.items():
            metadata = self._metadata_of.get(state.host, {})
            self._states[node_id] = replace(
                state, availability_zone=self._zone_of.get(state.host, self._default_zone), metadata=metadata,
                capacity=capacity(state.inventory, self._ratios, overrides(metadata)),
                ratios=ratios_of(state.inventory, self._ratios, overrides(metadata)),
            )
        return True
