"""Spread or pack by the number of servers."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.host_state import HostState
from novalike.scheduler.weights.base import Weigher

if TYPE_CHECKING:
    from novalike.scheduler.columns import Columns, Numbers

_READ = attrgetter("instances")


class NumInstancesWeigher(Weigher):
    """With a positive multiplier prefers hosts with many servers, with a negative one those with few; 0 by default."""

    multiplier_option = "num_instances_weight_multiplier"

    def weigh(self, spec: RequestSpec, host: HostState) -> float:
        """Answer the number of servers."""
        return host.instances

    def weigh_columns(self, spec: RequestSpec, hosts: Columns) -> Numbers | float | None:
        """Answer the same for all hosts at once."""
        return hosts.numbers(_READ)
