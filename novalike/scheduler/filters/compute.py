"""Is the host there?"""

from __future__ import annotations

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.filters.base import Filter
from novalike.scheduler.host_state import HostState


class ComputeFilter(Filter):
    """Passes hosts whose compute service is enabled and up."""

    def reject(self, spec: RequestSpec, host: HostState) -> str | None:
        """Reject a host that is disabled, or was not heard of for service_down_time."""
        if host.disabled:
            return "disabled"
        return None if host.up else "down"
