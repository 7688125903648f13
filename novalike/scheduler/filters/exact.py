"""Is the host exactly as large as the flavor? For machines which are given away whole."""

from __future__ import annotations

from novalike.hardware.capacity import demand
from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.filters.base import Filter
from novalike.scheduler.host_state import HostState


class ExactCoreFilter(Filter):
    """Passes hosts with exactly as many CPUs free as the flavor has, without overcommit."""

    def reject(self, spec: RequestSpec, host: HostState) -> str | None:
        """Reject a host with more or fewer."""
        free = host.inventory.vcpus - host.inventory.reserved_vcpus - host.used.vcpus
        return None if demand(spec.flavor).vcpus == free else "not exactly as many vCPUs"


class ExactRamFilter(Filter):
    """Passes hosts with exactly as much memory free as the flavor has, without overcommit."""

    def reject(self, spec: RequestSpec, host: HostState) -> str | None:
        """Reject a host with more or less."""
        return None if demand(spec.flavor).memory_mb == host.free_ram_mb else "not exactly as much memory"


class ExactDiskFilter(Filter):
    """Passes hosts with exactly as much disk free as the server needs, without overcommit."""

    def reject(self, spec: RequestSpec, host: HostState) -> str | None:
        """Reject a host with more or less."""
        wanted = demand(spec.flavor, root_volume=spec.root_volume).disk_gb
        return None if wanted == host.free_disk_gb else "not exactly as much disk"
