"""The pure core: from a question and a snapshot to ranked hosts and a record of the decision.

The same arguments give the same answer, so a placement can be replayed. The per-host form here is the specification of
the faster form over columns, which is used for big snapshots (select_columns.py).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import TypeVar

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.filters.base import Filter
from novalike.scheduler.host_state import HostState
from novalike.scheduler.options import Options
from novalike.scheduler.snapshot import BIG, Snapshot
from novalike.scheduler.weights.base import Weigher

#: Names of what removes hosts before any filter runs.
EARLIER_ATTEMPTS, CLEANUP, REQUESTED, OWN_HOST = "earlier attempts", "pending cleanup", "the requested host", "the server's own host"
EARLIER_REASON, CLEANUP_REASON = "the server could not be built there", "cleaning up after an earlier server"
REQUESTED_REASON, OWN_HOST_REASON = "another host was asked for", "the server is there and has to move"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ranked:
    """A host which can take the server, and its weight."""

    host: HostState
    weight: float


@dataclass(frozen=True, slots=True)
class Removed:
    """A host which cannot take the server: which filter says so, and why in words for users."""

    host: HostState
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Tally:
    """How many hosts were removed for one reason, and the first few of them."""

    by: str
    reason: str
    count: int
    hosts: tuple[HostState, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of every host considered: `ranked` best first, `removed` in the snapshot's order.

    Of a big snapshot both are made as they are looked at: the first few and tally() cost little, looking at all of them does.
    """

    considered: int
    ranked: Sequence[Ranked]
    removed: Sequence[Removed]


def select(
    spec: RequestSpec, hosts: Sequence[HostState], filters: Sequence[Filter], weighers: Sequence[Weigher], seed: str,
    options: Options,
) -> Decision:
    """Answer all hosts which can take the server, best first, and why the others cannot.

    A forced host or node skips the filters, but those which are asked always (the claim still checks its capacity); a
    requested one does not. `seed` decides
    where options ask for chance.
    """
    forced = spec.forced_host is not None or spec.forced_node is not None
    active = tuple(one for one in filters if one.always or not forced)
    if isinstance(hosts, Snapshot) and len(hosts) >= BIG:
        # Brings numpy, which small clouds do without.
        from novalike.scheduler.select_columns import select_columns

        return select_columns(spec, hosts, active, weighers, seed, options)
    passed: list[HostState] = []
    removed: list[Removed] = []
    for host in hosts:
        reason = screen(spec, host)
        if reason is None:
            reason = first_reason(spec, host, active)
        if reason is None:
            passed.append(host)
        else:
            removed.append(Removed(host, *reason))
    ranked = rank(spec, passed, weighers)
    ties = sum(1 for one in ranked if one.weight == ranked[0].weight)
    return Decision(len(hosts), tuple(by_chance(ranked, ties, seed, options)), tuple(removed))


def screen(spec: RequestSpec, host: HostState) -> tuple[str, str] | None:
    """Answer who removes the host before any filter runs, and why; None: filters decide."""
    for wanted_host, wanted_node in ((spec.forced_host, spec.forced_node), (spec.requested_host, spec.requested_node)):
        if wanted_host not in (None, host.host) or wanted_node not in (None, host.node):
            return REQUESTED, REQUESTED_REASON
    if host.host == spec.leaves_host:
        return OWN_HOST, OWN_HOST_REASON
    if host.host in spec.excluded_hosts:
        return EARLIER_ATTEMPTS, EARLIER_REASON
    if host.owing:
        return CLEANUP, CLEANUP_REASON
    return None


def first_reason(spec: RequestSpec, host: HostState, filters: Sequence[Filter]) -> tuple[str, str] | None:
    """Answer the first filter which rejects the host, and its reason; None: it can take the server."""
    for one in filters:
        reason = one.reject(spec, host)
        if reason is not None:
            return one.name, reason
    return None


def passes(spec: RequestSpec, host: HostState, filters: Sequence[Filter]) -> bool:
    """Answer whether select() would rank a host."""
    forced = spec.forced_host is not None or spec.forced_node is not None
    active = tuple(one for one in filters if one.always or not forced)
    return screen(spec, host) is None and first_reason(spec, host, active) is None


def rank(spec: RequestSpec, hosts: Sequence[HostState], weighers: Sequence[Weigher]) -> list[Ranked]:
    """Answer the hosts by weight, best first; equal ones in the given order."""
    totals = [0.0] * len(hosts)
    if len(hosts) > 1:
        for weigher in weighers:
            for index, weight in enumerate(normalised([weigher.weigh(spec, host) for host in hosts])):
                if weight:
                    totals[index] += weigher.multiplier(hosts[index]) * weight
    ranked = [Ranked(host, total) for host, total in zip(hosts, totals, strict=True)]
    ranked.sort(key=attrgetter("weight"), reverse=True)
    return ranked


def normalised(weights: Sequence[float]) -> list[float]:
    """Answer the weights stretched to 0..1; all 0 when they are equal."""
    least, most = min(weights), max(weights)
    if least == most:
        return [0.0] * len(weights)
    span = most - least
    return [(weight - least) / span for weight in weights]


def by_chance(order: list[T], ties: int, seed: str, options: Options) -> list[T]:
    """Answer what is ordered best first, the first `ties` of it alike, with chance where options ask for it. May change it."""
    subset = options.host_subset_size
    if order and (subset > 1 or options.shuffle_best_same_weighed_hosts):
        chance = random.Random(seed)  # noqa: S311  # a replayable choice, not a secret
        if options.shuffle_best_same_weighed_hosts:
            best = order[:ties]
            chance.shuffle(best)
            order[:ties] = best
        if subset > 1:
            order.insert(0, order.pop(chance.randrange(min(subset, len(order)))))
    return order


def tally(removed: Sequence[Removed], named: int = 0) -> tuple[Tally, ...]:
    """Answer how many hosts were removed for which reasons, with the first `named` of each; first met, first listed."""
    quick = getattr(removed, "tally", None)      # of a big snapshot
    if quick is not None:
        return tuple(quick(named))
    found: dict[tuple[str, str], list[HostState]] = {}
    for one in removed:
        found.setdefault((one.by, one.reason), []).append(one.host)
    return tuple(Tally(by, reason, len(hosts), tuple(hosts[:named])) for (by, reason), hosts in found.items())
