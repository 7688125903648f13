"""The smallest change to a request after which a host would have taken the server: advice for whoever got none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from novalike.hardware.capacity import Shortage
from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.filters.base import Filter
from novalike.scheduler.host_state import HostState
from novalike.scheduler.select import Decision, screen

#: How many rejected hosts are looked at: enough to find a near one, bounded in a cloud of thousands.
LOOKED_AT = 2000

_UNITS = {"memory_mb": "{} MiB less memory", "disk_gb": "{} GiB less disk", "vcpus": "{} vCPU{} less", "PCPU": "{} dedicated CPU{} less"}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A host which passed the filters and refused the claim; without shortages for another reason."""

    host: HostState
    shortages: tuple[Shortage, ...] = ()
    reason: str = "not enough room"


@dataclass(frozen=True, slots=True)
class Change:
    """What a user would have to change: less of some amounts, and other wishes ("in zone az2"); `hosts` fit after it."""

    less: tuple[Shortage, ...] = ()
    wishes: tuple[str, ...] = ()
    hosts: int = 1

    @property
    def size(self) -> tuple[int, float]:
        """Answer how large it is: another wish is more than any amount, and amounts count by the part of what was asked for."""
        return len(self.wishes), sum(one.missing / one.wanted for one in self.less)

    def __str__(self) -> str:
        wishes = " and ".join(self.wishes)
        if not self.less:
            return f"{_hosts(self.hosts)} would have fitted {wishes}."
        less = " and ".join(
            _UNITS.get(one.resource, f"{{}} {one.resource} less").format(one.missing, "" if one.missing == 1 else "s")
            for one in self.less
        )
        return f"{less}{' ' if wishes else ''}{wishes} would have fitted."


@dataclass(frozen=True, slots=True)
class _Miss:
    """What is in a host's way: amounts, wishes which could be others, and what no wish could change (filter and reason)."""

    less: tuple[Shortage, ...]
    wishes: tuple[str, ...] = ()
    fixed: tuple[tuple[str, str], ...] = ()


def smallest_change(
    spec: RequestSpec, decision: Decision, filters: Sequence[Filter], refusals: Sequence[Refusal] = (),
) -> Change | None:
    """Answer the smallest change that would have done; None when users can change nothing that helps."""
    return _smallest(list(_misses(spec, decision, filters, refusals)))


def advice(spec: RequestSpec, decision: Decision, filters: Sequence[Filter], refusals: Sequence[Refusal] = ()) -> str | None:
    """Answer the smallest change in words; or what alone is in the way of most hosts, when users cannot change it."""
    misses = list(_misses(spec, decision, filters, refusals))
    change = _smallest(misses)
    if change is not None:
        return str(change)
    alone = Counter(one.fixed[0] for one in misses if len(one.fixed) == 1 and not one.less and not one.wishes)
    if not alone:
        return None
    (name, reason), count = alone.most_common(1)[0]
    return f"{_hosts(count)} would have fitted but for {name} ({reason})."


def _smallest(misses: Sequence[_Miss]) -> Change | None:
    counted = Counter((one.less, one.wishes) for one in misses if not one.fixed and all(_possible(short) for short in one.less))
    changes = (Change(less, wishes, count) for (less, wishes), count in counted.items())
    return min(changes, key=lambda one: (one.size, -one.hosts), default=None)


def _possible(short: Shortage) -> bool:
    # Nobody runs a server without memory or vCPUs.
    return short.missing < short.wanted or short.resource == "disk_gb"


def _misses(
    spec: RequestSpec, decision: Decision, filters: Sequence[Filter], refusals: Sequence[Refusal],
) -> Iterator[_Miss]:
    yield from (_Miss(refusal.shortages) for refusal in refusals if refusal.shortages)
    forced = spec.forced_host is not None or spec.forced_node is not None
    asked = [one for one in filters if one.always or not forced]
    for removed in decision.removed[:LOOKED_AT]:
        if screen(spec, removed.host) is None:
            yield _miss(spec, removed.host, asked)


def _miss(spec: RequestSpec, host: HostState, filters: Sequence[Filter]) -> _Miss:
    less: dict[str, Shortage] = {}
    wishes: dict[str, None] = {}
    fixed: list[tuple[str, str]] = []
    for one in filters:
        reason = one.reject(spec, host)
        if reason is None:
            continue
        shortages = one.shortages(spec, host)
        for shortage in shortages:
            known = less.get(shortage.resource)
            if known is None or shortage.missing > known.missing:
                less[shortage.resource] = shortage
        if shortages:
            continue
        if (remedy := one.remedy(spec, host)) is not None:
            wishes[remedy] = None
        else:
            fixed.append((one.name, reason))
    return _Miss(tuple(less.values()), tuple(wishes), tuple(fixed))


def _hosts(count: int) -> str:
    return f"{count} {'host' if count == 1 else 'hosts'}"
