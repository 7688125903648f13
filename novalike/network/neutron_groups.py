"""Security groups of servers in a real Neutron: part of the client in neutron.py."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, Protocol

from novalike.context import RequestContext
from novalike.exception import Invalid, NotFound
from novalike.objects.network import SecurityGroup, SecurityGroupRule
from novalike.objects.tasks import Caller

_RULE_FIELDS = ("direction", "ethertype", "protocol", "port_range_min", "port_range_max", "remote_ip_prefix", "remote_group_id")


class _Neutron(Protocol):
    """What is needed of the client."""

    def _list(self, collection: str, **filters: Any) -> list[dict[str, Any]]: ...

    def _request(self, method: str, path: str, *, body: Any = None) -> Any: ...

    def _own(self, ctxt: RequestContext, collection: str, what: str, key: str) -> dict[str, Any]: ...

    def _put(self, kind: str, key: str, changes: dict[str, Any]) -> dict[str, Any]: ...

    def _groups(self, project_id: str, wanted: tuple[str, ...]) -> list[str]: ...

    def _ports_of(self, instance_uuid: str) -> list[dict[str, Any]]: ...

    def groups_by_id(self, caller: Caller, group_ids: Collection[str]) -> dict[str, SecurityGroup]: ...


class NeutronGroups:
    """The part of network.client.NetworkClient about security groups of servers."""

    def security_groups(self: _Neutron, caller: Caller, instance_uuid: str) -> tuple[SecurityGroup, ...]:
        """See NetworkClient."""
        ids = {group for port in self._list("ports", device_id=instance_uuid) for group in port.get("security_groups") or ()}
        return tuple(sorted(self.groups_by_id(caller, ids).values(), key=lambda group: (group.name, group.id)))

    def groups_by_id(self: _Neutron, caller: Caller, group_ids: Collection[str]) -> dict[str, SecurityGroup]:
        """See NetworkClient."""
        found = self._list("security-groups", id=sorted(group_ids)) if group_ids else []
        return {group["id"]: _group(group) for group in found}

    def add_security_group(self: _Neutron, caller: Caller, instance_uuid: str, group: str) -> None:
        """See NetworkClient."""
        [group_id] = self._groups(caller.project_id, (group,))
        refused = False
        for port in self._ports_of(instance_uuid):
            held = list(port.get("security_groups") or ())
            if not port.get("fixed_ips") or not port.get("port_security_enabled", True):
                refused = True
            elif group_id not in held:
                self._put("port", port["id"], {"security_groups": [*held, group_id]})
        if refused:
            raise Invalid("Network requires port_security_enabled and subnet associated in order to apply security groups.")

    def remove_security_group(self: _Neutron, caller: Caller, instance_uuid: str, group: str) -> None:
        """See NetworkClient."""
        [group_id] = self._groups(caller.project_id, (group,))
        members = [port for port in self._ports_of(instance_uuid) if group_id in (port.get("security_groups") or ())]
        if not members:
            raise NotFound(f"Security group {group} not associated with the instance {instance_uuid}")
        for port in members:
            self._put("port", port["id"], {"security_groups": [one for one in port["security_groups"] if one != group_id]})

    def project_groups(self: _Neutron, ctxt: RequestContext, *, everybody: bool = False) -> list[SecurityGroup]:
        """See ProjectGroups."""
        found = self._list("security-groups", **({} if everybody and ctxt.is_admin else {"tenant_id": ctxt.project_id}))
        return sorted((_group(group) for group in found), key=lambda group: (group.project_id, group.name))

    def group(self: _Neutron, ctxt: RequestContext, group_id: str) -> SecurityGroup:
        """See ProjectGroups."""
        return _group(self._own(ctxt, "security-groups", "Security group", group_id))

    def create_group(self: _Neutron, ctxt: RequestContext, name: str, description: str) -> SecurityGroup:
        """See ProjectGroups."""
        body = {"name": name, "description": description, "tenant_id": ctxt.project_id}
        return _group(self._request("POST", "/security-groups", body={"security_group": body})["security_group"])

    def change_group(self: _Neutron, ctxt: RequestContext, group_id: str, name: str, description: str) -> SecurityGroup:
        """See ProjectGroups."""
        group = self._own(ctxt, "security-groups", "Security group", group_id)
        body = {"security_group": {"name": name, "description": description}}
        return _group(self._request("PUT", f"/security-groups/{group['id']}", body=body)["security_group"])

    def delete_group(self: _Neutron, ctxt: RequestContext, group_id: str) -> None:
        """See ProjectGroups."""
        self._request("DELETE", f"/security-groups/{self._own(ctxt, 'security-groups', 'Security group', group_id)['id']}")

    def create_group_rule(self: _Neutron, ctxt: RequestContext, rule: dict[str, Any]) -> SecurityGroupRule:
        """See ProjectGroups."""
        group = self._own(ctxt, "security-groups", "Security group", rule["security_group_id"])
        body = {"security_group_rule": {**rule, "tenant_id": _project(group)}}
        return _rule(self._request("POST", "/security-group-rules", body=body)["security_group_rule"], _project(group))

    def delete_group_rule(self: _Neutron, ctxt: RequestContext, rule_id: str) -> None:
        """See ProjectGroups."""
        rule = self._own(ctxt, "security-group-rules", "Security group rule", rule_id)
        self._request("DELETE", f"/security-group-rules/{rule['id']}")

    def _own(self: _Neutron, ctxt: RequestContext, collection: str, what: str, key: str) -> dict[str, Any]:
        """Answer a thing which the caller may see: Neutron itself shows everything to our account."""
        found = next(iter(self._list(collection, id=key)), None)
        if found is None or not (ctxt.is_admin or _project(found) == ctxt.project_id):
            raise NotFound(f"{what} {key} not found.")
        return found

    def _ports_of(self: _Neutron, instance_uuid: str) -> list[dict[str, Any]]:
        found = self._list("ports", device_id=instance_uuid)
        if not found:
            raise NotFound(f"instance_id {instance_uuid} could not be found as device id on any ports")
        return found


def _group(group: dict[str, Any]) -> SecurityGroup:
    project = _project(group)
    return SecurityGroup(
        id=group["id"], project_id=project, name=group.get("name", ""), description=group.get("description") or "",
        created_at=_moment(group.get("created_at")),
        rules=tuple(_rule({"security_group_id": group["id"], **rule}, project) for rule in group.get("security_group_rules") or ()),
    )


def _rule(rule: dict[str, Any], project: str) -> SecurityGroupRule:
    values: dict[str, Any] = {name: rule.get(name) for name in _RULE_FIELDS}
    return SecurityGroupRule(
        id=rule["id"], security_group_id=rule["security_group_id"], project_id=_project(rule) or project, **values,
    )


def _project(thing: dict[str, Any]) -> str:
    return str(thing.get("project_id") or thing.get("tenant_id") or "")


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).replace(tzinfo=None)
