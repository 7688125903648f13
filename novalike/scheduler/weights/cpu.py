"""Spread or pack by vCPUs."""

from __future__ import annotations

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.host_state import HostState
from novalike.scheduler.weights.base import Weigher


class CPUWeigher(Weigher):
    """Prefers hosts with more free vCPUs; a negative multiplier packs them."""

    multiplier_option = "cpu_weight_multiplier"

    def weigh(self, spec: RequestSpec, host: HostState) -> float:
        """Answer the free vCPUs, overcommit included."""
        return host.free_vcpus
