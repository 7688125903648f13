"""From the databases to the snapshot which the pure core looks at, kept fresh by reading only what changed.

A compute node's `changed_at` grows with each change of its row and of the claims on it, but rows commit out of order: so
every refresh reads the last stamps again, some refreshes those of a longer time, and all of them are read in slices as time
goes by. A host that slipped through anyway costs a lost race at worst: the claim checks again under lock.
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
from novalike.db.base import now_ms
from novalike.db.cells import Cells
from novalike.db.engine import Database
from novalike.db.models.hosts import ClaimRow, ComputeNodeRow, HostDebtRow, ServiceRow
from novalike.hardware import fitting
from novalike.hardware.capacity import Amounts, Ratios, capacity, overrides, ratios_of
from novalike.objects.aggregate import Aggregate
from novalike.objects.hardware import Hardware
from novalike.objects.host import Inventory
from novalike.scheduler import extra_facts
from novalike.scheduler.host_state import FLAVORS, IMAGE_PROPERTIES, IO_OPS, METRICS, HostState
from novalike.scheduler.inventories import Inventories
from novalike.scheduler.snapshot import Snapshot

#: How far behind the newest stamp each refresh looks; and the first one of each WIDE_INTERVAL, for transactions which took long.
NARROW_MS, WIDE_MS, WIDE_INTERVAL = 50, 3000, 2.0
#: In this time the stamps of all hosts are looked at, SLICE of them at a time.
FULL_INTERVAL, SLICE = 60.0, 1000
AGGREGATES_FOR = 1.0
#: For so long our own clock tells how the database's went on; then that is asked again.
CLOCK_FOR = 2.0
#: Seconds for which what is read of all hosts together is good enough.
IO_OPS_FOR, METRICS_FOR = 1.0, 10.0

_NODES = cast("sa.Table", ComputeNodeRow.__table__)
_SERVICES = cast("sa.Table", ServiceRow.__table__)
_DEBTS = cast("sa.Table", HostDebtRow.__table__)
_CLAIMS = cast("sa.Table", ClaimRow.__table__)

_SLICE = sa.select(_NODES.c.id, _NODES.c.changed_at).where(_NODES.c.id > sa.bindparam("in_after")).order_by(_NODES.c.id).limit(SLICE)
_IDS: sa.BindParameter[int] = sa.bindparam("ids", expanding=True)
_SUMS = sa.select(
    _CLAIMS.c.compute_node_id, sa.func.sum(_CLAIMS.c.vcpus).label("vcpus"), sa.func.sum(_CLAIMS.c.memory_mb).label("memory_mb"),
    sa.func.sum(_CLAIMS.c.disk_gb).label("disk_gb"), sa.func.count(sa.distinct(_CLAIMS.c.instance_uuid)).label("instances"),
).where(_CLAIMS.c.compute_node_id.in_(_IDS)).group_by(_CLAIMS.c.compute_node_id).subquery()
_ROWS = sa.select(
    _NODES.c.id, _NODES.c.uuid, _NODES.c.host, _NODES.c.node, sa.type_coerce(_NODES.c.inventory, sa.Text).label("inventory"), _NODES.c.build_failures,
    _NODES.c.changed_at, _NODES.c.deleted, _SUMS.c.vcpus, _SUMS.c.memory_mb, _SUMS.c.disk_gb, _SUMS.c.instances,
).join(_SUMS, _SUMS.c.compute_node_id == _NODES.c.id, isouter=True).where(_NODES.c.id.in_(_IDS))
_COMPUTES = sa.select(
    _SERVICES.c.host, _SERVICES.c.disabled.label("disabled"),
    sa.case((sa.or_(_SERVICES.c.forced_down != 0, _SERVICES.c.last_seen < sa.bindparam("in_lost")), 0), else_=1).label("up"),
    sa.literal_column("0").label("owing"),
).where(_SERVICES.c.binary == hosts.COMPUTE_BINARY)
#: What each refresh begins with, by an index each: all hosts which get nothing (host, disabled, up, owing), and, without a host and
#: marked by the last column, the database's time and the stamps of nodes which changed (id, stamp). One query, built once: making
#: and sending it costs more than running it.
_LOOK = sa.union_all(
    _COMPUTES.where(_SERVICES.c.last_seen < sa.bindparam("in_lost")), _COMPUTES.where(_SERVICES.c.disabled > 0),
    _COMPUTES.where(_SERVICES.c.forced_down > 0),
    sa.select(_DEBTS.c.host, sa.literal_column("0"), sa.literal_column("1"), sa.literal_column("1")).distinct(),
    sa.select(sa.null(), now_ms(), sa.literal_column("0"), sa.literal_column("2")),
    sa.select(sa.null(), _NODES.c.id, _NODES.c.changed_at, sa.literal_column("3")).where(_NODES.c.changed_at > sa.bindparam("in_since")),
)


_TIME, _STAMP = 2, 3


@dataclass(frozen=True, slots=True)
class _Closed:
    """Why a host gets nothing: most hosts have none of these."""

    up: bool = True
    disabled: bool = False
    owing: bool = False


_OPEN = _Closed()


@dataclass(frozen=True, slots=True)
class _Delta:
    """What one refresh read: changed rows with the sums of claims on them, their inventories, nodes which are gone, closed hosts.

    Then what plugins need: of the changed rows, or of all nodes (None: not read this time).
    """

    rows: tuple[Any, ...]
    inventories: Mapping[int, Inventory]
    gone: frozenset[int]
    closed: Mapping[str, _Closed]
    time: int                                    # of the database, in milliseconds
    after: int | None                            # where the next slice begins; None: none was read
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

    def snapshot(self, cell: str, *, fresh_aggregates: bool = False) -> Snapshot:
        """Answer the cell's hosts as they are now, by id. Raises Unavailable when the database does not answer.

        Aggregates may be a second old, and what took long to commit two, unless `fresh_aggregates`.
        """
        return self._views[cell].snapshot(self._zones.read(fresh=fresh_aggregates), wide=fresh_aggregates)


    def known_inventories(self, cell: str) -> claims.ReadInventory:
        """Answer what reads a compute node's inventory from the database's document, or knows it by that."""
        return self._views[cell].inventories.read


class _Aggregates:
    """All aggregates, read at most once in AGGREGATES_FOR seconds. The same object as long as nothing changed."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._known: tuple[Aggregate, ...] = ()
        self._version: object = None
        self._until = float("-inf")

    def read(self, *, fresh: bool) -> tuple[Aggregate, ...]:
        with self._lock:
            now = self._clock.monotonic()
            if fresh or now >= self._until:
                # Ten thousand members are read only when something changed.
                version = self._database.fetch(aggregates_table.version)
                if fresh or version != self._version:
                    found = tuple(self._database.fetch(aggregates_table.list_aggregates))
                    if found != self._known:
                        self._known = found
                    self._version = version
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
        self._after: int | None = None           # where the next slice of all stamps begins; None: nothing was read yet
        self._time = self._time_at = 0.0         # of the database in milliseconds, and when it said so
        self.inventories = Inventories()
        self._changed: dict[int, HostState | None] = {}     # since the last snapshot
        self._needs = needs
        self._wide_at = self._slice_at = self._io_ops_at = self._metrics_at = float("-inf")
        self._io_ops: Mapping[int, int] = {}
        self._instances_then: dict[int, int] = {}    # of those which changed since io_ops was read, at that time
        self._metrics: Mapping[int, Mapping[str, float]] = {}
        self._snapshot = Snapshot()

    def snapshot(self, aggregates: tuple[Aggregate, ...], *, wide: bool = False) -> Snapshot:
        """Refresh, unless a refresh which began after this call did so already, and answer all hosts."""
        ticket = self._started
        with self._lock:
            if self._finished <= ticket or aggregates is not self._aggregates or wide:
                self._started += 1
                self._refresh(aggregates, wide)
                self._finished = self._started
            return self._snapshot

    def _refresh(self, aggregates: tuple[Aggregate, ...], wide: bool) -> None:
        now = self._clock.monotonic()
        wide |= now >= self._wide_at
        if not self._time or now - self._time_at > CLOCK_FOR:
            self._time, self._time_at = self._database.fetch(_now), now
        delta = self._database.fetch(self._read, self._newest - (WIDE_MS if wide else NARROW_MS), now)
        self._time, self._time_at = delta.time, now
        self._apply_rows(delta)
        self._apply_closed(delta.closed)
        self._apply_aggregates(aggregates)
        self._apply_busy(delta)
        if self._changed:
            self._snapshot = self._snapshot.replaced(self._changed)
            self._changed = {}
        if wide:
            self._wide_at = now + WIDE_INTERVAL
        if delta.after is not None:
            self._after = delta.after
            self._slice_at = now + FULL_INTERVAL / (len(self._states) // SLICE + 1)
        if delta.io_ops is not None:
            self._io_ops_at = now + IO_OPS_FOR
        if delta.metrics is not None:
            self._metrics_at = now + METRICS_FOR

    def _set(self, node_id: int, state: HostState | None) -> None:
        self._changed[node_id] = state
        if state is None:
            self._states.pop(node_id, None)
        else:
            self._states[node_id] = state

    def _look(self, session: Session, since: int, now: float) -> tuple[dict[str, _Closed], int, dict[int, int]]:
        """Answer all closed hosts, the database's time, and the stamps of nodes which changed: of all nodes at first."""
        # The database's own clock, as a number: its function for the time would keep it from using the index.
        passed = self._time + (now - self._time_at) * 1000
        closed: dict[str, _Closed] = {}
        time, stamps = 0, {}
        values = {"in_lost": int(passed - self._down_after * 1000), "in_since": -1 if self._after is None else since}
        for host, disabled, up, owing in session.execute(_LOOK, values):
            if owing == _STAMP:
                stamps[int(disabled)] = int(up)
            elif owing == _TIME:
                time = int(disabled)
            else:
                known = closed.get(host, _OPEN)
                closed[host] = _Closed(
                    up=known.up and bool(up), disabled=known.disabled or bool(disabled), owing=known.owing or bool(owing),
                )
        return closed, time, stamps

    def _slice(self, session: Session, after: int) -> tuple[dict[int, int], frozenset[int], int]:
        """Answer the stamps of the nodes in a slice, those of them which are gone, and where the next slice begins."""
        stamps = {row.id: row.changed_at for row in session.execute(_SLICE, {"in_after": after})}
        last = max(stamps) if len(stamps) == SLICE else None
        gone = frozenset(one for one in self._stamps if one > after and (last is None or one <= last) and one not in stamps)
        return stamps, gone, last or 0

    def _read(self, session: Session, since: int, now: float) -> _Delta:
        closed, time, stamps = self._look(session, since, now)
        gone: frozenset[int] = frozenset()
        after = None
        if self._after is None:
            after = 0
        elif now >= self._slice_at:
            more, gone, after = self._slice(session, self._after)
            stamps |= more
        changed = [node_id for node_id, stamp in stamps.items() if self._stamps.get(node_id) != stamp]
        inventories: dict[int, Inventory] = {}
        rows: list[Any] = []
        custom: dict[int, Mapping[str, int]] = {}
        hardware: dict[int, tuple[Hardware, ...]] = {}
        flavors: dict[int, frozenset[str]] = {}
        image_properties: dict[int, Mapping[tuple[str, str], int]] = {}
        for start in range(0, len(changed), 1000):
            ids = changed[start:start + 1000]
            found = session.execute(_ROWS, {"ids": ids}).all()
            rows += found
            inventories |= {row.id: self.inventories.read(row.id, row.inventory) for row in found}
            if special := [one for one in ids if one in inventories and inventories[one].resources]:
                custom |= claims.custom_sums(session, special)
            if special := [one for one in ids if one in inventories and (inventories[one].cells or inventories[one].devices)]:
                hardware |= claims.hardware_held(session, special)
            if FLAVORS in self._needs:
                flavors |= extra_facts.flavors(session, ids)
            if IMAGE_PROPERTIES in self._needs:
                image_properties |= extra_facts.image_properties(session, ids)
        return _Delta(
            rows=tuple(rows), inventories=inventories, gone=gone, closed=closed, time=time, after=after, custom=custom, hardware=hardware,
            flavors=flavors, image_properties=image_properties,
            io_ops=extra_facts.io_ops(session) if IO_OPS in self._needs and now >= self._io_ops_at else None,
            metrics=extra_facts.metrics(session) if METRICS in self._needs and now >= self._metrics_at else None,
        )

    def _apply_rows(self, delta: _Delta) -> None:
        for row in delta.rows:
            self._stamps[row.id] = row.changed_at
            self._newest = max(self._newest, row.changed_at)
            known = self._states.get(row.id)
            if not row.deleted:
                self._instances_then.setdefault(row.id, (row.instances or 0) if known is None else known.instances)
                self._set(row.id, self._state(row, delta))
            elif known is not None:
                self._set(row.id, None)
        for node_id in delta.gone:
            del self._stamps[node_id]
            self.inventories.forget(node_id)
            if node_id in self._states:
                self._set(node_id, None)

    def _state(self, row: Any, delta: _Delta) -> HostState:
        inventory = delta.inventories[row.id]
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

    def _apply_busy(self, delta: _Delta) -> None:
        concerned: set[int] = set()
        if delta.io_ops is not None:
            concerned |= self._io_ops.keys() | delta.io_ops.keys() | self._instances_then.keys()
            self._io_ops, self._instances_then = delta.io_ops, {}
        if delta.metrics is not None:
            concerned |= self._metrics.keys() | delta.metrics.keys()
            self._metrics = delta.metrics
        for node_id in concerned & self._states.keys():
            state = self._states[node_id]
            busy, measured = self._busy(node_id, state.instances), self._metrics.get(node_id, {})
            if busy != state.io_ops or measured != state.metrics:
                self._set(node_id, replace(state, io_ops=busy, metrics=measured))

    def _apply_closed(self, closed: Mapping[str, _Closed]) -> None:
        differing = {
            host for host in closed.keys() | self._closed.keys() if closed.get(host, _OPEN) != self._closed.get(host, _OPEN)
        }
        self._closed = closed
        for state in [one for one in self._states.values() if one.host in differing] if differing else ():
            now = closed.get(state.host, _OPEN)
            self._set(state.node_id, replace(state, up=now.up, disabled=now.disabled, owing=now.owing))

    def _apply_aggregates(self, aggregates: tuple[Aggregate, ...]) -> None:
        if aggregates is self._aggregates:
            return
        self._aggregates = aggregates
        self._zone_of = aggregates_table.zones_of_hosts(aggregates)
        self._metadata_of = aggregates_table.metadata_of_hosts(aggregates)
        for state in list(self._states.values()):
            metadata, zone = self._metadata_of.get(state.host, {}), self._zone_of.get(state.host, self._default_zone)
            if zone != state.availability_zone or metadata != state.metadata:
                self._set(state.node_id, replace(
                    state, availability_zone=zone, metadata=metadata, capacity=capacity(state.inventory, self._ratios, overrides(metadata)),
                    ratios=ratios_of(state.inventory, self._ratios, overrides(metadata)),
                ))


def _now(session: Session) -> int:
    return int(session.execute(sa.select(now_ms())).scalar_one())
