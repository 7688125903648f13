"""Why no host was found, in words for users: counts and constraints, never a host's name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from novalike.objects.request_spec import NoHost, Rejection, RequestSpec
from novalike.scheduler.filters.base import Filter
from novalike.scheduler.nearest import Refusal, advice
from novalike.scheduler.select import Decision, tally

#: Removes hosts which looked fit and turned out to be full when they were claimed.
CLAIM = "the claim"


def explain(
    spec: RequestSpec, decision: Decision, filters: Sequence[Filter], refusals: Sequence[Refusal] = (),
) -> NoHost:
    """Answer which filter removed how many hosts, the commonest reason, and the smallest change that would have fitted."""
    rejections = _rejections(decision, refusals)
    nearest = advice(spec, decision, filters, refusals)
    return NoHost(
        considered=decision.considered, rejections=rejections, nearest=nearest,
        summary=_summary(decision.considered, rejections, nearest),
    )


def _rejections(decision: Decision, refusals: Sequence[Refusal]) -> tuple[Rejection, ...]:
    reasons: dict[str, Counter[str]] = {}
    for one in tally(decision.removed):
        reasons.setdefault(one.by, Counter())[one.reason] += one.count
    for refusal in refusals:
        reasons.setdefault(CLAIM, Counter())[refusal.reason] += 1
    counted = [
        Rejection(by=by, removed=counter.total(), reason=counter.most_common(1)[0][0]) for by, counter in reasons.items()
    ]
    return tuple(sorted(counted, key=lambda one: -one.removed))


def _summary(considered: int, rejections: Sequence[Rejection], nearest: str | None) -> str:
    if considered == 0:
        return "No valid host was found. There are no compute hosts."
    removed = ", ".join(
        f"{one.removed}{' removed' if index == 0 else ''} by {one.by} ({one.reason})" for index, one in enumerate(rejections)
    )
    text = f"No valid host was found. {considered} {'host' if considered == 1 else 'hosts'} considered: {removed}."
    return text if nearest is None else f"{text} Nearest: {nearest}"
