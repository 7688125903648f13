"""Is the host there?"""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import TYPE_CHECKING

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.filters.base import Filter
from novalike.scheduler.host_state import HostState

if TYPE_CHECKING:
    from novalike.scheduler.columns import Columns, Rejected

_DISABLED, _UP = attrgetter("disabled"), attrgetter("up")


class ComputeFilter(Filter):
    """Passes hosts whose compute service is enabled and up."""

    def reject(self, spec: RequestSpec, host: HostState) -> str | None:
        """Reject a host that is disabled, or was not heard of for service_down_time."""
        if host.disabled:
            return "disabled"
        return None if host.up else "down"

    def reject_columns(self, spec: RequestSpec, hosts: Columns) -> Iterable[Rejected] | None:
        """Answer the same for all hosts at once."""
        return ("disabled", hosts.flags(_DISABLED)), ("down", ~hosts.flags(_UP))
