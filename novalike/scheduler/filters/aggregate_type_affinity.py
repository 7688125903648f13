"""Are the host's aggregates kept for other flavors?"""

from __future__ import annotations

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.filters import aggregate_metadata
from novalike.scheduler.filters.base import Filter
from novalike.scheduler.host_state import HostState


class AggregateTypeAffinityFilter(Filter):
    """Passes hosts whose aggregates list the flavor's name under `instance_type`, or list none."""

    def reject(self, spec: RequestSpec, host: HostState) -> str | None:
        """Reject a host kept for other flavors."""
        names = aggregate_metadata.values(host, "instance_type")
        return "kept for other flavors" if names and spec.flavor.name not in names else None
