"""Security groups, and those of servers: their ports are in them, and the network service has the say."""

from __future__ import annotations

import contextlib
import ipaddress
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from novalike.api.operations.create import caller_of
from novalike.api.operations.servers import Servers
from novalike.api.services import ApiServices
from novalike.context import RequestContext
from novalike.db import port_cache
from novalike.exception import Conflict, Invalid, OverQuota
from novalike.objects.instance import Instance
from novalike.objects.network import SecurityGroup, SecurityGroupRule
from novalike.objects.tasks import Caller


def of_server(
    services: ApiServices, ctxt: RequestContext, instance: Instance,
) -> tuple[tuple[SecurityGroup, ...], dict[str, SecurityGroup]]:
    """Answer the groups of a server's ports, and by id those which their rules name."""
    caller = _caller(ctxt, instance)
    found = services.networks.security_groups(caller, instance.uuid)
    return found, _named(services, caller, found)


def _named(services: ApiServices, caller: Caller, groups: Iterable[SecurityGroup]) -> dict[str, SecurityGroup]:
    """Answer the groups which rules of groups name, by id."""
    found = tuple(groups)
    named = {rule.remote_group_id for group in found for rule in group.rules if rule.remote_group_id}
    known = {group.id: group for group in found if group.id in named}
    return known | services.networks.groups_by_id(caller, named - known.keys())


def of_project(
    services: ApiServices, ctxt: RequestContext, *, everybody: bool = False,
) -> tuple[list[SecurityGroup], dict[str, SecurityGroup]]:
    """Answer the caller's groups (or everybody's, for an administrator), and by id those which their rules name."""
    found = services.networks.project_groups(ctxt, everybody=everybody)
    return found, _named(services, caller_of(ctxt), found)


def get(services: ApiServices, ctxt: RequestContext, group_id: str) -> tuple[SecurityGroup, dict[str, SecurityGroup]]:
    """Answer a group, and by id those which its rules name. Raises NotFound, Invalid when the id is none."""
    group = services.networks.group(ctxt, _checked(group_id))
    return group, _named(services, caller_of(ctxt), (group,))


def create(services: ApiServices, ctxt: RequestContext, name: str, description: str) -> SecurityGroup:
    """Make a group. Raises OverQuota, Invalid."""
    with _refusals_as_nova_words_them():
        return services.networks.create_group(ctxt, name, description)


def rename(
    services: ApiServices, ctxt: RequestContext, group_id: str, name: str, description: str,
) -> tuple[SecurityGroup, dict[str, SecurityGroup]]:
    """Change a group's name and description. Raises NotFound, Invalid for the default group."""
    with _refusals_as_nova_words_them():
        group = services.networks.change_group(ctxt, _checked(group_id), name, description)
    return group, _named(services, caller_of(ctxt), (group,))


def delete(services: ApiServices, ctxt: RequestContext, group_id: str) -> None:
    """Remove a group. Raises NotFound, Invalid when it is in use, or the default group."""
    with _refusals_as_nova_words_them():
        services.networks.delete_group(ctxt, _checked(group_id))


@dataclass(frozen=True, kw_only=True)
class WantedRule:
    """An incoming rule as nova-network had them: from a group's members or from a CIDR; ICMP type and code stand for ports."""

    parent_group_id: str
    group_id: str | None = None
    cidr: str | None = None
    ip_protocol: str | None = None
    from_port: int | None = None
    to_port: int | None = None


def create_rule(services: ApiServices, ctxt: RequestContext, wanted: WantedRule) -> tuple[SecurityGroupRule, dict[str, SecurityGroup]]:
    """Make a rule; answer it, and by id the group which it names. Raises NotFound, Invalid, OverQuota."""
    parent = services.networks.group(ctxt, _checked(wanted.parent_group_id))
    source = services.networks.group(ctxt, _checked(wanted.group_id)) if wanted.group_id else None
    protocol, low, high = wanted.ip_protocol, wanted.from_port, wanted.to_port
    cidr = None if source else _cidr(wanted.cidr)
    if protocol and low is not None and high is not None:
        low, high = _ports(protocol, low, high)
    elif source is None:
        raise Invalid("Not enough parameters to build a valid rule.")
    elif (low is None) != (high is None) or not protocol:
        protocol, low, high = None, None, None
    with _refusals_as_nova_words_them():
        rule = services.networks.create_group_rule(ctxt, {
            "security_group_id": parent.id, "direction": "ingress", "ethertype": "IPv6" if cidr and ":" in cidr else "IPv4",
            "protocol": protocol.lower() if protocol else None, "port_range_min": low, "port_range_max": high,
            "remote_ip_prefix": cidr, "remote_group_id": source.id if source else None,
        })
    return rule, {source.id: source} if source else {}


def delete_rule(services: ApiServices, ctxt: RequestContext, rule_id: str) -> None:
    """Remove a rule. Raises NotFound, Invalid when the id is none."""
    services.networks.delete_group_rule(ctxt, _checked(rule_id))


def _checked(key: str) -> str:
    try:
        return str(uuid.UUID(key))
    except ValueError as error:
        raise Invalid("Security group id should be uuid") from error


def _cidr(given: str | None) -> str:
    try:
        span = ipaddress.ip_network((given or "").strip() or "0.0.0.0/0", strict=False)
    except ValueError as error:
        raise Invalid(f"Invalid cidr {given}.") from error
    if span.prefixlen == 0 and not span.network_address.is_unspecified:
        raise Invalid(f"Bad prefix for network in cidr {given}")
    return str(span)


def _ports(protocol: str, low: int, high: int) -> tuple[int | None, int | None]:
    """Answer a rule's ports, or ICMP type and code (-1: any), as the network service takes them. Raises Invalid."""
    word = protocol.upper()
    if word not in {"TCP", "UDP", "ICMP"}:
        raise Invalid(f"Invalid IP protocol {protocol}.")
    if word == "ICMP":
        if not (-1 <= low <= 255 and -1 <= high <= 255):
            raise Invalid(f"Invalid port range {low}:{high}. For ICMP, the type:code must be valid")
        return (None, None) if low == -1 else (low, None if high == -1 else high)
    if low > high:
        raise Invalid(f"Invalid port range {low}:{high}. Former value cannot be greater than the later")
    if low < 1 or high > 65535:
        raise Invalid(f"Invalid port range {low}:{high}. Valid {word} ports should be between 1-65535")
    return low, high


@contextlib.contextmanager
def _refusals_as_nova_words_them() -> Iterator[None]:
    """Nova answers 400 where the network service answers 409, but for limits."""
    try:
        yield
    except OverQuota:
        raise
    except Conflict as error:
        raise Invalid(str(error), details=error.details) from error


def add(services: ApiServices, ctxt: RequestContext, instance: Instance, name: str) -> None:
    """Put a server's ports into one more group of its project. Raises NotFound, Conflict, Invalid."""
    _change(services, ctxt, instance, services.networks.add_security_group, name)


def remove(services: ApiServices, ctxt: RequestContext, instance: Instance, name: str) -> None:
    """Take a server's ports out of a group. Raises NotFound, Conflict."""
    _change(services, ctxt, instance, services.networks.remove_security_group, name)


def _change(
    services: ApiServices, ctxt: RequestContext, instance: Instance, change: Callable[[Caller, str, str], None], name: str,
) -> None:
    caller = _caller(ctxt, instance)
    change(caller, instance.uuid, name)
    # What the server's own record says of it follows; the network service's word is what counts.
    current = services.networks.info(caller, instance.uuid)
    services.cells.of_instance(instance.uuid).write(port_cache.refresh, instance.uuid, current)
    names = tuple(group.name for group in services.networks.security_groups(caller, instance.uuid))
    Servers(services).change(ctxt, instance.uuid, lambda _: {"security_groups": names})


def _caller(ctxt: RequestContext, instance: Instance) -> Caller:
    """Answer the caller as a member of the server's project: an administrator means the groups of that one."""
    return replace(caller_of(ctxt), project_id=instance.project_id)
