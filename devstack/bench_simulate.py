"""A pretended data centre: thousands of hosts, servers which come and go, the scheduler's pure core, no database. One seed, one outcome.

Twice the same servers come and stay for the same time; once hosts are weighed to spread them, once to pack them. What differs is
how many hosts stay empty, whether large servers still find a place, and how many are refused.
"""

from __future__ import annotations

import heapq
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from devstack.progress import step
from novalike.hardware.capacity import Amounts, Ratios, capacity, demand
from novalike.objects.flavor import Flavor
from novalike.objects.host import Inventory
from novalike.objects.request_spec import RequestSpec
from novalike.scheduler import plugins
from novalike.scheduler.filters.base import Filter
from novalike.scheduler.host_state import HostState
from novalike.scheduler.options import Options
from novalike.scheduler.select import select
from novalike.scheduler.snapshot import Snapshot
from novalike.scheduler.weights.base import Weigher

SEED, POINTS = 1, 120
#: Servers that come, for each host; and how many would be there together if none were refused, as a part of the hosts' memory.
ARRIVALS, PRESSURE = 20, 1.25
FLAVORS = {                                      # vCPUs, MiB, GiB; how often
    "small": (4, 8192, 20, 50), "medium": (8, 32768, 40, 30), "large": (16, 65536, 80, 15), "huge": (32, 131072, 320, 5),
}
#: What is asked for when the question is whether large servers still fit.
LARGE = "huge"
FILTERS = ("ComputeFilter", "RamFilter", "CoreFilter", "DiskFilter")
SPREAD, PACK = 1.0, -1.0
PICTURE = Path(__file__).parent.parent / "docs" / "pictures" / "data-centre.svg"


@dataclass(frozen=True, kw_only=True)
class Point:
    """The data centre at one moment, in parts of 1 but for the servers."""

    arrived: int
    servers: int
    used: float                                  # of all memory
    empty: float                                 # of all hosts: could be switched off
    stranded: float                              # of the free memory: on hosts where no huge server fits
    refused: float                               # of those which came since the point before


class Centre:
    """Hosts, and the servers on them."""

    def __init__(self, count: int, multiplier: float) -> None:
        options = Options(ram_weight_multiplier=multiplier, cpu_weight_multiplier=multiplier, disk_weight_multiplier=multiplier)
        self.options = options
        self.filters: tuple[Filter, ...] = plugins.load_filters(FILTERS, options)
        self.weighers: tuple[Weigher, ...] = plugins.load_weighers(("RAMWeigher", "CPUWeigher", "DiskWeigher"), options)
        self.hosts = Snapshot(_host(number) for number in range(count))
        self.memory = sum(host.inventory.memory_mb for host in self.hosts)

    def place(self, spec: RequestSpec) -> int | None:
        """Put a server on the best host; answer its node id, None when no host has room."""
        ranked = select(spec, self.hosts, self.filters, self.weighers, spec.instance_uuid, self.options).ranked
        if not ranked:
            return None
        self._change(ranked[0].host, demand(spec.flavor), 1)
        return ranked[0].host.node_id

    def leave(self, node_id: int, flavor: Flavor) -> None:
        """Take a server off its host."""
        host = self.hosts.find(node_id)
        assert host is not None
        wanted = demand(flavor)
        self._change(host, Amounts(-wanted.vcpus, -wanted.memory_mb, -wanted.disk_gb), -1)

    def _change(self, host: HostState, amounts: Amounts, count: int) -> None:
        self.hosts = self.hosts.replaced({host.node_id: replace(host, used=host.used + amounts, instances=host.instances + count)})

    def point(self, arrived: int, refused: float) -> Point:
        """Look at all hosts."""
        large = demand(_flavor(LARGE))
        free = used = stranded = empty = servers = 0
        for host in self.hosts:
            room = host.free_ram_mb
            free, used, servers, empty = free + room, used + host.used.memory_mb, servers + host.instances, empty + (host.instances == 0)
            if room < large.memory_mb or host.free_vcpus < large.vcpus or host.free_disk_gb < large.disk_gb:
                stranded += room
        return Point(
            arrived=arrived, servers=servers, used=used / self.memory, empty=empty / len(self.hosts), stranded=stranded / max(free, 1), refused=refused,
        )


def simulate(count: int, multiplier: float) -> tuple[list[Point], float]:
    """Let servers come and go; answer how it was over time, and the milliseconds of CPU for each server that came."""
    chance = random.Random(SEED)
    centre = Centre(count, multiplier)
    total = count * ARRIVALS
    names, often = list(FLAVORS), [one[3] for one in FLAVORS.values()]
    flavors = {name: _flavor(name) for name in names}
    mean = sum(flavors[name].memory_mb * share for name, share in zip(names, often, strict=True)) / sum(often)
    stay = PRESSURE * centre.memory / mean       # in arrivals: so many are there together
    leaving: list[tuple[float, int, int, str]] = []
    points, refused, seen, begun = [centre.point(0, 0.0)], 0, 0, time.process_time()
    for number in range(1, total + 1):
        name, until = chance.choices(names, often)[0], number + chance.expovariate(1 / stay)
        while leaving and leaving[0][0] <= number:
            _, _, node_id, gone = heapq.heappop(leaving)
            centre.leave(node_id, flavors[gone])
        node = centre.place(RequestSpec(instance_uuid=str(number), project_id="p", user_id="u", flavor=flavors[name]))
        if node is None:
            refused += 1
        else:
            heapq.heappush(leaving, (until, number, node, name))
        if number * POINTS // total > len(points) - 1:
            points.append(centre.point(number, refused / (number - seen)))
            refused, seen = 0, number
    return points, (time.process_time() - begun) / total * 1000


def _flavor(name: str) -> Flavor:
    vcpus, memory_mb, disk_gb, _ = FLAVORS[name]
    return Flavor(flavorid=name, name=name, vcpus=vcpus, memory_mb=memory_mb, root_gb=disk_gb)


def _host(number: int) -> HostState:
    memory = (196608, 262144, 393216)[number % 3]
    inventory = Inventory(
        host=f"host{number:05d}", node=f"host{number:05d}", uuid=str(number), hypervisor_type="fake", hypervisor_version=1, host_ip="127.0.0.1",
        vcpus=64, memory_mb=memory, local_gb=4096, cpu_allocation_ratio=4.0, ram_allocation_ratio=1.0, disk_allocation_ratio=1.0,
    )
    return HostState(
        node_id=number + 1, uuid=inventory.uuid, host=inventory.host, node=inventory.node, inventory=inventory, capacity=capacity(inventory, Ratios()),
    )


# --- what came of it --------------------------------------------------------------------------------------------------


def measure(count: int, picture: Path | None) -> dict[str, Any]:
    """Simulate both weighings, draw the picture, answer all points."""
    found: dict[str, Any] = {"hosts": count, "arrivals": count * ARRIVALS, "seed": SEED}
    series: dict[str, list[Point]] = {}
    for name, multiplier in (("spread", SPREAD), ("pack", PACK)):
        with step(f"{count * ARRIVALS} servers come to {count} hosts: {name}"):
            series[name], cost = simulate(count, multiplier)
        found[name] = {"points": [asdict(one) for one in series[name]], "cpu_ms": cost, **_last_quarter(series[name])}
    target = picture or PICTURE
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(draw(series, count))
    found["picture"] = str(target)
    return found


def _last_quarter(points: Sequence[Point]) -> dict[str, float]:
    later = points[len(points) * 3 // 4:]
    return {name: sum(getattr(one, name) for one in later) / len(later) for name in ("used", "empty", "stranded", "refused")}


def show(measured: Mapping[str, Any]) -> None:
    """Print how it was in the last quarter, when the centre is full."""
    table = Table(title=f"{measured['hosts']:,} hosts, {measured['arrivals']:,} servers; mean of the last quarter", title_justify="left")
    for name in ("", "spread", "pack"):
        table.add_column(name, justify="right" if name else "left")
    for title, name in TITLES:
        table.add_row(title, *(f"{measured[kind][name]:.2%}" for kind in ("spread", "pack")))
    table.add_row("CPU for each server, ms", *(f"{measured[kind]['cpu_ms']:.2f}" for kind in ("spread", "pack")))
    Console().print(table)
    print(measured["picture"])


TITLES = (
    ("memory in use", "used"), ("hosts without servers", "empty"), ("free memory where no huge server fits", "stranded"),
    ("servers refused", "refused"),
)
_WIDTH, _HEIGHT, _LEFT, _TOP, _GAP = 720, 130, 52, 58, 44
_COLOURS = {"spread": "#1f77b4", "pack": "#d62728"}


def draw(series: Mapping[str, Sequence[Point]], count: int) -> str:
    """Answer an SVG picture: one panel for each measure, one line for each weighing."""
    height = _TOP + len(TITLES) * (_HEIGHT + _GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{_LEFT}" y="20" font-size="15">{count:,} hosts, {count * ARRIVALS:,} servers come and go</text>',
    ]
    for place, (name, colour) in enumerate(_COLOURS.items()):
        x = _LEFT + place * 90
        parts.append(f'<path d="M{x} 36h20" stroke="{colour}" stroke-width="2"/><text x="{x + 26}" y="40">{name}</text>')
    for place, (title, measure_name) in enumerate(TITLES):
        parts += _panel(series, title, measure_name, _TOP + place * (_HEIGHT + _GAP))
    return "\n".join([*parts, "</svg>", ""])


def _panel(series: Mapping[str, Sequence[Point]], title: str, name: str, top: float) -> list[str]:
    most = max(getattr(one, name) for points in series.values() for one in points)
    scale = next(one for one in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0) if one >= min(most, 1.0))
    width, bottom = _WIDTH - _LEFT - 16, top + 14 + _HEIGHT - 14
    parts = [f'<text x="{_LEFT}" y="{top + 6}">{title}</text>']
    for part in (0.0, 0.5, 1.0):
        y = bottom - part * (_HEIGHT - 14)
        parts.append(f'<path d="M{_LEFT} {y:g}h{width}" stroke="#ddd"/><text x="{_LEFT - 6}" y="{y + 4:g}" text-anchor="end">{part * scale:.3g}</text>')
    for kind, points in series.items():
        last = points[-1].arrived or 1
        line = " ".join(
            f"{_LEFT + one.arrived / last * width:.1f},{bottom - getattr(one, name) / scale * (_HEIGHT - 14):.1f}" for one in points
        )
        parts.append(f'<polyline points="{line}" fill="none" stroke="{_COLOURS[kind]}" stroke-width="1.5"/>')
    return parts
