"""Keep away from hosts where builds fail."""

from __future__ import annotations

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.host_state import HostState
from novalike.scheduler.weights.base import Weigher


class BuildFailureWeigher(Weigher):
    """Pushes back hosts on which builds failed in a row."""

    multiplier_option = "build_failure_weight_multiplier"
    sign = -1.0

    def weigh(self, spec: RequestSpec, host: HostState) -> float:
        """Answer the number of failed builds since the last that succeeded."""
        return host.build_failures
