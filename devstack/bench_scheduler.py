"""What placing costs by the number of hosts: one scheduler on one core, MariaDB beside it, a part of the hosts changing all the time.

A placement is what the scheduler does for each server: look which hosts changed, choose, claim in one transaction. The claims are
real; the servers are rows without anybody who builds them.
"""

from __future__ import annotations

from novalike import concurrency

if __name__ == "__main__":
    concurrency.setup()                          # as the daemon does

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from devstack import accounting, mariadb, processes
from devstack.accounting import percentile
from devstack.progress import step
from novalike import conf as configuration
from novalike.clock import Clock
from novalike.context import service_context
from novalike.db import aggregates, hosts, instances, migrations
from novalike.db.cells import FIRST_CELL, Cells
from novalike.db.engine import Database
from novalike.db.models.hosts import ClaimRow, ComputeNodeRow, ServiceRow
from novalike.exception import NoValidHost
from novalike.objects.flavor import Flavor
from novalike.objects.host import HostUsage, Inventory
from novalike.objects.instance import Instance
from novalike.objects.request_spec import RequestSpec
from novalike.rpc import serializer
from novalike.scheduler.manager import SchedulerManager
from novalike.scheduler.select import select

#: Placements one after the other, then by so many threads at once.
LATENCIES, CLAIMS, THREADS = 600, 3000, 8
#: Servers on each host before, and which part of the hosts changes every second.
BEFORE, CHANGING = 10, 0.01
ZONES = 8
#: Milliseconds for Nova on a like machine, by hosts, as the issue gives them; and what is aimed at for 10,000 hosts.
NOVA = {20: 100, 100: 304, 1000: 2413}
AIMS = {"p99_ms": 10.0, "rate": 500.0, "first_snapshot": 2.0}
_NODES, _SERVICES, _CLAIMS = (cast("sa.Table", model.__table__) for model in (ComputeNodeRow, ServiceRow, ClaimRow))
_NOW = datetime.fromisoformat("2026-01-02T03:04:05")
_FLAVOR = Flavor(flavorid="1", name="m1.bench", vcpus=2, memory_mb=2048, root_gb=20)


# --- the cloud --------------------------------------------------------------------------------------------------------


def fill(database: Database, count: int, servers: int) -> None:
    """Make so many hosts in zones, with servers on them, and so many servers which wait for a place."""
    cells = Cells.single(database)
    migrations.sync(cells)
    now = database.fetch(lambda session: int(session.execute(sa.select(hosts.now_ms())).scalar_one()))
    names = [f"host{number:05d}" for number in range(count)]
    for start in range(0, count, 1000):
        database.write(_hosts, names[start:start + 1000], start, now)
    database.write(_claims)
    for zone in range(ZONES):
        database.write(_zone, zone, names[zone::ZONES])
    for start in range(0, servers, 500):
        database.write(instances.create, [_server() for _ in range(min(500, servers - start))])
    with database.engine.begin() as connection:
        connection.exec_driver_sql("ANALYZE TABLE compute_nodes, services, claims, instances")


def _hosts(session: Any, names: Sequence[str], start: int, now: int) -> None:
    found = [_inventory(name, start + number) for number, name in enumerate(names)]
    session.execute(sa.insert(_NODES), [{
        "uuid": one.uuid, "host": one.host, "node": one.node, "vcpus": one.vcpus, "memory_mb": one.memory_mb, "local_gb": one.local_gb,
        "inventory": serializer.dump(Inventory, one), "usage": serializer.dump(HostUsage, HostUsage()), "build_failures": 0,
        "changed_at": now - 60_000, "deleted": 0, "created_at": _NOW,
    } for one in found])
    session.execute(sa.insert(_SERVICES), [{
        "uuid": str(uuid.uuid4()), "host": one.host, "binary": hosts.COMPUTE_BINARY, "topic": "compute", "disabled": 0, "forced_down": 0,
        "last_seen": now + 3_600_000, "version": 1, "created_at": _NOW,
    } for one in found])


def _inventory(name: str, number: int) -> Inventory:
    return Inventory(
        host=name, node=f"{name}.example.org", uuid=str(uuid.uuid4()), hypervisor_type="QEMU", hypervisor_version=7_002_000 + number % 3,
        host_ip=f"10.{number // 65536}.{number // 256 % 256}.{number % 256}", vcpus=64, memory_mb=262_144 - number % 7 * 1024, local_gb=4096,
        reserved_memory_mb=512, cpu_info={"arch": "x86_64", "vendor": "AMD", "model": "EPYC", "topology": {"sockets": 1, "cores": 32, "threads": 2},
                                          "features": [f"feature{one}" for one in range(100)]},
        supported=(("x86_64", "qemu", "hvm"), ("x86_64", "kvm", "hvm")), traits=tuple(f"HW_CPU_X86_{one}" for one in range(60)),
        capabilities={"rack": f"r{number // 40}"},
    )


def _claims(session: Any) -> None:
    columns = ("instance_uuid", "role", "compute_node_id", "epoch", "vcpus", "memory_mb", "disk_gb", "resources", "created_at")
    session.execute(sa.text(
        f"INSERT INTO claims ({', '.join(columns)}) SELECT UUID(), 'instance', n.id, 1, 1 + s.seq % 4, 1024 * (1 + (n.id + s.seq) % 8), 20, '{{}}', "
        f"n.created_at FROM compute_nodes n JOIN seq_1_to_{BEFORE} s",
    ))


def _zone(session: Any, zone: int, names: Sequence[str]) -> None:
    made = aggregates.create_aggregate(session, name=f"az{zone}", now=_NOW, availability_zone=f"az{zone}")
    session.execute(sa.insert(aggregates._MEMBERS), [{"aggregate_id": made.id, "host": name} for name in names])  # noqa: SLF001  # add_host is for one


def _server() -> Instance:
    own = str(uuid.uuid4())
    return Instance(
        id=0, uuid=own, project_id="bench", user_id="bench", display_name="n", hostname="n", vm_state="building", flavor=_FLAVOR, created_at=_NOW,
    )


def change(url: str, count: int) -> None:
    """Change a part of the hosts every second, and let all of them heartbeat each ten, until standard input ends."""
    database = Database(url)
    done = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), done.set()), daemon=True).start()
    chance = random.Random(1)
    beat, number = int(count / 10) or 1, 0
    while not done.wait(0.1):
        number += 1
        some = sorted({chance.randint(1, count) for _ in range(max(1, round(count * CHANGING / 10)))})
        database.write(lambda session, ids: session.execute(
            sa.update(_NODES).where(_NODES.c.id.in_(ids)).values(build_failures=1 - _NODES.c.build_failures, changed_at=hosts.next_stamp()),
        ), some)
        if number % 10 == 0:
            first = number // 10 % 10 * beat
            database.write(lambda session, low: session.execute(
                sa.update(_SERVICES).where(_SERVICES.c.id > low, _SERVICES.c.id <= low + beat).values(last_seen=_SERVICES.c.last_seen + 1),
            ), first)


# --- the scheduler's process ------------------------------------------------------------------------------------------


class Parts:
    """Where the time of placements goes: CPU and wall seconds by name, of calls which are wrapped."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}

    def wrap(self, thing: Any, method: str, name: str) -> None:
        """Measure a method of an object from now on."""
        inner = getattr(thing, method)

        def measured(*args: Any, **kwargs: Any) -> Any:
            begun, cpu = time.perf_counter(), time.thread_time()
            try:
                return inner(*args, **kwargs)
            finally:
                known = self.seconds.setdefault(name, [0.0, 0.0])
                known[0] += time.perf_counter() - begun
                known[1] += time.thread_time() - cpu
        setattr(thing, method, measured)


def serve(url: str, count: int) -> dict[str, Any]:
    """Place servers in this process, on one core; answer everything measured."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    database = Database(url, pool_size=20)       # as the daemon has
    before = accounting.memory_mb(os.getpid())
    manager = SchedulerManager(configuration.load(), Cells.single(database), Clock())
    begun, cpu = time.perf_counter(), time.process_time()
    manager.start()
    found: dict[str, Any] = {
        "hosts": len(manager.hosts.snapshot(FIRST_CELL)), "first_snapshot": time.perf_counter() - begun, "first_snapshot_cpu": time.process_time() - cpu,
    }
    waiting = database.fetch(lambda session: list(session.scalars(sa.text("SELECT uuid FROM instances ORDER BY id"))))
    place = _placer(manager)
    for one in waiting[:20]:
        place(one)
    del waiting[:20]
    found |= _choosing(manager)
    found |= _throughput(place, waiting[LATENCIES:])
    found |= _latencies(manager, database, place, waiting[:LATENCIES])
    found["memory_mb"] = accounting.memory_mb(os.getpid())
    found["memory_of_hosts_mb"] = found["memory_mb"] - before
    return found


def _placer(manager: SchedulerManager) -> Callable[[str], bool]:
    context = service_context()

    def place(server: str) -> bool:
        # Half of them ask for a zone.
        number = int(server[:4], 16)
        zone = f"az{number % ZONES}" if number % 2 else None
        spec = RequestSpec(instance_uuid=server, project_id="bench", user_id="bench", flavor=_FLAVOR, availability_zone=zone)
        try:
            manager.placing.select_host(context, spec=spec)
        except NoValidHost:
            return False
        return True
    return place


def _latencies(manager: SchedulerManager, database: Database, place: Callable[[str], bool], servers: Sequence[str]) -> dict[str, Any]:
    """Place one after the other, with pauses as a cloud has them; then tell where the time went."""
    parts = Parts()
    parts.wrap(manager.hosts, "snapshot", "refresh")
    parts.wrap(manager.placing._driver, "decide", "choose")  # noqa: SLF001  # to look inside is what this is for
    parts.wrap(database, "write", "claim")
    times, cpu = [], 0.0
    for number, server in enumerate(servers):
        begun, used = time.perf_counter(), time.process_time()
        place(server)
        times.append(time.perf_counter() - begun)
        cpu += time.process_time() - used
        time.sleep(0.0002 if number % 2 else 0.02)
    each = len(servers)
    shares = {name: {"ms": wall / each * 1000, "cpu_ms": used / each * 1000} for name, (wall, used) in parts.seconds.items()}
    mean = sum(times) / each * 1000
    shares["rest"] = {
        "ms": mean - sum(one["ms"] for one in shares.values()), "cpu_ms": cpu / each * 1000 - sum(one["cpu_ms"] for one in shares.values()),
    }
    return {
        "p50_ms": percentile(times, 0.5) * 1000, "p99_ms": percentile(times, 0.99) * 1000, "worst_ms": max(times) * 1000, "mean_ms": mean,
        "cpu_ms": cpu / each * 1000, "parts": shares,
    }


def _throughput(place: Callable[[str], bool], servers: Sequence[str]) -> dict[str, Any]:
    """Place from several threads at once, as the daemon does under load."""
    failed = []

    def some(number: int) -> None:
        failed.extend(not place(server) for server in servers[number::THREADS])
    threads = [threading.Thread(target=some, args=(number,)) for number in range(THREADS)]
    begun, cpu = time.perf_counter(), time.process_time()
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    seconds, used = time.perf_counter() - begun, time.process_time() - cpu
    return {"rate": len(servers) / seconds, "busy_cpu_ms": used / len(servers) * 1000, "failed": sum(failed), "threads": THREADS}


def _choosing(manager: SchedulerManager) -> dict[str, Any]:
    """Choose without database: by what the size decides for, and host by host."""
    snapshot, driver = manager.hosts.snapshot(FIRST_CELL), manager.placing._driver  # noqa: SLF001
    spec = RequestSpec(instance_uuid=str(uuid.uuid4()), project_id="bench", user_id="bench", flavor=_FLAVOR)

    def mean(count: int, work: Callable[[], Any]) -> float:
        work()
        begun = time.process_time()
        for _ in range(count):
            work()
        return (time.process_time() - begun) / count * 1000
    listed = tuple(snapshot)
    return {
        "choose_ms": mean(50, lambda: driver.decide(spec, snapshot, "s").ranked[:8]),
        "choose_zone_ms": mean(50, lambda: driver.decide(_in_zone(spec), snapshot, "s").ranked[:8]),
        "choose_by_host_ms": mean(3, lambda: select(spec, listed, driver.filters, driver.weighers, "s", driver.options)),
    }


def _in_zone(spec: RequestSpec) -> RequestSpec:
    return RequestSpec(
        instance_uuid=spec.instance_uuid, project_id=spec.project_id, user_id=spec.user_id, flavor=spec.flavor, availability_zone="az3",
    )


# --- the measurement --------------------------------------------------------------------------------------------------


def measure(sizes: Sequence[int]) -> dict[str, Any]:
    """Measure a cloud of each size on a MariaDB of its own; answer all rows."""
    with tempfile.TemporaryDirectory(prefix="novalike-bench-", ignore_cleanup_errors=True) as folder:
        state = Path(folder)
        try:
            base = mariadb.start(state, processes.free_port())
            pid = processes.read_pid(state / "mariadb.pid")
            return {"rows": [_one(base, count, pid or 0) for count in sizes], "changing": CHANGING, "before": BEFORE}
        finally:
            mariadb.stop(state)


def _one(base: str, count: int, server_pid: int) -> dict[str, Any]:
    name = f"hosts{count}"
    server = Database(f"{base}mysql")
    with server.engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    server.dispose()
    database = Database(f"{base}{name}")
    try:
        with step(f"{count} hosts with {BEFORE} servers each"):
            fill(database, count, LATENCIES + CLAIMS + 20)
    finally:
        database.dispose()
    command = [sys.executable, "-m", "devstack.bench_scheduler"]
    changing = subprocess.Popen([*command, "change", f"{base}{name}", str(count)], stdin=subprocess.PIPE)
    try:
        with step(f"{LATENCIES + CLAIMS} placements among {count} hosts"):
            used = accounting.cpu_seconds(server_pid)
            done = subprocess.run([*command, "serve", f"{base}{name}", str(count)], check=True, stdout=subprocess.PIPE, timeout=600)
    finally:
        changing.communicate(b"", timeout=30)
    return {**json.loads(done.stdout), "mariadb_ms": (accounting.cpu_seconds(server_pid) - used) / (LATENCIES + CLAIMS) * 1000}


def show(measured: Mapping[str, Any]) -> None:
    """Print one column for each size."""
    rows: list[dict[str, Any]] = measured["rows"]
    table = Table(
        title=f"One scheduler on one core, MariaDB; {measured['changing']:.0%} of the hosts change every second", title_justify="left",
    )
    table.add_column("hosts")
    for row in rows:
        table.add_column(f"{row['hosts']:,}", justify="right")
    table.add_column("aim at 10,000", justify="right")
    lines: list[tuple[str, str, str, str]] = [
        ("placement p50, ms", "p50_ms", ".1f", ""), ("placement p99, ms", "p99_ms", ".1f", "< 10"), ("worst, ms", "worst_ms", ".1f", ""),
        ("CPU of the scheduler, ms", "cpu_ms", ".2f", ""), (f"claims per second, {THREADS} at once", "rate", ".0f", "> 500"),
        ("CPU for each of them, ms", "busy_cpu_ms", ".2f", ""), ("choosing, ms", "choose_ms", ".2f", ""),
        ("choosing in a zone, ms", "choose_zone_ms", ".2f", ""), ("choosing host by host, ms", "choose_by_host_ms", ".1f", ""),
        ("CPU of MariaDB for each, with all changes, ms", "mariadb_ms", ".2f", ""), ("first snapshot, s", "first_snapshot", ".2f", "< 2"), ("memory of the process, MiB", "memory_mb", ".0f", ""),
        ("of it for hosts, MiB", "memory_of_hosts_mb", ".0f", ""),
    ]
    for title, name, form, aim in lines:
        table.add_row(title, *(format(row[name], form) for row in rows), aim)
    table.add_section()
    for part in ("refresh", "choose", "claim", "rest"):
        table.add_row(f"of the mean: {part}, ms (CPU)", *(
            f"{row['parts'][part]['ms']:.2f} ({row['parts'][part]['cpu_ms']:.2f})" if part in row["parts"] else "" for row in rows
        ), "")
    table.add_row("[dim]Nova, ms", *(f"[dim]{NOVA.get(row['hosts'], '')}" for row in rows), "")
    Console(width=140).print(table)


def main() -> int:
    """What the measurement starts as processes of their own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("serve", "change"))
    parser.add_argument("url")
    parser.add_argument("count", type=int)
    given = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if given.what == "change":
        change(given.url, given.count)
        return 0
    print(json.dumps(serve(given.url, given.count)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
