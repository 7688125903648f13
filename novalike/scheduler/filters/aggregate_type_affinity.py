"""Are the host's aggregates kept for other flavors?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.filters import aggregate_metadata
from novalike.scheduler.filters.base import Filter
from novalike.scheduler.host_state import HostState, aggregates_of

if TYPE_CHECKING:
    from novalike.scheduler.columns import Columns, Rejected


class AggregateTypeAffinityFilter(Filter):
    """Passes hosts whose aggregates list the flavor's name under `instance_type`, or list none."""

    def reject(self, spec: RequestSpec, host: HostState) -> str | None:
        """Reject a host kept for other flavors."""
        names = aggregate_metadata.values(host, "instance_type")
        return "kept for other flavors" if names and spec.flavor.name not in names else None

    def reject_columns(self, spec: RequestSpec, hosts: Columns) -> Iterable[Rejected] | None:
        """Answer the same for all hosts at once."""
        return hosts.kinds(aggregates_of).rejected(lambda host: self.reject(spec, host))
