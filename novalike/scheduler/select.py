"""The pure core: from a question and a snapshot to ranked hosts and a record of the decision.

The same arguments give the same answer, so a placement can be replayed. The per-host form here is the specification of
any faster form.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.filters.base import Filter
from novalike.scheduler.host_state import HostState
from novalike.scheduler.options import Options
from novalike.scheduler.weights.base import Weigher

#: Names of what removes hosts before any filter runs.
EARLIER_ATTEMPTS, CLEANUP, REQUESTED, OWN_HOST = "earlier attempts", "pending cleanup", "the requested host", "the server's own host"


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
class Decision:
    """What became of every host considered: `ranked` best first, `removed` in the snapshot's order."""

    considered: int
    ranked: tuple[Ranked, ...]
    removed: tuple[Removed, ...]


def select(
    spec: RequestSpec, hosts: Sequence[HostState], filters: Sequence[Filter], weighers: Sequence[Weigher], seed: str,
    options: Options,
) -> Decision:
    """Answer all hosts which can take the server, best first, and why the others cannot.

    A forced host or node skips the filters, but those which are asked always (the claim still checks its capacity); a
    requested one does not. `seed` decides
    where options ask for chance.
    """
    passed: list[HostState] = []
    removed: list[Removed] = []
    forced = spec.forced_host is not None or spec.forced_node is not None
    active = tuple(one for one in filters if one.always or not forced)
    for host in hosts:
        reason = screen(spec, host)
        if reason is None:
            reason = first_reason(spec, host, active)
        if reason is None:
            passed.append(host)
        else:
            removed.append(Removed(host, *reason))
    return Decision(len(hosts), _chosen_first(rank(spec, passed, weighers), seed, options), tuple(removed))


def screen(spec: RequestSpec, host: HostState) -> tuple[str, str] | None:
    """Answer who removes the host before any filter runs, and why; None: filters decide."""
    for wanted_host, wanted_node in ((spec.forced_host, spec.forced_node), (spec.requested_host, spec.requested_node)):
        if wanted_host not in (None, host.host) or wanted_node not in (None, host.node):
            return REQUESTED, "another host was asked for"
    if host.host == spec.leaves_host:
        return OWN_HOST, "the server is there and has to move"
    if host.host in spec.excluded_hosts:
        return EARLIER_ATTEMPTS, "the server could not be built there"
    if host.owing:
        return CLEANUP, "cleaning up after an earlier server"
    return None


def first_reason(spec: RequestSpec, host: HostState, filters: Sequence[Filter]) -> tuple[str, str] | None:
    """Answer the first filter which rejects the host, and its reason; None: it can take the server."""
    for one in filters:
        reason = one.reject(spec, host)
        if reason is not None:
            return one.name, reason
    return None


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


def _chosen_first(ranked: list[Ranked], seed: str, options: Options) -> tuple[Ranked, ...]:
    if not ranked:
        return ()
    subset = options.host_subset_size
    if subset > 1 or options.shuffle_best_same_weighed_hosts:
        chance = random.Random(seed)  # noqa: S311  # a replayable choice, not a secret
        if options.shuffle_best_same_weighed_hosts:
            ties = sum(1 for one in ranked if one.weight == ranked[0].weight)
            best = ranked[:ties]
            chance.shuffle(best)
            ranked[:ties] = best
        if subset > 1:
            ranked.insert(0, ranked.pop(chance.randrange(min(subset, len(ranked)))))
    return tuple(ranked)
