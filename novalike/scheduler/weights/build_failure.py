"""Keep away from hosts where builds fail."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.host_state import HostState
from novalike.scheduler.weights.base import Weigher

if TYPE_CHECKING:
    from novalike.scheduler.columns import Columns, Numbers

_READ = attrgetter("build_failures")


class BuildFailureWeigher(Weigher):
    """Pushes back hosts on which builds failed in a row."""

    multiplier_option = "build_failure_weight_multiplier"
    sign = -1.0

    def weigh(self, spec: RequestSpec, host: HostState) -> float:
        """Answer the number of failed builds since the last that succeeded."""
        return host.build_failures

    def weigh_columns(self, spec: RequestSpec, hosts: Columns) -> Numbers | float | None:
        """Answer the same for all hosts at once."""
        return hosts.numbers(_READ)
