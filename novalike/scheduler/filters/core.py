"""Are there enough vCPUs?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from novalike.hardware.capacity import Shortage, demand, missing
from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.filters.base import Filter
from novalike.scheduler.host_state import HostState

if TYPE_CHECKING:
    from novalike.scheduler.columns import Columns, Rejected


class CoreFilter(Filter):
    """Passes hosts with enough vCPUs that nobody was promised, times cpu_allocation_ratio; no server may exceed the real CPUs."""

    def reject(self, spec: RequestSpec, host: HostState) -> str | None:
        """Reject a host with too little of it."""
        return "not enough vCPUs" if self._missing(spec, host) else None

    def reject_columns(self, spec: RequestSpec, hosts: Columns) -> Iterable[Rejected] | None:
        """Answer the same for all hosts at once."""
        wanted = demand(spec.flavor).vcpus
        return (("not enough vCPUs", hosts.numbers(_room) < wanted),) if wanted > 0 else ()

    def shortage(self, spec: RequestSpec, host: HostState) -> Shortage | None:
        """Answer how much less would have fitted."""
        lacking = self._missing(spec, host)
        return Shortage("vcpus", demand(spec.flavor).vcpus, lacking) if lacking else None

    @staticmethod
    def _missing(spec: RequestSpec, host: HostState) -> int:
        has = host.capacity
        return missing(demand(spec.flavor).vcpus, host.used.vcpus, has.limit.vcpus, has.largest.vcpus)


class AggregateCoreFilter(CoreFilter):
    """The same under the name by which Nova told that cpu_allocation_ratio in aggregates' metadata counts.

    It does for CoreFilter, too, and in the claim: the smallest of a host's aggregates wins over the host's own.
    """


def _room(host: HostState) -> int:
    return min(host.capacity.limit.vcpus - host.used.vcpus, host.capacity.largest.vcpus)
