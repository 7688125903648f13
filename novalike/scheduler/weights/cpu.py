"""Spread or pack by vCPUs."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.host_state import HostState
from novalike.scheduler.weights.base import Weigher

if TYPE_CHECKING:
    from novalike.scheduler.columns import Columns, Numbers

_READ = attrgetter("free_vcpus")


class CPUWeigher(Weigher):
    """Prefers hosts with more free vCPUs; a negative multiplier packs them."""

    multiplier_option = "cpu_weight_multiplier"

    def weigh(self, spec: RequestSpec, host: HostState) -> float:
        """Answer the free vCPUs, overcommit included."""
        return host.free_vcpus

    def weigh_columns(self, spec: RequestSpec, hosts: Columns) -> Numbers | float | None:
        """Answer the same for all hosts at once."""
        return hosts.numbers(_READ)
