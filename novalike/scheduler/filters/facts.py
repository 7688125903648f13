"""Facts of a host by the names which users and operators may use in extra specs and queries.

A table, so that nothing of ours is reachable by accident.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache
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


def fact(host: HostState, path: Sequence[str]) -> Any:
    """Answer a fact, or a part of it such as ["cpu_info", "features"], or what the driver told; None: there is none."""
    known = _FACTS.get(path[0])
    value: Any = known(host) if known else host.inventory.capabilities.get(path[0])
    for name in path[1:]:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


@lru_cache(maxsize=128)
def reader(path: tuple[str, ...]) -> Callable[[HostState], Hashable]:
    """Answer the function, the same each time, which reads a fact of hosts as something that can be compared and looked up."""
    def read(host: HostState) -> Hashable:
        value = fact(host, path)
        # The type, as 1, 1.0 and True are equal and yet differ as text.
        return (type(value), json.dumps(value) if isinstance(value, (dict, list)) else value)
    return read
