"""Keep away from busy hosts."""

from __future__ import annotations

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.host_state import IO_OPS, HostState
from novalike.scheduler.weights.base import Weigher


class IoOpsWeigher(Weigher):
    """Prefers idle hosts, as its multiplier is negative by default; a positive one prefers busy hosts."""

    multiplier_option = "io_ops_weight_multiplier"
    needs = frozenset({IO_OPS})

    def weigh(self, spec: RequestSpec, host: HostState) -> float:
        """Answer how many servers are being built, moved, saved and the like there."""
        return host.io_ops
