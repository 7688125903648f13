"""Is there enough disk?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from novalike.hardware.capacity import Shortage, demand, missing
from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.filters.base import Filter
from novalike.scheduler.host_state import HostState

if TYPE_CHECKING:
    from novalike.scheduler.columns import Columns, Rejected


class DiskFilter(Filter):
    """Passes hosts with enough disk for root, ephemeral and swap, times disk_allocation_ratio; a root volume needs none."""

    def reject(self, spec: RequestSpec, host: HostState) -> str | None:
        """Reject a host with too little of it."""
        return None if self.shortage(spec, host) is None else "not enough disk"

    def reject_columns(self, spec: RequestSpec, hosts: Columns) -> Iterable[Rejected] | None:
        """Answer the same for all hosts at once."""
        wanted = demand(spec.flavor, root_volume=spec.root_volume).disk_gb
        return (("not enough disk", hosts.numbers(_room) < wanted),) if wanted > 0 else ()

    def shortage(self, spec: RequestSpec, host: HostState) -> Shortage | None:
        """Answer how much less would have fitted."""
        wanted = demand(spec.flavor, root_volume=spec.root_volume).disk_gb
        lacking = missing(wanted, host.used.disk_gb, host.capacity.limit.disk_gb, host.capacity.largest.disk_gb)
        return Shortage("disk_gb", wanted, lacking) if lacking else None


class AggregateDiskFilter(DiskFilter):
    """The same under the name by which Nova told that disk_allocation_ratio in aggregates' metadata counts.

    It does for DiskFilter, too, and in the claim: the smallest of a host's aggregates wins over the host's own.
    """


def _room(host: HostState) -> int:
    return min(host.capacity.limit.disk_gb - host.used.disk_gb, host.capacity.largest.disk_gb)
