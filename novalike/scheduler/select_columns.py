"""The pure core over columns: the same decision as select.py's, host by host, for a fraction of the time.

Who was removed and why is known as masks; the objects are made when somebody looks at them, which a success never does
beyond the first few.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, TypeVar, overload

import numpy as np

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.columns import Columns, Mask, Numbers, Rejected, has_form
from novalike.scheduler.filters.base import Filter
from novalike.scheduler.host_state import HostState, aggregates_of
from novalike.scheduler.options import Options
from novalike.scheduler.select import (
    CLEANUP,
    CLEANUP_REASON,
    EARLIER_ATTEMPTS,
    EARLIER_REASON,
    OWN_HOST,
    OWN_HOST_REASON,
    REQUESTED,
    REQUESTED_REASON,
    Decision,
    Ranked,
    Removed,
    Tally,
    by_chance,
)
from novalike.scheduler.snapshot import Snapshot
from novalike.scheduler.weights.base import Weigher

#: How many of the best are put in order at first: more than alternates and records need.
FEW = 16
_OWING = attrgetter("owing")
T = TypeVar("T")


def select_columns(
    spec: RequestSpec, snapshot: Snapshot, filters: Sequence[Filter], weighers: Sequence[Weigher], seed: str, options: Options,
) -> Decision:
    """Answer what select() answers; `filters` are those which are to be asked."""
    hosts = snapshot.columns
    left = np.ones(len(hosts.states), dtype=np.bool_)
    groups: dict[tuple[str, str], Mask] = {}
    remaining = len(hosts.states)

    def remove(by: str, rejected: Iterable[Rejected]) -> None:
        nonlocal remaining
        for reason, mask in rejected:
            gone = mask & left
            count = int(np.count_nonzero(gone))
            if count:
                known = groups.get((by, reason))
                groups[by, reason] = gone if known is None else gone | known
                np.logical_xor(left, gone, out=left)
                remaining -= count

    for by, reason, mask in _screened(spec, hosts):
        remove(by, [(reason, mask)])
    for one in filters:
        if not remaining:
            break
        rejected = one.reject_columns(spec, hosts) if has_form(one, "reject_columns") else None
        remove(one.name, hosts.each(left, _asking(one, spec)) if rejected is None else rejected)
    places = np.flatnonzero(left)
    ranking = _Ranking(hosts.states, places, _weights(spec, hosts, places, weighers))
    if options.host_subset_size > 1 or options.shuffle_best_same_weighed_hosts:
        ranking.by_chance(seed, options)
    removals = [_Group(by, reason, mask, int(np.count_nonzero(mask))) for (by, reason), mask in groups.items()]
    return Decision(len(hosts.states), ranking, _Removals(hosts.states, removals))


def _asking(one: Filter, spec: RequestSpec) -> Any:
    return lambda host: one.reject(spec, host)


def _screened(spec: RequestSpec, hosts: Columns) -> Iterator[tuple[str, str, Mask]]:
    """What select.screen says, in its order."""
    for wanted_host, wanted_node in ((spec.forced_host, spec.forced_node), (spec.requested_host, spec.requested_node)):
        if wanted_host is not None or wanted_node is not None:
            among = range(len(hosts.states)) if wanted_host is None else hosts.places(wanted_host)
            others = ~hosts.none()
            for place in among:
                if wanted_node in (None, hosts.states[place].node):
                    others[place] = False
            yield REQUESTED, REQUESTED_REASON, others
    if spec.leaves_host is not None:
        yield OWN_HOST, OWN_HOST_REASON, hosts.named((spec.leaves_host,))
    if spec.excluded_hosts:
        yield EARLIER_ATTEMPTS, EARLIER_REASON, hosts.named(spec.excluded_hosts)
    yield CLEANUP, CLEANUP_REASON, hosts.flags(_OWING)


def _weights(spec: RequestSpec, hosts: Columns, places: Any, weighers: Sequence[Weigher]) -> Numbers:
    """Sum what select.rank sums, in its order, so that not even the last bit differs."""
    totals: Numbers = np.zeros(len(places), dtype=np.float64)
    if len(places) < 2:
        return totals
    everywhere = len(places) == len(hosts.states)
    for weigher in weighers:
        multipliers = _multipliers(weigher, hosts, places)
        if isinstance(multipliers, float) and not multipliers:
            continue
        found = weigher.weigh_columns(spec, hosts) if has_form(weigher, "weigh_columns") else None
        if isinstance(found, float):
            continue                             # all hosts alike
        if found is None:
            weights = np.array([weigher.weigh(spec, hosts.states[place]) for place in places.tolist()], dtype=np.float64)
        else:
            weights = found if everywhere else found[places]
        least, most = weights.min(), weights.max()
        if least != most:
            totals += multipliers * ((weights - least) / (most - least))
    return totals


def _multipliers(weigher: Weigher, hosts: Columns, places: Any) -> Any:
    if type(weigher).multiplier is not Weigher.multiplier:
        return np.array([weigher.multiplier(hosts.states[place]) for place in places.tolist()], dtype=np.float64)
    found = hosts.kinds(aggregates_of).numbers(weigher.multiplier)
    return found if isinstance(found, float) else found[places]


class _Lazy(Sequence[T]):
    """A sequence which is equal to any other with the same content."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)


class _Ranking(_Lazy[Ranked]):
    """Hosts by weight, best first, equal ones in the snapshot's order. Only as many are put in order as are looked at."""

    __slots__ = ("_order", "_places", "_states", "_totals")

    def __init__(self, states: Sequence[HostState], places: Any, totals: Numbers) -> None:
        self._states, self._places, self._totals = states, places, totals
        self._order: Any = None

    def by_chance(self, seed: str, options: Options) -> None:
        """Let the seed decide as options say."""
        order = self._first(len(self)).tolist()
        if order:
            self._order = np.array(by_chance(order, int(np.count_nonzero(self._totals == self._totals.max())), seed, options))

    def _first(self, count: int) -> Any:
        """Answer where the first `count` are, or more of them."""
        if self._order is None or len(self._order) < count:
            size = len(self._totals)
            among = np.arange(size)
            if count <= FEW < size // 4:
                count = FEW
                among = np.flatnonzero(self._totals >= np.partition(self._totals, size - FEW)[size - FEW])
            self._order = among[np.argsort(-self._totals[among], kind="stable")][:max(count, FEW)]
        return self._order

    def _ranked(self, order: Any) -> tuple[Ranked, ...]:
        places, totals = self._places[order].tolist(), self._totals[order].tolist()
        return tuple(Ranked(self._states[place], total) for place, total in zip(places, totals, strict=True))

    def __len__(self) -> int:
        return len(self._totals)

    @overload
    def __getitem__(self, index: int) -> Ranked: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Ranked, ...]: ...
    def __getitem__(self, index: int | slice) -> Ranked | tuple[Ranked, ...]:
        wanted = range(len(self))[index]
        if isinstance(wanted, int):
            return self._ranked(self._first(wanted + 1)[wanted:wanted + 1])[0]
        if not wanted:
            return ()
        order = self._first(max(wanted) + 1)
        return self._ranked(order[list(wanted)])

    def __iter__(self) -> Iterator[Ranked]:
        if len(self):
            yield from self._ranked(self._first(min(FEW, len(self)))[:FEW])
        if len(self) > FEW:
            yield from self._ranked(self._first(len(self))[FEW:])


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """Hosts which were removed for one reason."""

    by: str
    reason: str
    mask: Mask
    count: int


class _Removals(_Lazy[Removed]):
    """Hosts which were removed, in the snapshot's order."""

    __slots__ = ("_groups", "_made", "_states")

    def __init__(self, states: Sequence[HostState], groups: Sequence[_Group]) -> None:
        self._states, self._groups = states, groups
        self._made: tuple[Removed, ...] | None = None

    def tally(self, named: int) -> tuple[Tally, ...]:
        """See select.tally."""
        found = [(np.flatnonzero(group.mask), group) for group in self._groups]
        found.sort(key=lambda one: int(one[0][0]))
        return tuple(
            Tally(group.by, group.reason, group.count, tuple(self._states[place] for place in places[:named].tolist()))
            for places, group in found
        )

    def _all(self) -> tuple[Removed, ...]:
        if self._made is None:
            codes = np.full(len(self._states), -1, dtype=np.int32)
            for code, group in enumerate(self._groups):
                codes[group.mask] = code
            self._made = tuple(
                Removed(state, self._groups[code].by, self._groups[code].reason)
                for state, code in zip(self._states, codes.tolist(), strict=True) if code >= 0
            )
        return self._made

    def __len__(self) -> int:
        return sum(group.count for group in self._groups)

    @overload
    def __getitem__(self, index: int) -> Removed: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Removed, ...]: ...
    def __getitem__(self, index: int | slice) -> Removed | tuple[Removed, ...]:
        return self._all()[index]

    def __iter__(self) -> Iterator[Removed]:
        return iter(self._all())
