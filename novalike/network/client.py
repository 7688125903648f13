"""The network service as the rest of the code uses it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Protocol

from novalike.context import RequestContext
from novalike.exception import Conflict
from novalike.objects.floating import FloatingAddress, NamedNetwork
from novalike.objects.instance import Instance
from novalike.objects.network import SecurityGroup, SecurityGroupRule
from novalike.objects.network_info import BoundPort, RequestedNetwork, Vif
from novalike.objects.tasks import Caller


class BindingFailed(Conflict):
    """The network service cannot give a port a place on this host; on another one it may."""

    code = 500                                   # as for whatever else the cloud lacks: nothing is wrong with the request


class ProjectGroups(Protocol):
    """Security groups themselves, as compute's API showed and changed them until 2.35, with the caller's own rights: others'
    answer like missing ones, unless the caller is an administrator."""

    def project_groups(self, ctxt: RequestContext, *, everybody: bool = False) -> list[SecurityGroup]:
        """Answer the groups of the caller's project, or of all, by project and name."""
        ...

    def group(self, ctxt: RequestContext, group_id: str) -> SecurityGroup:
        """Answer a group. Raises NotFound."""
        ...

    def create_group(self, ctxt: RequestContext, name: str, description: str) -> SecurityGroup:
        """Make a group. Raises OverQuota, Conflict for a second default group."""
        ...

    def change_group(self, ctxt: RequestContext, group_id: str, name: str, description: str) -> SecurityGroup:
        """Name a group anew. Raises NotFound, Conflict for the default group."""
        ...

    def delete_group(self, ctxt: RequestContext, group_id: str) -> None:
        """Remove a group. Raises NotFound, Conflict when it is in use, or a default group."""
        ...

    def create_group_rule(self, ctxt: RequestContext, rule: dict[str, Any]) -> SecurityGroupRule:
        """Make a rule; keys are fields of SecurityGroupRule. Raises NotFound, Invalid, OverQuota, Conflict when it is there."""
        ...

    def delete_group_rule(self, ctxt: RequestContext, rule_id: str) -> None:
        """Remove a rule. Raises NotFound."""
        ...


class ProjectAddresses(Protocol):
    """Networks and floating addresses, as compute's API showed and changed them until 2.35 (of servers, until 2.43), with the
    caller's own rights."""

    def project_networks(self, ctxt: RequestContext) -> list[NamedNetwork]:
        """Answer the networks which the caller's project sees."""
        ...

    def project_network(self, ctxt: RequestContext, network_id: str) -> NamedNetwork:
        """Answer a network which the caller sees. Raises NotFound."""
        ...

    def floating_pools(self, ctxt: RequestContext) -> list[NamedNetwork]:
        """Answer the external networks."""
        ...

    def floating_ips(self, ctxt: RequestContext) -> list[FloatingAddress]:
        """Answer the floating addresses of the caller's project."""
        ...

    def floating_ip(self, ctxt: RequestContext, floating_id: str) -> FloatingAddress:
        """Answer a floating address. Raises NotFound."""
        ...

    def allocate_floating(self, ctxt: RequestContext, network_id: str) -> FloatingAddress:
        """Allocate a floating address of an external network. Raises OverQuota, Conflict when none is left."""
        ...

    def release_floating(self, ctxt: RequestContext, floating_id: str) -> None:
        """Give a floating address back. Raises NotFound."""
        ...

    def lead_floating(self, ctxt: RequestContext, floating_id: str, port_id: str | None, fixed_address: str | None = None) -> None:
        """Lead a floating address to a port, or nowhere. Raises NotFound, Conflict, Invalid."""
        ...

    def add_address(self, ctxt: RequestContext, port_id: str) -> None:
        """Give a port one more fixed address. Raises NotFound, Conflict when none is left."""
        ...

    def remove_address(self, ctxt: RequestContext, port_id: str, address: str) -> None:
        """Take a fixed address from a port. Fine when it has none such. Raises NotFound."""
        ...


class NetworkClient(ProjectGroups, ProjectAddresses, Protocol):
    """What compute needs of a network service.

    The API authorizes with the caller's context; the conductor allocates and frees later for `Caller.project_id`, with
    the service's own rights.
    """

    def validate(
        self, ctxt: RequestContext, requested: tuple[RequestedNetwork, ...] | None, *, count: int,
        security_groups: tuple[str, ...] = (),
    ) -> tuple[RequestedNetwork, ...]:
        """Check at accept that the caller may use these networks, ports, addresses and security groups, for `count` servers.

        None means the project's only network, or none when it has none, as before 2.37. (ON_DEMAND,) means the only one, or one
        which `allocate` makes: then it is answered as it is. Else answers ids only, networks resolved. Raises Invalid, NotFound, Conflict (port in use; several networks), OverQuota.
        """
        ...

    def allocate(
        self, caller: Caller, instance: Instance, requested: tuple[RequestedNetwork, ...], *, host: str,
        security_groups: tuple[str, ...] = (),
    ) -> tuple[Vif, ...]:
        """Make or take over the ports, bind them to the host and answer them in NIC order.

        Safe to call again: ports the instance already has for the same NIC are answered again, rebound to `host`. Raises
        BindingFailed.
        """
        ...

    def allocate_nic(
        self, caller: Caller, instance: Instance, requested: RequestedNetwork, *, nic: int, host: str,
    ) -> Vif:
        """Make or take over one more port for a server, as its NIC number `nic`, bound to the host; the others stay.

        Safe to call again: the port which the instance has for this NIC is answered again. Raises NotFound, Conflict when
        the port is in use, Invalid (an address is taken, none are left), OverQuota.
        """
        ...

    def rebind(self, caller: Caller, instance: Instance, *, host: str) -> tuple[Vif, ...]:
        """Bind all of the instance's ports to another host; answer them in NIC order. Fine when they are bound there.

        With an empty `host` they belong to none: the server is shelved and on no host.

        Raises NotFound, BindingFailed.
        """
        ...

    def free_port(self, caller: Caller, instance_uuid: str, port_id: str) -> None:
        """Delete one port which was made for the instance, or unbind it if its user brought it. Fine when it is not its."""
        ...

    def free(self, caller: Caller, instance_uuid: str) -> None:
        """Delete the ports made for the instance and unbind those its user brought. Fine when there are none."""
        ...

    def security_groups(self, caller: Caller, instance_uuid: str) -> tuple[SecurityGroup, ...]:
        """Answer the security groups which the instance's ports are in, by name."""
        ...

    def groups_by_id(self, caller: Caller, group_ids: Collection[str]) -> dict[str, SecurityGroup]:
        """Answer security groups by id, whose ever they are; those which are gone are left out."""
        ...

    def add_security_group(self, caller: Caller, instance_uuid: str, group: str) -> None:
        """Put every port of the instance into one more group of the caller's project, by name or id. Fine when they are in it.

        Raises NotFound (the group; the instance has no ports), Conflict (an ambiguous name), Invalid (a port without addresses
        or port security; the others are in it then).
        """
        ...

    def remove_security_group(self, caller: Caller, instance_uuid: str, group: str) -> None:
        """Take the instance's ports out of a group. Raises NotFound when none is in it, and as add_security_group."""
        ...

    #: Whether ports change without our asking, so that what is stored of them must be compared with the service now and then.
    remote: bool

    def port_states(self, caller: Caller, instance_uuid: str) -> dict[str, str]:
        """Answer the status (ACTIVE, DOWN, BUILD, ERROR) of each of the instance's ports by its id, ACTIVE also for those which
        are not to become so. One request.
        """
        ...

    def info(self, caller: Caller, instance_uuid: str) -> tuple[Vif, ...]:
        """Answer the instance's ports as they are now, in NIC order."""
        ...

    def info_of(self, caller: Caller, instance_uuids: Sequence[str]) -> dict[str, tuple[Vif, ...]]:
        """Answer `info` for several instances, each of them a key, in a few requests. At most 50 of them."""
        ...

    def bound_ports(self, caller: Caller, *, after: str | None, limit: int) -> list[BoundPort]:
        """Answer a page of all ports there are, by id after `after`. Fewer than `limit` are the last ones."""
        ...
