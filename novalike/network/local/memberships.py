"""Which security groups a server's ports are in, as compute shows and changes it."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy.orm import Session

from novalike.db import ports, security_groups
from novalike.exception import Conflict, Invalid, NotFound
from novalike.network.local import groups
from novalike.network.local.store import Change
from novalike.objects.network import Port, SecurityGroup

#: What Nova says of a port which no group can protect.
UNPROTECTED = "Network requires port_security_enabled and subnet associated in order to apply security groups."


def of_server(session: Session, instance_uuid: str) -> tuple[SecurityGroup, ...]:
    """Answer the groups of a server's ports, by name."""
    ids = {group_id for port in ports.of_device(session, instance_uuid) for group_id in port.security_groups}
    return tuple(sorted(by_id(session, ids).values(), key=lambda group: (group.name, group.id)))


def by_id(session: Session, group_ids: Collection[str]) -> dict[str, SecurityGroup]:
    """Answer groups by id; those which are gone are left out."""
    return {group.id: group for group in security_groups.by_ids(session, group_ids)} if group_ids else {}


def add(change: Change, project_id: str, instance_uuid: str, wanted: str) -> str | None:
    """Put a server's ports into a group; answer what is wrong with a port that was left out. Raises NotFound, Conflict."""
    group_id = _find(change, project_id, wanted)
    refused = None
    for port in _ports(change, instance_uuid):
        if not port.port_security or not port.fixed_ips:
            refused = UNPROTECTED
        elif group_id not in port.security_groups:
            _set(change, port, (*port.security_groups, group_id))
    return refused


def remove(change: Change, project_id: str, instance_uuid: str, wanted: str) -> None:
    """Take a server's ports out of a group. Raises NotFound, also when none of them is in it; Conflict."""
    group_id = _find(change, project_id, wanted)
    members = [port for port in _ports(change, instance_uuid) if group_id in port.security_groups]
    if not members:
        raise NotFound(f"Security group {wanted} not associated with the instance {instance_uuid}")
    for port in members:
        _set(change, port, tuple(one for one in port.security_groups if one != group_id))


def refuse(problem: str | None) -> None:
    """Raise Invalid for what `add` answered."""
    if problem is not None:
        raise Invalid(problem)


def _ports(change: Change, instance_uuid: str) -> list[Port]:
    found = ports.of_device(change.session, instance_uuid, lock=True)
    if not found:
        raise NotFound(f"instance_id {instance_uuid} could not be found as device id on any ports")
    return found


def _set(change: Change, port: Port, group_ids: tuple[str, ...]) -> None:
    groups.check_states(group.stateful for group in by_id(change.session, group_ids).values())
    ports.update(change.session, port.id, {"security_groups": group_ids}, change.now)
    change.touch_port(port)
    change.touch_port(ports.get(change.session, port.id))


def _find(change: Change, project_id: str, wanted: str) -> str:
    if wanted == groups.DEFAULT:
        return groups.default_id(change, project_id)
    known = security_groups.named(change.session, project_id, [wanted])
    matching = [group for group in known if group.id == wanted] or known
    if not matching:
        raise NotFound(f"Security group {wanted} not found.")
    if len(matching) > 1:
        raise Conflict(f"Multiple security groups found matching '{wanted}'. Use an ID to be more specific.")
    return matching[0].id
