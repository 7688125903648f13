"""Limits and usage of a project as /limits shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from novalike.api.http.versions import Version
from novalike.api.openstack.pruning import Keys
from novalike.objects.quota import Usage

_NETWORK: tuple[str | None, str | None] = (None, "2.35")
_INJECTION: tuple[str | None, str | None] = (None, "2.56")
_KEYS = Keys({
    "maxImageMeta": (None, "2.38"),
    "maxPersonality": _INJECTION,
    "maxPersonalitySize": _INJECTION,
    "maxSecurityGroups": _NETWORK,
    "maxSecurityGroupRules": _NETWORK,
    "maxTotalFloatingIps": _NETWORK,
    "totalFloatingIpsUsed": _NETWORK,
    "totalSecurityGroupsUsed": _NETWORK,
})
#: What each maximum shows.
_MAXIMA = {
    "maxImageMeta": "metadata_items", "maxPersonality": "injected_files", "maxPersonalitySize": "injected_file_content_bytes",
    "maxSecurityGroups": "security_groups", "maxSecurityGroupRules": "security_group_rules",
    "maxServerGroupMembers": "server_group_members", "maxServerGroups": "server_groups", "maxServerMeta": "metadata_items",
    "maxTotalCores": "cores", "maxTotalFloatingIps": "floating_ips", "maxTotalInstances": "instances",
    "maxTotalKeypairs": "key_pairs", "maxTotalRAMSize": "ram",
}


def full(version: Version, limits: Mapping[str, int], usage: Usage, server_groups: int) -> dict[str, Any]:
    """Answer the body. `rate` stays empty: rate limits left Nova long ago. Networks count their own things."""
    absolute: dict[str, int] = {name: limits[resource] for name, resource in _MAXIMA.items()}
    absolute.update({
        "totalCoresUsed": usage.cores, "totalInstancesUsed": usage.instances, "totalRAMUsed": usage.ram,
        "totalServerGroupsUsed": server_groups, "totalFloatingIpsUsed": 0, "totalSecurityGroupsUsed": 0,
    })
    return {"limits": {"rate": [], "absolute": _KEYS.prune(absolute, version)}}
