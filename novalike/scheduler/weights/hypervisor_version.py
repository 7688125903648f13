"""Newer hypervisors first."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.host_state import HostState
from novalike.scheduler.weights.base import Weigher

if TYPE_CHECKING:
    from novalike.scheduler.columns import Columns, Numbers

_READ = attrgetter("inventory.hypervisor_version")


class HypervisorVersionWeigher(Weigher):
    """Prefers hosts with a newer hypervisor; a negative multiplier prefers older ones."""

    multiplier_option = "hypervisor_version_weight_multiplier"

    def weigh(self, spec: RequestSpec, host: HostState) -> float:
        """Answer the version as the driver counts it; compare drivers of one kind."""
        return host.inventory.hypervisor_version

    def weigh_columns(self, spec: RequestSpec, hosts: Columns) -> Numbers | float | None:
        """Answer the same for all hosts at once."""
        return hosts.numbers(_READ)
