"""What would become of servers: a dry run over a snapshot, which claims nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from novalike.hardware import fitting
from novalike.hardware.capacity import Amounts, demand
from novalike.objects.hardware import Hardware
from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.drivers.base import Driver
from novalike.scheduler.host_state import HostState
from novalike.scheduler.select import Decision, Ranked, first_reason, screen
from novalike.scheduler.snapshot import Snapshot

#: More servers than anybody asks about on one host.
MOST = 1 << 20


@dataclass(frozen=True, slots=True)
class Room:
    """How many more servers of one kind fit, and what stops the next one, by how many of the hosts which take any."""

    servers: int
    hosts: int
    limits: tuple[tuple[str, str, int], ...]     # filter, reason, hosts; what stops most hosts first


def place(driver: Driver, spec: RequestSpec, hosts: Snapshot, count: int) -> tuple[list[Ranked], Decision]:
    """Answer where so many servers would go, one after the other, and the last decision: on failure it says why."""
    wanted, now, placed = demand(spec.flavor, root_volume=spec.root_volume), hosts, []
    for number in range(count):
        decision = driver.decide(spec, now, f"{spec.instance_uuid}/{number}")
        if not decision.ranked:
            break
        best = decision.ranked[0]
        placed.append(best)
        now = now.replaced({best.host.node_id: _with(spec, best.host, wanted, 1)})
    return placed, decision


def room(driver: Driver, spec: RequestSpec, hosts: Sequence[HostState]) -> Room:
    """Answer how many more servers fit. A filter is taken to refuse all that come after the first it refuses."""
    wanted = demand(spec.flavor, root_volume=spec.root_volume)
    forced = spec.forced_host is not None or spec.forced_node is not None
    filters = [one for one in driver.filters if one.always or not forced]
    total, taking, limits = 0, 0, Counter[tuple[str, str]]()
    for host in hosts:
        if screen(spec, host) is not None or first_reason(spec, host, filters) is not None:
            continue
        fits, beyond = 1, 2                      # `fits` do; look for the first number which does not
        while beyond < MOST and first_reason(spec, _with(spec, host, wanted, beyond - 1), filters) is None:
            fits, beyond = beyond, beyond * 2
        while beyond - fits > 1:
            middle = (fits + beyond) // 2
            if first_reason(spec, _with(spec, host, wanted, middle - 1), filters) is None:
                fits = middle
            else:
                beyond = middle
        total, taking = total + fits, taking + 1
        reason = first_reason(spec, _with(spec, host, wanted, fits), filters)
        limits[reason or ("nothing", "no filter sets a limit")] += 1
    return Room(total, taking, tuple((*reason, count) for reason, count in limits.most_common()))


def _with(spec: RequestSpec, host: HostState, wanted: Amounts, count: int) -> HostState:
    # Not io_ops: a builder is done one day.
    more = Amounts(
        wanted.vcpus * count, wanted.memory_mb * count, wanted.disk_gb * count,
        {name: amount * count for name, amount in wanted.custom.items()},
    )
    return replace(host, used=host.used + more, instances=host.instances + count, free=_left(spec, host, count))


def _left(spec: RequestSpec, host: HostState, count: int) -> fitting.Free:
    """Answer the hardware which so many servers leave, or as many of them as fit."""
    left = host.free
    for _ in range(count if spec.hardware is not None else 0):
        granted = fitting.fit(spec.hardware, left, host.ratios) if spec.hardware is not None else None
        if not isinstance(granted, Hardware):
            break
        left = fitting.take(left, granted)
    return left
