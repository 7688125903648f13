"""Spread or pack by the number of servers."""

from __future__ import annotations

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.host_state import HostState
from novalike.scheduler.weights.base import Weigher


class NumInstancesWeigher(Weigher):
    """With a positive multiplier prefers hosts with many servers, with a negative one those with few; 0 by default."""

    multiplier_option = "num_instances_weight_multiplier"

    def weigh(self, spec: RequestSpec, host: HostState) -> float:
        """Answer the number of servers."""
        return host.instances
