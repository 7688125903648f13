"""Measure what the control plane costs, on the fake driver (the hypervisor's own work is not counted), and real guests.

    devstack/bench create [--shape single|embedded|dropin] [--computes 20] [--repeat N] [--json]
    devstack/bench api [--json]
    devstack/bench start [--repeat N] [--json]
    devstack/bench guest [--repeat N] [--json]
    devstack/bench scheduler [--hosts 100,1000,10000] [--json]
    devstack/bench simulate [--hosts 10000] [--picture FILE.svg] [--json]
    devstack/bench network [--json]

create: time from POST to ACTIVE, and CPU seconds of every process per server: one server after the other, 100 in one POST,
100 POSTs; deletes; reads. In the shape dropin it is less of each, and its CPU is told apart: novalike's own, that of database
and broker, which serve all, and that of the neighbours. start: from the start of the embedded cloud's process to its first ACTIVE server, and its memory.
api: what reading costs, by request: rate, times, CPU of the API and MariaDB, queries; with 1 and 8 clients, alone and beside
100,000 servers of other projects. scheduler: what placing costs by the number of hosts, on MariaDB; scheduler and database should have
a core each. simulate: a data centre of pretended hosts in which servers come and go, spread and packed; draws a picture. network: from a change
of a security group to rules in the kernel, and CPU, with 200 ports, 1000 rules and 1000 members (root). guest: from POST to ACTIVE and to a login, beside the same domain defined and started by hand (root, libvirt).
Other work on the machine disturbs times more than CPU seconds; with --repeat the least and the median are shown.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import urllib.error
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from devstack import (
    accounting,
    bench_api,
    bench_guest,
    bench_network,
    bench_scheduler,
    bench_simulate,
    bench_tables,
    processes,
)
from devstack.accounting import Meter, percentile
from devstack.load import Cloud
from devstack.progress import step
from devstack.settings import STANDARD_PORTS, Settings
from devstack.stack import Stack

IDLE_SECONDS = 5.0
THREADS = 8


@dataclass(frozen=True, kw_only=True)
class Phase:
    """One measured piece of work: how many servers or requests, how long, CPU seconds by process, single times in seconds."""

    name: str
    count: int
    seconds: float
    cpu: dict[str, float]
    times: list[float] = field(default_factory=list)

    def row(self) -> dict[str, float]:
        """Answer the numbers of its row: rate a second, CPU milliseconds for each one by process and in sum, p50/p95 in ms."""
        each = {name: used / self.count * 1000 for name, used in self.cpu.items()}
        found = {"rate": self.count / self.seconds, **{f"cpu_{name}": used for name, used in each.items()}, "cpu": sum(each.values())}
        if self.times:
            found |= {"p50": percentile(self.times, 0.5) * 1000, "p95": percentile(self.times, 0.95) * 1000}
        return found


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much of each work is done."""

    sequential: int = 40
    paced: int = 50
    burst: int = 100
    gets: int = 300
    listed: int = 1000
    lists: int = 5
    warm_up: int = 20


#: How much beside real neighbours: a port costs them ten times as much as its server costs us.
BESIDE = Size(sequential=10, paced=10, burst=20, gets=100, listed=0, warm_up=4)
SHARED = ("mariadb", "rabbitmq")


class Bench:
    """The measurements of one cloud."""

    def __init__(self, cloud: Cloud, meter: Meter, size: Size) -> None:
        self.cloud, self.meter, self.size = cloud, meter, size

    def run(self) -> Iterator[Phase]:
        """Do all of it; answer each phase when it is done. There must be no server yet; none is left."""
        cloud, size = self.cloud, self.size
        self._warm_up()
        yield self.idle()
        yield self.measure("create, one after the other", size.sequential, self._sequential)
        yield self.measure("GET one server", size.gets, self._gets)
        yield self.measure("delete, one after the other", size.sequential, self._sequential_deletes)
        yield self.measure("create, one each 100 ms, no polling", size.paced, lambda _: self._paced())
        cloud.delete_together(cloud.servers(), THREADS)
        yield self.measure(f"create {size.burst} in one POST", size.burst, lambda _: self._burst(size.burst))
        yield self.measure(f"delete {size.burst}", size.burst, lambda _: cloud.delete_together(cloud.servers(), THREADS))
        yield self.measure(f"create, {size.burst} POSTs from {THREADS} threads", size.burst, lambda _: self._posts(size.burst))
        yield self.measure(f"delete {size.burst} again", size.burst, lambda _: cloud.delete_together(cloud.servers(), THREADS))
        if size.listed:
            yield self.measure(f"create {size.listed} by POSTs of 100", size.listed, lambda _: self._fill(size.listed))
            yield self.measure(f"list {size.listed} in detail", size.lists, self._lists)
            yield self.measure("GET one server among them", size.gets, self._gets)
            yield self.measure(f"delete {size.listed}", size.listed, lambda _: cloud.delete_together(cloud.servers(), THREADS))

    def measure(self, name: str, count: int, work: Callable[[list[float]], None]) -> Phase:
        """Run one piece of work and answer what it took."""
        times: list[float] = []
        with step(name):
            self.meter.start()
            begun = time.monotonic()
            work(times)
            seconds = time.monotonic() - begun
            time.sleep(0.3)                      # what the last server still causes belongs to it
            used = self.meter.used(seconds + 0.3)
        return Phase(name=name, count=count, seconds=seconds, cpu=used, times=times)

    def idle(self) -> Phase:
        """Measure what every process uses when nothing is asked of it; later phases do without that."""
        with step("idle"):
            self.meter.idle = {}
            self.meter.start()
            time.sleep(IDLE_SECONDS)
            used = self.meter.used(IDLE_SECONDS)
        self.meter.idle = {name: one / IDLE_SECONDS for name, one in used.items()}
        return Phase(name="idle, a second", count=int(IDLE_SECONDS), seconds=IDLE_SECONDS, cpu=used)

    def _warm_up(self) -> None:
        with step("warm-up"):
            count = self.size.warm_up
            self.cloud.create(count=count)
            self.cloud.until_built(count)
            self.cloud.create_together(count // 2, THREADS)
            self.cloud.until_built(count + count // 2)
            self.cloud.delete_together(self.cloud.servers(), THREADS)
            time.sleep(1)

    def _sequential(self, times: list[float]) -> None:
        for _ in range(self.size.sequential):
            begun = time.monotonic()
            self.cloud.until_active(self.cloud.create(), every=0.003)
            times.append(time.monotonic() - begun)

    def _sequential_deletes(self, times: list[float]) -> None:
        for server in self.cloud.servers():
            begun = time.monotonic()
            self.cloud.delete(server)
            self.cloud.until_gone(server, every=0.003)
            times.append(time.monotonic() - begun)

    def _paced(self) -> None:
        for _ in range(self.size.paced):
            self.cloud.create()
            time.sleep(0.1)
        self.cloud.until_built(self.size.paced)

    def _burst(self, count: int) -> None:
        self.cloud.create(count=count)
        self.cloud.until_built(count)

    def _posts(self, count: int) -> None:
        self.cloud.create_together(count, THREADS)
        self.cloud.until_built(count)

    def _fill(self, count: int) -> None:
        for done in range(100, count + 1, 100):
            self.cloud.create(count=100)
            self.cloud.until_built(done)

    def _gets(self, times: list[float]) -> None:
        path = f"/servers/{self.cloud.servers('limit=1&')[0]}"
        for _ in range(self.size.gets):
            begun = time.monotonic()
            self.cloud.session.ask("GET", path)
            times.append(time.monotonic() - begun)

    def _lists(self, times: list[float]) -> None:
        for _ in range(self.size.lists):
            begun = time.monotonic()
            found = self.cloud.session.ask("GET", "/servers/detail?limit=1000")[1]["servers"]
            times.append(time.monotonic() - begun)
            if len(found) != self.size.listed:
                raise RuntimeError(f"{len(found)} servers are listed where {self.size.listed} should be")


@contextmanager
def running(shape: str, computes: int, state: Path | None) -> Iterator[Stack]:
    """A stack on free ports, taken down at the end; or the one in `state`, which stays."""
    if state is not None:
        yield Stack(state)
        return
    stack = Stack(Path(tempfile.mkdtemp(prefix="novalike-bench-")))
    options = {"fake.vcpus": "64", "fake.memory_mb": "65536", "fake.local_gb": "4096"}
    try:
        stack.up(Settings(
            shape=shape, driver="fake", computes=computes, ports={name: processes.free_port() for name in STANDARD_PORTS},
            options=options,
        ))
        yield stack
    finally:
        stack.down(purge=True)


def create(given: argparse.Namespace) -> dict[str, object]:
    """Measure creating, deleting and reading; answer all rows of all runs, and the memory of each process at the end."""
    computes = given.computes or (4 if given.shape == "dropin" else 20)
    with running(given.shape, computes, given.state) as stack:
        assert stack.settings is not None
        beside = stack.settings.shape == "dropin"
        size = BESIDE if beside else Size(listed=0) if given.quick else Size()
        cloud = Cloud(stack.client())
        cloud.prepare()
        pids = {name: pid for name, pid in stack.status() if pid is not None}
        meter = Meter(pids)
        before = {name: accounting.memory_mb(pid) for name, pid in pids.items()}
        runs = []
        for number in range(given.repeat):
            if given.repeat > 1:
                print(f"run {number + 1} of {given.repeat}", file=sys.stderr)
            runs.append({phase.name: phase.row() for phase in Bench(cloud, meter, size).run()})
        after = {name: accounting.memory_mb(pid) for name, pid in pids.items()}
    return {
        "shape": stack.settings.shape, "computes": stack.settings.computes, "runs": runs, "groups": groups(stack, pids) if beside else {},
        "memory_mb": {name: {"at start": before[name], "at end": after[name]} for name in pids},
    }


def groups(stack: Stack, names: Iterable[str]) -> dict[str, list[str]]:
    """Answer whose each process is: novalike's, everybody's, the neighbours'."""
    theirs = {name for name, _pid in stack.neighbours().status()}
    return {
        "novalike": [name for name in names if name not in theirs and name not in SHARED],
        "shared": [name for name in names if name in SHARED], "neighbours": [name for name in names if name in theirs],
    }


def api(_given: argparse.Namespace) -> dict[str, object]:
    """Measure reading by the Compute API."""
    with running("single", 1, None) as stack:
        assert stack.settings is not None
        pids = {name: pid for name, pid in stack.status() if pid is not None}
        database = f"mysql+pymysql://root@127.0.0.1:{stack.settings.ports['mariadb']}/novalike"
        return bench_api.measure(Cloud(stack.client()), database, pids)


@dataclass(frozen=True, kw_only=True)
class Start:
    """One start of the embedded cloud: seconds from exec until it answers and until the first server is ACTIVE; memory."""

    answers: float
    active: float
    cpu: float
    memory_mb: float


def start(given: argparse.Namespace) -> dict[str, object]:
    """Measure starts of the embedded cloud in fresh state directories."""
    found = []
    for number in range(given.repeat):
        with step(f"start {number + 1}"):
            found.append(asdict(_start()))
    return {"starts": found}


def _start() -> Start:
    stack = Stack(Path(tempfile.mkdtemp(prefix="novalike-bench-")))
    wanted = Settings(shape="embedded", driver="fake", ports={name: processes.free_port() for name in STANDARD_PORTS})
    try:
        begun = time.monotonic()
        client = stack.up(wanted)
        answers = time.monotonic() - begun
        cloud = Cloud(client)                    # one login is measured, as a user needs one
        cloud.prepare()
        cloud.until_active(cloud.create(), every=0.005)
        active = time.monotonic() - begun
        pid = stack.pid("all")
        if pid is None:
            raise RuntimeError("novalike-all has ended")
        return Start(answers=answers, active=active, cpu=accounting.cpu_seconds(pid), memory_mb=accounting.memory_mb(pid))
    finally:
        stack.down(purge=True)


def guest(given: argparse.Namespace) -> dict[str, object]:
    """Measure real guests under libvirt."""
    return bench_guest.measure(given.repeat)


def network(given: argparse.Namespace) -> dict[str, object]:
    """Measure port security of one host."""
    return bench_network.measure()


def scheduler(given: argparse.Namespace) -> dict[str, object]:
    """Measure one scheduler by the number of hosts."""
    return bench_scheduler.measure([int(one) for one in (given.hosts or "100,1000,10000").split(",")])


def simulate(given: argparse.Namespace) -> dict[str, object]:
    """Let servers come and go in a pretended data centre."""
    return bench_simulate.measure(int(given.hosts or 10_000), given.picture)


def main(words: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="devstack/bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("create", "api", "start", "guest", "network", "scheduler", "simulate"))
    parser.add_argument("--shape", choices=("single", "embedded", "dropin"), default="single", help="create: of the cloud (default: single)")
    parser.add_argument("--computes", type=int, help="create: pretended hypervisors (default: 20; in the shape dropin 4)")
    parser.add_argument("--hosts", help="scheduler: sizes, with commas (default: 100,1000,10000); simulate: one (default: 10000)")
    parser.add_argument("--picture", type=Path, help="simulate: where to draw (default: docs/pictures/data-centre.svg)")
    parser.add_argument("--repeat", type=int, default=1, help="measure so often; the least and the median are shown")
    parser.add_argument("--quick", action="store_true", help="create: without the 1000 servers to list")
    parser.add_argument("--state", type=Path, help="create: measure the running stack of this directory, and leave it running")
    parser.add_argument("--json", action="store_true", help="print everything measured as JSON")
    given = parser.parse_args(words)
    try:
        measured = {
            "create": create, "api": api, "start": start, "guest": guest, "network": network, "scheduler": scheduler, "simulate": simulate,
        }[given.command](given)
    except (RuntimeError, TimeoutError, urllib.error.URLError) as error:
        print(f"devstack/bench: {error}", file=sys.stderr)
        return 1
    if given.json:
        print(json.dumps(measured, indent=1))
    else:
        {
            "create": bench_tables.create, "api": bench_api.show, "start": bench_tables.start, "guest": bench_guest.show,
            "network": bench_network.show, "scheduler": bench_scheduler.show, "simulate": bench_simulate.show,
        }[given.command](measured)
    return 0


if __name__ == "__main__":
    sys.exit(main())
