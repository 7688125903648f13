"""Security groups of servers: their ports are in them, and the network service has the say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from novalike.api.operations.create import caller_of
from novalike.api.operations.servers import Servers
from novalike.api.services import ApiServices
from novalike.context import RequestContext
from novalike.db import port_cache
from novalike.objects.instance import Instance
from novalike.objects.network import SecurityGroup
from novalike.objects.tasks import Caller


def of_server(
    services: ApiServices, ctxt: RequestContext, instance: Instance,
) -> tuple[tuple[SecurityGroup, ...], dict[str, SecurityGroup]]:
    """Answer the groups of a server's ports, and by id those which their rules name."""
    caller = _caller(ctxt, instance)
    found = services.networks.security_groups(caller, instance.uuid)
    named = {rule.remote_group_id for group in found for rule in group.rules if rule.remote_group_id}
    known = {group.id: group for group in found if group.id in named}
    return found, known | services.networks.groups_by_id(caller, named - known.keys())


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
