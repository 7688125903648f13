"""No filter at all."""

from __future__ import annotations

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.filters.base import Filter
from novalike.scheduler.host_state import HostState


class AllHostsFilter(Filter):
    """Passes every host."""

    def reject(self, spec: RequestSpec, host: HostState) -> str | None:
        """Reject nothing."""
        return None
