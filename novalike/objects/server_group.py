"""Server groups: servers which shall be together, or apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

AFFINITY, ANTI_AFFINITY = "affinity", "anti-affinity"
SOFT_AFFINITY, SOFT_ANTI_AFFINITY = "soft-affinity", "soft-anti-affinity"
#: The only rule there is: how many servers of an anti-affinity group one host may have.
MAX_PER_HOST = "max_server_per_host"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerGroup:
    """A group of a project's servers and its policy: affinity, anti-affinity, or soft forms of both."""

    uuid: str
    name: str
    project_id: str
    user_id: str
    policy: str
    rules: dict[str, int] = field(default_factory=dict)   # max_server_per_host, for anti-affinity
    members: tuple[str, ...] = ()                          # uuids of its servers which still exist
    cell: str = ""                                         # which holds all of its servers
    id: int | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupPlaces:
    """A group as one of its servers sees it that looks for a host: the policy, and on which hosts how many others are."""

    policy: str
    max_per_host: int = 1
    others: dict[str, int] = field(default_factory=dict)


def places(group: ServerGroup, others: dict[str, int]) -> GroupPlaces:
    """Answer how a group looks to a server whose fellows are on these hosts."""
    return GroupPlaces(policy=group.policy, max_per_host=int(group.rules.get(MAX_PER_HOST, 1)), others=others)


def refusal(seen: GroupPlaces, host: str) -> str | None:
    """Answer why the group's policy forbids a host, in words for users, or None; soft policies forbid nothing."""
    here = seen.others.get(host, 0)
    if seen.policy == AFFINITY and seen.others and not here:
        return "the servers of its group are on another host"
    if seen.policy == ANTI_AFFINITY and here >= seen.max_per_host:
        return f"{here} server{'s' if here > 1 else ''} of its group already there"
    return None
