"""A network service's security groups, in memory: network.client.ProjectGroups."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

from novalike.exception import NotFound
from novalike.objects.network import SecurityGroup, SecurityGroupRule


class FakeGroups:
    """Security groups by id."""

    def __init__(self) -> None:
        self.known: dict[str, SecurityGroup] = {}

    def project_groups(self, ctxt: Any, *, everybody: bool = False) -> list[SecurityGroup]:
        return [group for group in self.known.values() if everybody or group.project_id == ctxt.project_id]

    def group(self, ctxt: Any, group_id: str) -> SecurityGroup:
        group = self.known.get(group_id)
        if group is None or not (ctxt.is_admin or group.project_id == ctxt.project_id):
            raise NotFound(f"Security group {group_id} not found.")
        return group

    def create_group(self, ctxt: Any, name: str, description: str) -> SecurityGroup:
        group = SecurityGroup(id=str(uuid.uuid4()), project_id=ctxt.project_id, name=name, description=description)
        return self.known.setdefault(group.id, group)

    def change_group(self, ctxt: Any, group_id: str, name: str, description: str) -> SecurityGroup:
        self.known[group_id] = replace(self.group(ctxt, group_id), name=name, description=description)
        return self.known[group_id]

    def delete_group(self, ctxt: Any, group_id: str) -> None:
        del self.known[self.group(ctxt, group_id).id]

    def create_group_rule(self, ctxt: Any, rule: dict[str, Any]) -> SecurityGroupRule:
        group = self.group(ctxt, rule["security_group_id"])
        made = SecurityGroupRule(**rule, id=str(uuid.uuid4()), project_id=group.project_id)
        self.known[group.id] = replace(group, rules=(*group.rules, made))
        return made

    def delete_group_rule(self, ctxt: Any, rule_id: str) -> None:
        for group in self.project_groups(ctxt, everybody=ctxt.is_admin):
            if any(rule.id == rule_id for rule in group.rules):
                self.known[group.id] = replace(group, rules=tuple(rule for rule in group.rules if rule.id != rule_id))
                return
        raise NotFound(f"Security group rule {rule_id} not found.")
