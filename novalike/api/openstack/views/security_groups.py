"""Security groups as nova-network showed them: incoming rules only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from novalike.objects.network import SecurityGroup, SecurityGroupRule

_WITH_PORTS = {"tcp", "udp"}


def full(group: SecurityGroup, sources: Mapping[str, SecurityGroup]) -> dict[str, Any]:
    """Answer a group; `sources` are the groups which rules may name. Rules whose source is gone are left out."""
    return {
        "id": group.id, "name": group.name, "description": group.description, "tenant_id": group.project_id,
        "rules": [
            rule(one, sources) for one in group.rules
            if one.direction == "ingress" and (one.remote_group_id is None or one.remote_group_id in sources)
        ],
    }


def rule(one: SecurityGroupRule, sources: Mapping[str, SecurityGroup]) -> dict[str, Any]:
    """Answer an incoming rule; `sources` must have the group which it names."""
    low, high = one.port_range_min, one.port_range_max
    if one.protocol and low is None and high is None:
        low, high = (1, 65535) if one.protocol.lower() in _WITH_PORTS else (-1, -1)
    source = sources[one.remote_group_id] if one.remote_group_id else None
    anywhere = "::/0" if one.ethertype == "IPv6" else "0.0.0.0/0"
    return {
        "id": one.id, "parent_group_id": one.security_group_id, "ip_protocol": one.protocol, "from_port": low, "to_port": high,
        "group": {"name": source.name, "tenant_id": source.project_id} if source else {},
        "ip_range": {} if source else {"cidr": one.remote_ip_prefix or anywhere},
    }
