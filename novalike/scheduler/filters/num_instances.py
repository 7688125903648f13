"""Are there enough servers on the host already?"""

from __future__ import annotations

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.filters import aggregate_metadata
from novalike.scheduler.filters.base import Filter
from novalike.scheduler.host_state import HostState


class NumInstancesFilter(Filter):
    """Passes hosts with fewer servers than max_instances_per_host."""

    def reject(self, spec: RequestSpec, host: HostState) -> str | None:
        """Reject a host with so many."""
        return None if host.instances < self.limit(host) else "has as many servers as it may"

    def limit(self, host: HostState) -> int:
        """Answer the host's limit."""
        return self.options.max_instances_per_host


class AggregateNumInstancesFilter(NumInstancesFilter):
    """NumInstancesFilter with limits per aggregate, by the metadata key max_instances_per_host; of several the smallest."""

    def limit(self, host: HostState) -> int:
        """Answer the host's limit."""
        return aggregate_metadata.smallest(host, "max_instances_per_host", self.options.max_instances_per_host)
