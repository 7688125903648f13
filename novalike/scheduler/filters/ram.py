"""Is there enough memory?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from novalike.hardware.capacity import Shortage, demand, missing
from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.filters.base import Filter
from novalike.scheduler.host_state import HostState

if TYPE_CHECKING:
    from novalike.scheduler.columns import Columns, Rejected


class RamFilter(Filter):
    """Passes hosts with enough memory that nobody was promised, times ram_allocation_ratio; no server may exceed the real memory."""

    def reject(self, spec: RequestSpec, host: HostState) -> str | None:
        """Reject a host with too little of it."""
        return "not enough memory" if self._missing(spec, host) else None

    def reject_columns(self, spec: RequestSpec, hosts: Columns) -> Iterable[Rejected] | None:
        """Answer the same for all hosts at once."""
        wanted = demand(spec.flavor).memory_mb
        return (("not enough memory", hosts.numbers(_room) < wanted),) if wanted > 0 else ()

    def shortage(self, spec: RequestSpec, host: HostState) -> Shortage | None:
        """Answer how much less would have fitted."""
        lacking = self._missing(spec, host)
        return Shortage("memory_mb", demand(spec.flavor).memory_mb, lacking) if lacking else None

    @staticmethod
    def _missing(spec: RequestSpec, host: HostState) -> int:
        has = host.capacity
        return missing(demand(spec.flavor).memory_mb, host.used.memory_mb, has.limit.memory_mb, has.largest.memory_mb)


class AggregateRamFilter(RamFilter):
    """The same under the name by which Nova told that ram_allocation_ratio in aggregates' metadata counts.

    It does for RamFilter, too, and in the claim: the smallest of a host's aggregates wins over the host's own.
    """


def _room(host: HostState) -> int:
    return min(host.capacity.limit.memory_mb - host.used.memory_mb, host.capacity.largest.memory_mb)
