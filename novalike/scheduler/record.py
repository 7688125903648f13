"""From a decision of the pure core to the compact record which is kept of it."""

from __future__ import annotations

from collections.abc import Sequence

from novalike.hardware.capacity import demand
from novalike.objects.decision import Candidate, Decision, Removal
from novalike.objects.request_spec import NoHost, RequestSpec
from novalike.scheduler import select
from novalike.scheduler.explain import CLAIM
from novalike.scheduler.nearest import Refusal

#: How many hosts are named per reason, how many reasons per filter, and how many of the best.
HOSTS, REASONS, BEST = 5, 5, 3


def record(
    spec: RequestSpec, decision: select.Decision, *, request_id: str, driver: str, host: str | None = None,
    refusals: Sequence[Refusal] = (), lost: int = 0, answer: NoHost | None = None,
) -> Decision:
    """Answer the record of an attempt; `answer` is what the user was told when there was no host."""
    wanted = demand(spec.flavor, root_volume=spec.root_volume)
    return Decision(
        request_id=request_id, epoch=spec.epoch, role=spec.role, driver=driver, flavor=spec.flavor.name, vcpus=wanted.vcpus,
        memory_mb=wanted.memory_mb, disk_gb=wanted.disk_gb, custom=dict(wanted.custom), zone=spec.availability_zone,
        considered=decision.considered, passed=len(decision.ranked), removed=removals(decision, refusals), host=host, lost=lost,
        best=tuple(Candidate(host=one.host.host, node=one.host.node, weight=round(one.weight, 4)) for one in decision.ranked[:BEST]),
        nearest=answer.nearest if answer is not None else None, summary=answer.summary if answer is not None else None,
    )


def for_operators(decision: Decision) -> str:
    """Answer in words what removed which hosts: for the fault's details and the traceback in the action log, which admins see."""
    lines = [f"{decision.considered} considered, {decision.passed} passed the filters."]
    for one in decision.removed:
        more = one.count - len(one.hosts)
        lines.append(f"{one.by} ({one.reason}) removed {', '.join(one.hosts)}{f' and {more} more' if more else ''}.")
    return "\n".join(lines)


def removals(decision: select.Decision, refusals: Sequence[Refusal] = ()) -> tuple[Removal, ...]:
    """Answer what removed how many hosts: the commonest first, few reasons of each filter, and the rest of them as one."""
    refused: dict[str, list[str]] = {}
    for refusal in refusals:
        refused.setdefault(refusal.reason, []).append(refusal.host.host)
    counted = [
        Removal(by=one.by, reason=one.reason, count=one.count, hosts=tuple(host.host for host in one.hosts))
        for one in select.tally(decision.removed, HOSTS)
    ] + [
        Removal(by=CLAIM, reason=reason, count=len(hosts), hosts=tuple(hosts[:HOSTS])) for reason, hosts in refused.items()
    ]
    by_filter: dict[str, list[Removal]] = {}
    for one in sorted(counted, key=lambda one: -one.count):
        by_filter.setdefault(one.by, []).append(one)
    shown = [one for found in by_filter.values() for one in found[:REASONS]]
    shown += [
        Removal(by=by, reason="other reasons", count=sum(one.count for one in found[REASONS:]), hosts=found[REASONS].hosts)
        for by, found in by_filter.items() if len(found) > REASONS
    ]
    return tuple(sorted(shown, key=lambda one: -one.count))
