"""Spread or pack by memory."""

from __future__ import annotations

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.host_state import HostState
from novalike.scheduler.weights.base import Weigher


class RAMWeigher(Weigher):
    """Prefers hosts with more free memory; a negative multiplier packs them."""

    multiplier_option = "ram_weight_multiplier"

    def weigh(self, spec: RequestSpec, host: HostState) -> float:
        """Answer the free memory in MiB, without overcommit."""
        return host.free_ram_mb
