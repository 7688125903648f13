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
            _rule(rule, sources) for rule in group.rules
            if rule.direction == "ingress" and (rule.remote_group_id is None or rule.remote_group_id in sources)
        ],
    }


def _rule(rule: SecurityGroupRule, sources: Mapping[str, SecurityGroup]) -> dict[str, Any]:
    low, high = rule.port_range_min, rule.port_range_max
    if rule.protocol and low is None and high is None:
        low, high = (1, 65535) if rule.protocol.lower() in _WITH_PORTS else (-1, -1)
    source = sources[rule.remote_group_id] if rule.remote_group_id else None
    anywhere = "::/0" if rule.ethertype == "IPv6" else "0.0.0.0/0"
    return {
        "id": rule.id, "parent_group_id": rule.security_group_id, "ip_protocol": rule.protocol, "from_port": low, "to_port": high,
        "group": {"name": source.name, "tenant_id": source.project_id} if source else {},
        "ip_range": {} if source else {"cidr": rule.remote_ip_prefix or anywhere},
    }
