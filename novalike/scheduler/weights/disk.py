"""Spread or pack by disk."""

from __future__ import annotations

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.host_state import HostState
from novalike.scheduler.weights.base import Weigher


class DiskWeigher(Weigher):
    """Prefers hosts with more free disk; a negative multiplier packs them."""

    multiplier_option = "disk_weight_multiplier"

    def weigh(self, spec: RequestSpec, host: HostState) -> float:
        """Answer the free disk in GiB, without overcommit."""
        return host.free_disk_gb
