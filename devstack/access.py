"""Ways into guests: what a project's default security group must let in before anybody can log in."""

from __future__ import annotations

from typing import Any

from openstack import exceptions


def let_in(cloud: Any) -> None:
    """Let SSH and ping in to servers of the project's default security group, from everywhere. Fine where they may already."""
    group = next(iter(cloud.network.security_groups(name="default", project_id=cloud.current_project_id)))
    for rule in ({"protocol": "tcp", "port_range_min": 22, "port_range_max": 22}, {"protocol": "icmp"}):
        try:
            cloud.network.create_security_group_rule(security_group_id=group.id, direction="ingress", ethertype="IPv4", **rule)
        except exceptions.ConflictException:
            continue                             # the rule is there
