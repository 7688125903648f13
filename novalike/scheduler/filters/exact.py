"""Is the host exactly as large as the flavor? For machines which are given away whole."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import TYPE_CHECKING

from novalike.hardware.capacity import demand
from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.filters.base import Filter
from novalike.scheduler.host_state import HostState

if TYPE_CHECKING:
    from novalike.scheduler.columns import Columns, Rejected

_FREE_RAM_MB, _FREE_DISK_GB = attrgetter("free_ram_mb"), attrgetter("free_disk_gb")


class ExactCoreFilter(Filter):
    """Passes hosts with exactly as many CPUs free as the flavor has, without overcommit."""

    def reject(self, spec: RequestSpec, host: HostState) -> str | None:
        """Reject a host with more or fewer."""
        return None if demand(spec.flavor).vcpus == _free_vcpus(host) else "not exactly as many vCPUs"

    def reject_columns(self, spec: RequestSpec, hosts: Columns) -> Iterable[Rejected] | None:
        """Answer the same for all hosts at once."""
        return (("not exactly as many vCPUs", hosts.numbers(_free_vcpus) != demand(spec.flavor).vcpus),)


class ExactRamFilter(Filter):
    """Passes hosts with exactly as much memory free as the flavor has, without overcommit."""

    def reject(self, spec: RequestSpec, host: HostState) -> str | None:
        """Reject a host with more or less."""
        return None if demand(spec.flavor).memory_mb == host.free_ram_mb else "not exactly as much memory"

    def reject_columns(self, spec: RequestSpec, hosts: Columns) -> Iterable[Rejected] | None:
        """Answer the same for all hosts at once."""
        return (("not exactly as much memory", hosts.numbers(_FREE_RAM_MB) != demand(spec.flavor).memory_mb),)


class ExactDiskFilter(Filter):
    """Passes hosts with exactly as much disk free as the server needs, without overcommit."""

    def reject(self, spec: RequestSpec, host: HostState) -> str | None:
        """Reject a host with more or less."""
        wanted = demand(spec.flavor, root_volume=spec.root_volume).disk_gb
        return None if wanted == host.free_disk_gb else "not exactly as much disk"

    def reject_columns(self, spec: RequestSpec, hosts: Columns) -> Iterable[Rejected] | None:
        """Answer the same for all hosts at once."""
        wanted = demand(spec.flavor, root_volume=spec.root_volume).disk_gb
        return (("not exactly as much disk", hosts.numbers(_FREE_DISK_GB) != wanted),)


def _free_vcpus(host: HostState) -> int:
    return host.inventory.vcpus - host.inventory.reserved_vcpus - host.used.vcpus
