"""Do the servers of a group stay together, or apart?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from novalike.objects.request_spec import RequestSpec
from novalike.objects.server_group import AFFINITY, ANTI_AFFINITY, refusal
from novalike.scheduler.filters.base import Filter
from novalike.scheduler.host_state import HostState

if TYPE_CHECKING:
    from novalike.scheduler.columns import Columns, Rejected


class _Policy(Filter):
    """Asks the policy which a subclass is about. The claim asks again, under the group's lock: this only avoids lost races."""

    policy: ClassVar[str]

    def remedy(self, spec: RequestSpec, host: HostState) -> str | None:
        """Answer that the group is in the way: its other servers cannot be wished away."""
        return "outside its server group"

    def reject(self, spec: RequestSpec, host: HostState) -> str | None:
        """Reject a host which the group's policy forbids."""
        if spec.group is None or spec.group.policy != self.policy:
            return None
        return refusal(spec.group, host.host)

    def reject_columns(self, spec: RequestSpec, hosts: Columns) -> Iterable[Rejected] | None:
        """Answer the same for all hosts at once."""
        if spec.group is None or spec.group.policy != self.policy:
            return ()
        there = hosts.named(spec.group.others)
        elsewhere = refusal(spec.group, "")      # of a host without servers of the group
        rejected = hosts.each(there, lambda host: self.reject(spec, host))
        return rejected if elsewhere is None else [*rejected, (elsewhere, ~there)]


class ServerGroupAffinityFilter(_Policy):
    """Passes only the host on which the other servers of the group are; any host for the first."""

    policy = AFFINITY


class ServerGroupAntiAffinityFilter(_Policy):
    """Passes hosts with fewer servers of the group than its rule max_server_per_host allows (1 without one)."""

    policy = ANTI_AFFINITY
