"""Facts of a host by the names which users and operators may use in extra specs and queries.

A table, so that nothing of ours is reachable by accident.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from novalike.scheduler.host_state import HostState

_FACTS: dict[str, Callable[[HostState], Any]] = {
    "free_ram_mb": lambda host: host.free_ram_mb,
    "free_disk_mb": lambda host: host.free_disk_gb * 1024,
    "total_usable_ram_mb": lambda host: host.inventory.memory_mb,
    "total_usable_disk_gb": lambda host: host.inventory.local_gb,
    "vcpus_total": lambda host: host.inventory.vcpus,
    "vcpus_used": lambda host: host.used.vcpus,
    "num_instances": lambda host: host.instances,
    "num_io_ops": lambda host: host.io_ops,
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


def fact(host: HostState, path: list[str]) -> Any:
    """Answer a fact, or a part of it such as ["cpu_info", "features"], or what the driver told; None: there is none."""
    known = _FACTS.get(path[0])
    value: Any = known(host) if known else host.inventory.capabilities.get(path[0])
    for name in path[1:]:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value
