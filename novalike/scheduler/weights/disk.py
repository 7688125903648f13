"""Spread or pack by disk."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.host_state import HostState
from novalike.scheduler.weights.base import Weigher

if TYPE_CHECKING:
    from novalike.scheduler.columns import Columns, Numbers

_READ = attrgetter("free_disk_gb")


class DiskWeigher(Weigher):
    """Prefers hosts with more free disk; a negative multiplier packs them."""

    multiplier_option = "disk_weight_multiplier"

    def weigh(self, spec: RequestSpec, host: HostState) -> float:
        """Answer the free disk in GiB, without overcommit."""
        return host.free_disk_gb

    def weigh_columns(self, spec: RequestSpec, hosts: Columns) -> Numbers | float | None:
        """Answer the same for all hosts at once."""
        return hosts.numbers(_READ)
