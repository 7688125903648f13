"""Are there enough servers on the host already?"""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import TYPE_CHECKING

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.filters import aggregate_metadata
from novalike.scheduler.filters.base import Filter
from novalike.scheduler.host_state import HostState, aggregates_of

if TYPE_CHECKING:
    from novalike.scheduler.columns import Columns, Rejected

_INSTANCES = attrgetter("instances")


class NumInstancesFilter(Filter):
    """Passes hosts with fewer servers than max_instances_per_host."""

    def reject(self, spec: RequestSpec, host: HostState) -> str | None:
        """Reject a host with so many."""
        return None if host.instances < self.limit(host) else "has as many servers as it may"

    def reject_columns(self, spec: RequestSpec, hosts: Columns) -> Iterable[Rejected] | None:
        """Answer the same for all hosts at once."""
        return (("has as many servers as it may", hosts.numbers(_INSTANCES) >= self.options.max_instances_per_host),)

    def limit(self, host: HostState) -> int:
        """Answer the host's limit."""
        return self.options.max_instances_per_host


class AggregateNumInstancesFilter(NumInstancesFilter):
    """NumInstancesFilter with limits per aggregate, by the metadata key max_instances_per_host; of several the smallest."""

    def limit(self, host: HostState) -> int:
        """Answer the host's limit."""
        return aggregate_metadata.smallest(host, "max_instances_per_host", self.options.max_instances_per_host)

    def reject_columns(self, spec: RequestSpec, hosts: Columns) -> Iterable[Rejected] | None:
        """Answer the same for all hosts at once."""
        return (("has as many servers as it may", hosts.numbers(_INSTANCES) >= hosts.kinds(aggregates_of).numbers(self.limit)),)
