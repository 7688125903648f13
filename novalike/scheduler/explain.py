"""Why no host was found, in words for users: counts and constraints, never a host's name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from novalike.hardware.capacity import Shortage
from novalike.objects.request_spec import NoHost, Rejection, RequestSpec
from novalike.scheduler.filters.base import Filter
from novalike.scheduler.host_state import HostState
from novalike.scheduler.select import Decision, screen

#: How many rejected hosts are looked at for the nearest miss: enough to find a near one, bounded in a cloud of thousands.
LOOKED_AT = 2000
#: Removes hosts which looked fit and turned out to be full when they were claimed.
CLAIM = "the claim"

_UNITS = {"memory_mb": "{} MiB less memory", "disk_gb": "{} GiB less disk", "vcpus": "{} vCPU{} less"}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A host which passed the filters and refused the claim; without shortages for another reason."""

    host: HostState
    shortages: tuple[Shortage, ...] = ()
    reason: str = "not enough room"


def explain(
    spec: RequestSpec, decision: Decision, filters: Sequence[Filter], refusals: Sequence[Refusal] = (),
) -> NoHost:
    """Answer which filter removed how many hosts, the commonest reason, and the smallest change that would have fitted."""
    rejections = _rejections(decision, refusals)
    nearest = _nearest(spec, decision, filters, refusals)
    return NoHost(
        considered=decision.considered, rejections=rejections, nearest=nearest,
        summary=_summary(decision.considered, rejections, nearest),
    )


def _rejections(decision: Decision, refusals: Sequence[Refusal]) -> tuple[Rejection, ...]:
    reasons: dict[str, Counter[str]] = {}
    for removed in decision.removed:
        reasons.setdefault(removed.by, Counter())[removed.reason] += 1
    for refusal in refusals:
        reasons.setdefault(CLAIM, Counter())[refusal.reason] += 1
    counted = [
        Rejection(by=by, removed=counter.total(), reason=counter.most_common(1)[0][0]) for by, counter in reasons.items()
    ]
    return tuple(sorted(counted, key=lambda one: -one.removed))


def _nearest(
    spec: RequestSpec, decision: Decision, filters: Sequence[Filter], refusals: Sequence[Refusal],
) -> str | None:
    best: tuple[float, tuple[Shortage, ...]] | None = None
    single: Counter[tuple[str, str]] = Counter()
    misses = [refusal.shortages for refusal in refusals if refusal.shortages]
    for removed in decision.removed[:LOOKED_AT]:
        if screen(spec, removed.host) is not None:
            continue
        short, others = _misses(spec, removed.host, filters)
        if not others:
            misses.append(short)
        elif len(others) == 1 and not short:
            single[others[0]] += 1
    for short in misses:
        if any(one.missing >= one.wanted and one.resource != "disk_gb" for one in short):
            continue                             # nobody runs a server without memory or vCPUs
        distance = sum(one.missing / one.wanted for one in short)
        if best is None or distance < best[0]:
            best = (distance, short)
    if best is not None:
        return f"{' and '.join(_less(one) for one in best[1])} would have fitted."
    if single:
        (name, reason), count = single.most_common(1)[0]
        return f"{count} {'host' if count == 1 else 'hosts'} would have fitted but for {name} ({reason})."
    return None


def _misses(
    spec: RequestSpec, host: HostState, filters: Sequence[Filter],
) -> tuple[tuple[Shortage, ...], list[tuple[str, str]]]:
    """Answer what is short on a host, and which filters reject it for anything else."""
    short: list[Shortage] = []
    others: list[tuple[str, str]] = []
    for one in filters:
        reason = one.reject(spec, host)
        if reason is None:
            continue
        shortage = one.shortage(spec, host)
        if shortage is not None:
            short.append(shortage)
        else:
            others.append((one.name, reason))
    return tuple(short), others


def _less(shortage: Shortage) -> str:
    unit = _UNITS.get(shortage.resource, f"{{}} {shortage.resource} less")
    return unit.format(shortage.missing, "" if shortage.missing == 1 else "s")


def _summary(considered: int, rejections: Sequence[Rejection], nearest: str | None) -> str:
    if considered == 0:
        return "No valid host was found. There are no compute hosts."
    removed = ", ".join(
        f"{one.removed}{' removed' if index == 0 else ''} by {one.by} ({one.reason})" for index, one in enumerate(rejections)
    )
    text = f"No valid host was found. {considered} {'host' if considered == 1 else 'hosts'} considered: {removed}."
    return text if nearest is None else f"{text} Nearest: {nearest}"
