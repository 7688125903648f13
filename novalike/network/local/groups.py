"""Security groups and their rules: stored and checked here, and made true on hosts by their agents."""

from __future__ import annotations

import ipaddress
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy.orm import Session

from novalike.context import RequestContext
from novalike.db import ports, security_groups
from novalike.db.network_listing import Listing
from novalike.exception import Forbidden
from novalike.network import errors
from novalike.network.local.store import Change, Store, is_admin, own, visible, visible_group
from novalike.objects.network import SecurityGroup, SecurityGroupRule

DEFAULT = "default"
_WITH_PORTS = {"tcp", "udp", "sctp", "dccp", "udplite", "6", "17", "132", "33", "136"}
_ICMP = {"icmp", "1", "icmpv6", "ipv6-icmp", "58"}
_NAMES = _WITH_PORTS | _ICMP | {
    "ah", "egp", "esp", "gre", "igmp", "ipip", "ipv6-encap", "ipv6-frag", "ipv6-nonxt", "ipv6-opts", "ipv6-route", "ospf",
    "pgm", "rsvp", "vrrp", "hopopt",
}
_IPV6 = {
    "icmpv6", "ipv6-icmp", "ipv6-encap", "ipv6-frag", "ipv6-nonxt", "ipv6-opts", "ipv6-route", "41", "43", "44", "58", "59", "60",
}
_NUMBERS = {name for name in _NAMES if name.isdecimal()}
_ETHERTYPES = ("IPv4", "IPv6")
_KEY = ("direction", "ethertype", "protocol", "port_range_min", "port_range_max", "remote_group_id")


class SecurityGroups:
    """The security groups of a cloud."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def create(self, ctxt: RequestContext, given: list[dict[str, Any]]) -> list[SecurityGroup]:
        """Make groups which let everything out, all or none. Raises OverQuota, SecurityGroupDefaultAlreadyExists."""
        return self._store.change(self._create, ctxt, given)

    def _create(self, change: Change, ctxt: RequestContext, given: list[dict[str, Any]]) -> list[SecurityGroup]:
        made = []
        for wanted in given:
            values = {"name": "", **wanted}
            project_id = values.get("project_id") or ctxt.project_id or ""
            if not own(ctxt, project_id):
                raise Forbidden("Only administrators may make security groups for other projects.")
            default(change, project_id)
            if values["name"] == DEFAULT:
                raise errors.SecurityGroupDefaultAlreadyExists("Default security group already exists.")
            self._store.require(change, project_id, "security_group")
            self._store.check(change, project_id, "security_group_rule", len(_ETHERTYPES))
            group = SecurityGroup(**{**values, "project_id": project_id}, id=str(uuid.uuid4()))
            rules = tuple(_rule(group, "egress", ethertype) for ethertype in _ETHERTYPES)
            security_groups.insert(change.session, replace(group, rules=rules), change.now)
            made.append(security_groups.get(change.session, group.id))
        return made

    def get(self, ctxt: RequestContext, group_id: str) -> SecurityGroup:
        """Answer a group the caller may see. Raises SecurityGroupNotFound."""
        return self._store.database.fetch(visible_group, ctxt, group_id)

    def list_page(self, ctxt: RequestContext, listing: Listing) -> list[SecurityGroup]:
        """Answer groups by a listing; the default group of the caller's project, or of that for which an administrator asks, is made
        if it was not there yet."""
        asked = listing.filters.get("project_id", ()) if is_admin(ctxt) else ()
        for project_id in asked[:1] or (ctxt.project_id,):
            self.ensure_default(project_id)
        return self._store.database.fetch(security_groups.list_page, listing)

    def ensure_default(self, project_id: str | None) -> None:
        """Make a project's default group unless it is there."""
        if project_id and self._store.database.fetch(security_groups.default_of, project_id) is None:
            self._store.change(default, project_id)

    def update(self, ctxt: RequestContext, group_id: str, changes: dict[str, Any]) -> SecurityGroup:
        """Change a group's name, description or statefulness. Raises SecurityGroupNotFound, Forbidden."""
        return self._store.change(self._update, ctxt, group_id, changes)

    def _update(self, change: Change, ctxt: RequestContext, group_id: str, changes: dict[str, Any]) -> SecurityGroup:
        group = visible_group(change.session, ctxt, group_id)
        if group.default_of is not None and changes.get("name", group.name) != group.name:
            raise errors.SecurityGroupCannotUpdateDefault("Updating default security group not allowed.")
        if group.default_of is None and changes.get("name") == DEFAULT:
            raise errors.SecurityGroupDefaultAlreadyExists("Default security group already exists.")
        security_groups.update(change.session, group_id, changes, change.now)
        if changes.get("stateful", group.stateful) != group.stateful:
            if ports.group_in_use(change.session, group_id):
                raise errors.SecurityGroupInUse(f"Security Group {group_id} in use.")
            change.groups.add(group_id)
        return security_groups.get(change.session, group_id)

    def delete(self, ctxt: RequestContext, group_id: str) -> None:
        """Remove a group. Raises SecurityGroupNotFound, SecurityGroupInUse, SecurityGroupCannotRemoveDefault."""
        self._store.change(self._delete, ctxt, group_id)

    def _delete(self, change: Change, ctxt: RequestContext, group_id: str) -> None:
        group = visible_group(change.session, ctxt, group_id)
        if group.default_of is not None and not is_admin(ctxt):
            raise errors.SecurityGroupCannotRemoveDefault("Insufficient rights for removing default security group.")
        if ports.group_in_use(change.session, group_id):
            raise errors.SecurityGroupInUse(f"Security Group {group_id} in use.")
        change.groups |= set(security_groups.delete(change.session, group_id, change.now))

    def create_rules(self, ctxt: RequestContext, given: list[dict[str, Any]]) -> list[SecurityGroupRule]:
        """Make rules, all or none. Raises SecurityGroupNotFound, SecurityGroupRuleExists, InvalidInput, OverQuota."""
        return self._store.change(self._create_rules, ctxt, given)

    def _create_rules(self, change: Change, ctxt: RequestContext, given: list[dict[str, Any]]) -> list[SecurityGroupRule]:
        made = []
        for values in given:
            group = visible_group(change.session, ctxt, values["security_group_id"])
            if values.get("remote_group_id"):
                visible_group(change.session, ctxt, values["remote_group_id"])
            self._store.require(change, group.project_id, "security_group_rule")
            rule = SecurityGroupRule(**{**_checked_rule(values), "project_id": group.project_id}, id=str(uuid.uuid4()))
            same = next((r for r in group.rules if _key(r) == _key(rule)), None)
            if same is not None:
                raise errors.SecurityGroupRuleExists(f"Security group rule already exists. Rule id is {same.id}.")
            security_groups.insert_rule(change.session, rule, change.now)
            made.append(security_groups.get_rule(change.session, rule.id))
            change.groups.add(group.id)
        return made

    def get_rule(self, ctxt: RequestContext, rule_id: str) -> SecurityGroupRule:
        """Answer a rule the caller may see. Raises SecurityGroupRuleNotFound."""
        return self._store.database.fetch(_visible_rule, ctxt, rule_id)

    def list_rules(self, ctxt: RequestContext, listing: Listing) -> list[SecurityGroupRule]:
        """Answer rules by a listing; those of the caller's default group are made if they were not there yet."""
        self.ensure_default(ctxt.project_id)
        return self._store.database.fetch(security_groups.list_rules, listing)

    def delete_rule(self, ctxt: RequestContext, rule_id: str) -> None:
        """Remove a rule. Raises SecurityGroupRuleNotFound."""
        self._store.change(self._delete_rule, ctxt, rule_id)

    def _delete_rule(self, change: Change, ctxt: RequestContext, rule_id: str) -> None:
        rule = _visible_rule(change.session, ctxt, rule_id)
        security_groups.delete_rule(change.session, rule, change.now)
        change.groups.add(rule.security_group_id)


def default(change: Change, project_id: str) -> SecurityGroup:
    """Answer a project's default group, made now if it was not there: all out, and in what comes from the group itself."""
    group = security_groups.default_of(change.session, project_id)
    if group is not None:
        return group
    group = SecurityGroup(
        id=str(uuid.uuid4()), project_id=project_id, name=DEFAULT, description="Default security group", default_of=project_id,
    )
    rules = tuple(
        _rule(group, direction, ethertype, group.id if direction == "ingress" else None)
        for direction in ("ingress", "egress") for ethertype in ("IPv4", "IPv6")
    )
    security_groups.insert(change.session, replace(group, rules=rules), change.now)
    return security_groups.get(change.session, group.id)


class Checked(tuple[str, ...]):
    """Ids of groups which were looked up for this very project in this very transaction."""

    __slots__ = ()


def default_id(change: Change, project_id: str) -> str:
    """Answer the id of a project's default group, made now if it was not there."""
    return security_groups.default_id(change.session, project_id) or default(change, project_id).id


def checked(session: Session, project_id: str, group_ids: Sequence[str]) -> tuple[str, ...]:
    """Answer ids of groups which the project has. Raises SecurityGroupNotFound for the first it has not, and
    SecurityGroupConflict when some keep state and others do not."""
    known = {group.id: group.stateful for group in security_groups.named(session, project_id, group_ids)}
    for group_id in group_ids:
        if group_id not in known:
            raise errors.SecurityGroupNotFound(f"Security group {group_id} does not exist")
    check_states(known[group_id] for group_id in group_ids)
    return tuple(dict.fromkeys(group_ids))


def check_states(stateful: Iterable[bool]) -> None:
    """Raise SecurityGroupConflict when some of a port's groups keep state and others do not."""
    if len(set(stateful)) > 1:
        raise errors.SecurityGroupConflict(
            "Cannot apply both stateful and stateless security groups on the same port at the same time.",
        )


def _visible_rule(session: Session, ctxt: RequestContext, rule_id: str) -> SecurityGroupRule:
    missing = errors.SecurityGroupRuleNotFound(f"Security group rule {rule_id} does not exist")
    return visible(ctxt, lambda: security_groups.get_rule(session, rule_id), missing)


def _rule(group: SecurityGroup, direction: str, ethertype: str, remote: str | None = None) -> SecurityGroupRule:
    return SecurityGroupRule(
        id=str(uuid.uuid4()), security_group_id=group.id, project_id=group.project_id, direction=direction, ethertype=ethertype,
        remote_group_id=remote,
    )


def _checked_rule(values: dict[str, Any]) -> dict[str, Any]:
    values = dict(values)
    if values.get("remote_group_id") and values.get("remote_ip_prefix"):
        raise errors.SecurityGroupRemoteGroupAndRemoteIpPrefix("Only remote_ip_prefix or remote_group_id may be provided.")
    ethertype = values.get("ethertype", "IPv4")
    if values.get("remote_ip_prefix"):
        values["remote_ip_prefix"] = _prefix(values["remote_ip_prefix"], ethertype)
    protocol = values.get("protocol")
    if protocol is not None:
        protocol = values["protocol"] = str(protocol).lower()
        if protocol in ("any", "-1"):
            protocol = values["protocol"] = None
        elif protocol not in _NAMES and not (protocol.isdecimal() and int(protocol) <= 255):
            raise errors.SecurityGroupRuleInvalidProtocol(
                f"Security group rule protocol {protocol} not supported. Only protocol values {sorted(_NAMES - _NUMBERS)} and integer "
                "representations [0 to 255] are supported.",
            )
        if protocol in _IPV6 and ethertype == "IPv4":
            raise errors.SecurityGroupEthertypeConflictWithProtocol(f"Invalid ethertype {ethertype} for protocol {protocol}.")
    _check_ports(protocol, values.get("port_range_min"), values.get("port_range_max"))
    return values


def _check_ports(protocol: str | None, low: int | None, high: int | None) -> None:
    """Check a range of ports or, for ICMP, a type and a code."""
    for value in (low, high):
        if value is not None and not 0 <= value <= 65535:
            raise errors.SecurityGroupInvalidPortValue(f"Invalid value for port {value}")
    if low is None and high is None:
        return
    if protocol is None:
        raise errors.SecurityGroupProtocolRequiredWithPorts("Must also specify protocol if port range is given.")
    if protocol in _ICMP:
        for name, field, value in (("port_range_min", "type", low), ("port_range_max", "code", high)):
            if value is not None and value > 255:
                raise errors.SecurityGroupInvalidIcmpValue(f"Invalid value for ICMP {field} ({name}) {value}. It must be 0 to 255.")
        if low is None:
            raise errors.SecurityGroupMissingIcmpType(f"ICMP code (port-range-max) {high} is provided but ICMP type (port-range-min) is missing.")
        return
    if protocol not in _WITH_PORTS:
        raise errors.SecurityGroupInvalidProtocolForPort(
            f"Invalid protocol {protocol} for port range, only supported for {sorted(_WITH_PORTS - _NUMBERS)}.",
        )
    if low == 0 or high == 0:
        raise errors.SecurityGroupInvalidPortValue("Invalid value for port 0")
    if low is None or high is None or low > high:
        raise errors.SecurityGroupInvalidPortRange("For TCP/UDP protocols, port_range_min must be <= port_range_max")


def _key(rule: SecurityGroupRule) -> tuple[object, ...]:
    """Answer what no two rules of a group have in common."""
    span = ipaddress.ip_network(rule.remote_ip_prefix, strict=False) if rule.remote_ip_prefix else None
    return (*(getattr(rule, name) for name in _KEY), span)


def _prefix(text: str, ethertype: str) -> str:
    """Check a CIDR; answer it as it was given, host bits and all, which is what Neutron shows."""
    try:
        prefix = ipaddress.ip_interface(text)
    except ValueError as error:
        raise errors.InvalidCIDR(f"Invalid CIDR {text} given as IP prefix.") from error
    if prefix.version != (6 if ethertype == "IPv6" else 4):
        raise errors.SecurityGroupRuleParameterConflict(f"Conflicting value ethertype {ethertype} for CIDR {text}")
    return str(prefix)
