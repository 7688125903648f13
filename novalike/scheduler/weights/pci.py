"""Keep hosts with PCI devices for servers which want some."""

from __future__ import annotations

from typing import TYPE_CHECKING

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.host_state import HostState
from novalike.scheduler.weights.base import Weigher

if TYPE_CHECKING:
    from novalike.scheduler.columns import Columns, Numbers


class PCIWeigher(Weigher):
    """Prefers hosts with fewer free PCI devices: none for servers without, and no more than needed for the others."""

    multiplier_option = "pci_weight_multiplier"

    def weigh(self, spec: RequestSpec, host: HostState) -> float:
        """Answer how few devices are free."""
        return -_free(host)

    def weigh_columns(self, spec: RequestSpec, hosts: Columns) -> Numbers | float | None:
        """Answer the same for all hosts at once."""
        return -hosts.numbers(_free)


def _free(host: HostState) -> int:
    return host.free.devices
