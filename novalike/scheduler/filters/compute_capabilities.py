"""Has the host what the flavor's extra specs ask for?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from novalike.objects.request_spec import RequestSpec
from novalike.scheduler.filters import extra_specs
from novalike.scheduler.filters.base import Filter
from novalike.scheduler.host_state import HostState

_SCOPE = "capabilities"
#: What extra specs may ask about by Nova's names. A table, so that nothing of ours is reachable by accident.
_FACTS: dict[str, Callable[[HostState], Any]] = {
    "free_ram_mb": lambda host: host.free_ram_mb,
    "free_disk_mb": lambda host: host.free_disk_gb * 1024,
    "total_usable_ram_mb": lambda host: host.inventory.memory_mb,
    "total_usable_disk_gb": lambda host: host.inventory.local_gb,
    "vcpus_total": lambda host: host.inventory.vcpus,
    "vcpus_used": lambda host: host.used.vcpus,
    "num_instances": lambda host: host.instances,
    "host_ip": lambda host: host.inventory.host_ip,
    "hypervisor_type": lambda host: host.inventory.hypervisor_type,
    "hypervisor_version": lambda host: host.inventory.hypervisor_version,
    "hypervisor_hostname": lambda host: host.node,
    "cpu_info": lambda host: host.inventory.cpu_info,
    "supported_instances": lambda host: [list(triple) for triple in host.inventory.supported],
    "cpu_allocation_ratio": lambda host: host.inventory.cpu_allocation_ratio,
    "ram_allocation_ratio": lambda host: host.inventory.ram_allocation_ratio,
    "disk_allocation_ratio": lambda host: host.inventory.disk_allocation_ratio,
}


class ComputeCapabilitiesFilter(Filter):
    """Passes hosts whose capabilities satisfy the flavor's extra specs.

    Keys in the scope `capabilities:` and keys without a scope are checked; other scopes (hw:, quota:, ...) are not for
    this filter. `capabilities:cpu_info:features` goes into a nested capability.
    """

    def reject(self, spec: RequestSpec, host: HostState) -> str | None:
        """Reject a host which lacks a capability or has another value of it."""
        for key, requirement in spec.flavor.extra_specs.items():
            path = key.split(":")
            if len(path) > 1:
                if path[0] != _SCOPE:
                    continue
                path = path[1:]
            if path[0] == "hide_hypervisor_id":      # a wish about the guest, which has no scope for history's sake
                continue
            value = _capability(host, path)
            if value is None or not extra_specs.match(value, requirement):
                return f"the flavor needs {key} {requirement}"
        return None


def _capability(host: HostState, path: list[str]) -> Any:
    fact = _FACTS.get(path[0])
    value: Any = fact(host) if fact else host.inventory.capabilities.get(path[0])
    for name in path[1:]:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value
