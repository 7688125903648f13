"""Hypervisors as the API shows them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from novalike.api.http.versions import Version
from novalike.api.openstack.pruning import Keys
from novalike.api.openstack.views import services
from novalike.objects.host import ComputeNode, HostedServer

#: Resource numbers left the answers when Placement got them.
_NUMBERS = (
    "cpu_info", "current_workload", "disk_available_least", "free_disk_gb", "free_ram_mb", "local_gb", "local_gb_used",
    "memory_mb", "memory_mb_used", "running_vms", "vcpus", "vcpus_used",
)
_KEYS = Keys({**dict.fromkeys(_NUMBERS, (None, "2.87")), "uptime": ("2.88", None)})
_CPU_INFO_AS_OBJECT = (2, 28)
_SERVERS_ALWAYS = (2, 75)


def brief(version: Version, node: ComputeNode, servers: Sequence[HostedServer] | None = None) -> dict[str, Any]:
    """Answer a row of the short list; `servers` (None: not asked for) are left out when empty, until 2.74."""
    service = node.service
    shown: dict[str, Any] = {
        "id": node.uuid if version >= services.BY_UUID else node.id,
        "hypervisor_hostname": node.node,
        "state": services.state(service) if service else "down",
        "status": services.status(service) if service else "disabled",
    }
    if servers or (servers is not None and version >= _SERVERS_ALWAYS):
        shown["servers"] = [{"uuid": server.uuid, "name": server.name} for server in servers]
    return shown


def full(version: Version, node: ComputeNode, servers: Sequence[HostedServer] | None = None) -> dict[str, Any]:
    """Answer a hypervisor in detail."""
    inventory, service = node.inventory, node.service
    cpu_info = inventory.cpu_info
    shown = {
        **brief(version, node, servers),
        **_numbers(node),
        "cpu_info": cpu_info if version >= _CPU_INFO_AS_OBJECT else orjson.dumps(cpu_info).decode(),
        "host_ip": inventory.host_ip,
        "hypervisor_type": inventory.hypervisor_type,
        "hypervisor_version": inventory.hypervisor_version,
        "service": {
            "id": None if service is None else service.uuid if version >= services.BY_UUID else service.id,
            "host": node.host,
            "disabled_reason": service.disabled_reason if service else None,
        },
        "uptime": (node.usage.uptime or None) if service and service.up else None,
    }
    return _KEYS.prune(shown, version)


def uptime(version: Version, node: ComputeNode) -> dict[str, Any]:
    """Answer the short form with the time since the host started."""
    return {**brief(version, node), "uptime": node.usage.uptime}


def statistics(nodes: Iterable[ComputeNode]) -> dict[str, int]:
    """Answer the sums over hypervisors, and how many they are."""
    names = [name for name in _NUMBERS if name != "cpu_info"]
    sums = dict.fromkeys(["count", *names], 0)
    for node in nodes:
        sums["count"] += 1
        numbers = _numbers(node)
        for name in names:
            sums[name] += numbers[name]
    return sums


def _numbers(node: ComputeNode) -> dict[str, int]:
    """Used is what claims and the host itself hold: exact at once, not when the host next reports."""
    inventory = node.inventory
    dedicated = inventory.resources.get("PCPU")
    memory_used = node.memory_mb_used + inventory.reserved_memory_mb
    disk_used = node.local_gb_used + inventory.reserved_disk_gb
    return {
        "current_workload": 0,
        "disk_available_least": node.usage.disk_available_least,
        "free_disk_gb": inventory.local_gb - disk_used,
        "free_ram_mb": inventory.memory_mb - memory_used,
        "local_gb": inventory.local_gb,
        "local_gb_used": disk_used,
        "memory_mb": inventory.memory_mb,
        "memory_mb_used": memory_used,
        "running_vms": node.instances,
        "vcpus": inventory.vcpus + (dedicated.total if dedicated is not None else 0),
        "vcpus_used": node.vcpus_used,
    }
