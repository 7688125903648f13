"""Our own network service as compute uses it: the NetworkClient over the same rows which the Neutron API shows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy.orm import Session

from novalike.context import RequestContext
from novalike.db import networks, ports, security_groups
from novalike.db.network_listing import Listing
from novalike.exception import AddressInUse, Conflict, Forbidden, Invalid, NotFound, OverQuota
from novalike.network.errors import AutoAllocationFailure
from novalike.network.local import floating_ips, groups, memberships, ranges, vifs
from novalike.network.local.addresses import WantedAddress
from novalike.network.local.ports import make
from novalike.network.local.proxied_addresses import ProxiedAddresses
from novalike.network.local.proxied_groups import ProxiedGroups
from novalike.network.local.store import Change, Store, own, visible_network, visible_port
from novalike.network.local.topology import AutoTopology
from novalike.objects import bandwidth
from novalike.objects.instance import Instance
from novalike.objects.network import Network, NetworkSubnet, Port, SecurityGroup
from novalike.objects.network_info import ON_DEMAND, BoundPort, RequestedNetwork, Vif
from novalike.objects.tasks import Caller

#: How many networks are looked at to find out whether there is exactly one.
_ENOUGH = 50


class LocalNetworkClient(ProxiedGroups, ProxiedAddresses):
    """Implements network.client.NetworkClient."""

    remote = False

    def __init__(self, store: Store, topology: AutoTopology) -> None:
        self._store = store
        self._topology = topology

    def validate(
        self, ctxt: RequestContext, requested: tuple[RequestedNetwork, ...] | None, *, count: int,
        security_groups: tuple[str, ...] = (),
    ) -> tuple[RequestedNetwork, ...]:
        """See NetworkClient. Reads only."""
        return self._store.database.fetch(self._validate, ctxt, requested, count, security_groups)

    def _validate(
        self, session: Session, ctxt: RequestContext, requested: tuple[RequestedNetwork, ...] | None, count: int,
        groups_wanted: tuple[str, ...],
    ) -> tuple[RequestedNetwork, ...]:
        _find_groups(session, ctxt.project_id or "", groups_wanted)
        if requested is None or requested == (ON_DEMAND,):
            only = _only_network(session, ctxt)
            if only is None and requested:
                self._check_on_demand(session, ctxt)
            resolved: tuple[RequestedNetwork, ...] = requested or () if only is None else (RequestedNetwork(network_id=only.id),)
        else:
            resolved = tuple(_check(session, ctxt, wanted, count) for wanted in requested)
        given = [wanted.port_id for wanted in resolved if wanted.port_id]
        if len(set(given)) < len(given):
            raise Invalid("A port is named twice.")
        fixed = [(wanted.network_id, wanted.fixed_ip) for wanted in resolved if wanted.fixed_ip and not wanted.port_id]
        if len(set(fixed)) < len(fixed):
            raise Invalid("A fixed address is named twice.")
        new = count * sum(1 for wanted in resolved if not wanted.port_id)
        limit = self._store.limits(session, ctxt.project_id or "")["port"]
        if new and limit >= 0 and networks.count(session, "port", ctxt.project_id or "") + new > limit:
            raise OverQuota("Maximum number of ports exceeded", overs=("port",))
        return resolved

    def _check_on_demand(self, session: Session, ctxt: RequestContext) -> None:
        try:
            self._topology.needed(session)
        except AutoAllocationFailure as error:
            raise Invalid(f"Unable to automatically allocate a network for project {ctxt.project_id}", details=str(error)) from error

    def allocate(
        self, caller: Caller, instance: Instance, requested: tuple[RequestedNetwork, ...], *, host: str,
        security_groups: tuple[str, ...] = (),
    ) -> tuple[Vif, ...]:
        """See NetworkClient. One transaction (but for a network on demand); the host's agent is rung after it."""
        if requested == (ON_DEMAND,):
            owner = RequestContext(user_id=caller.user_id, project_id=caller.project_id, request_id=caller.request_id)
            requested = (RequestedNetwork(network_id=self._topology.ensure(owner, caller.project_id)),)
        return self._store.change(self._allocate, caller, instance, requested, host, security_groups)

    def _allocate(
        self, change: Change, caller: Caller, instance: Instance, requested: Sequence[RequestedNetwork], host: str,
        groups_wanted: tuple[str, ...],
    ) -> tuple[Vif, ...]:
        session = change.session
        # Also makes a second allocation for the same server wait for the first, and then find its ports.
        self._store.serialize(change, caller.project_id)
        existing = ports.of_device(session, instance.uuid, lock=True)
        made = {port.nic: port for port in existing if port.owned}
        brought = {port.id: port for port in existing if not port.owned}
        missing = sum(1 for nic, wanted in enumerate(requested) if not wanted.port_id and nic not in made)
        if missing:
            self._store.check(change, caller.project_id, "port", missing)
        binding = _binding(instance, host)
        found: list[Port] = []
        known: dict[str, Network] = {}
        for nic, wanted in enumerate(requested):
            if wanted.port_id:
                port = brought.get(wanted.port_id) or _take(session, wanted.port_id)
                found.append(self._bind(change, port, binding | {"nic": nic, "tag": wanted.tag}))
            elif nic in made:
                found.append(self._bind(change, made[nic], binding))
            else:
                network = self._network(session, wanted, known)
                found.append(self._make(change, caller, network, wanted, binding | {"nic": nic, "tag": wanted.tag}, groups_wanted))
        return vifs.build(session, found, known)

    @staticmethod
    def _network(session: Session, wanted: RequestedNetwork, known: dict[str, Network]) -> Network:
        if wanted.network_id is None:
            raise Invalid("A requested network names neither a network nor a port.")
        if wanted.network_id not in known:
            known[wanted.network_id] = networks.get(session, wanted.network_id)
        return known[wanted.network_id]

    def _make(
        self, change: Change, caller: Caller, network: Network, wanted: RequestedNetwork, binding: dict[str, Any],
        groups_wanted: tuple[str, ...],
    ) -> Port:
        values: dict[str, Any] = {**binding, "network_id": network.id, "project_id": caller.project_id, "owned": True}
        if network.port_security:
            values["security_groups"] = self._groups(change, caller.project_id, groups_wanted)
        if wanted.fixed_ip:
            values["fixed_ips"] = [WantedAddress(address=wanted.fixed_ip)]
        port = make(change, self._store, network, values)
        change.touch_port(port)
        return port

    def _bind(self, change: Change, port: Port, binding: dict[str, Any]) -> Port:
        """Make a port the server's on its host; answer it as it is then."""
        changes = {name: value for name, value in binding.items() if getattr(port, name) != value}
        if not changes:
            return port
        changes["status"] = "ACTIVE" if binding["host"] else "DOWN"
        ports.update(change.session, port.id, changes, change.now)
        change.touch_port(port)
        bound = replace(port, **changes)
        change.touch_port(bound)
        return bound

    @staticmethod
    def _groups(change: Change, project_id: str, wanted: tuple[str, ...]) -> groups.Checked:
        names = tuple(name for name in wanted if name != groups.DEFAULT)
        found = [group.id for group in _find_groups(change.session, project_id, names)]
        if not wanted or len(names) < len(wanted):
            found.insert(0, groups.default_id(change, project_id))
        return groups.Checked(found)

    def allocate_nic(
        self, caller: Caller, instance: Instance, requested: RequestedNetwork, *, nic: int, host: str,
    ) -> Vif:
        """See NetworkClient. One transaction."""
        return self._store.change(self._allocate_nic, caller, instance, requested, nic, host)

    def _allocate_nic(
        self, change: Change, caller: Caller, instance: Instance, wanted: RequestedNetwork, nic: int, host: str,
    ) -> Vif:
        session = change.session
        self._store.serialize(change, caller.project_id)
        port = next((port for port in ports.of_device(session, instance.uuid, lock=True) if port.nic == nic), None)
        binding = _binding(instance, host) | {"nic": nic, "tag": wanted.tag}
        known: dict[str, Network] = {}
        if port is None and not wanted.port_id:
            self._store.check(change, caller.project_id, "port", 1)
            port = self._make(change, caller, self._network(session, wanted, known), wanted, binding, ())
        else:
            port = self._bind(change, port or _take(session, wanted.port_id or ""), binding)
        return vifs.build(session, [port], known)[0]

    def rebind(self, caller: Caller, instance: Instance, *, host: str) -> tuple[Vif, ...]:
        """See NetworkClient. One transaction; the agents of both hosts are rung after it."""
        return self._store.change(self._rebind, instance, host)

    def _rebind(self, change: Change, instance: Instance, host: str) -> tuple[Vif, ...]:
        found = ports.of_device(change.session, instance.uuid, lock=True)
        return vifs.build(change.session, [self._bind(change, port, _binding(instance, host)) for port in found])

    def free(self, caller: Caller, instance_uuid: str) -> None:
        """See NetworkClient."""
        self._store.change(self._free, instance_uuid)

    def free_port(self, caller: Caller, instance_uuid: str, port_id: str) -> None:
        """See NetworkClient."""
        self._store.change(self._free, instance_uuid, port_id)

    def _free(self, change: Change, instance_uuid: str, only: str | None = None) -> None:
        if not instance_uuid:
            return
        found = [port for port in ports.of_device(change.session, instance_uuid, lock=True) if only in (None, port.id)]
        floating_ips.release(change, [port for port in found if port.owned])
        ports.delete(change.session, [port.id for port in found if port.owned])
        for port in found:
            change.touch_port(port)
            if not port.owned:
                unbound = {"host": "", "device_id": "", "device_owner": "", "dns_name": "", "nic": 0, "tag": None, "status": "DOWN", "bandwidth": ()}
                ports.update(change.session, port.id, unbound, change.now)

    def security_groups(self, caller: Caller, instance_uuid: str) -> tuple[SecurityGroup, ...]:
        """See NetworkClient."""
        return self._store.database.fetch(memberships.of_server, instance_uuid)

    def groups_by_id(self, caller: Caller, group_ids: Collection[str]) -> dict[str, SecurityGroup]:
        """See NetworkClient."""
        return self._store.database.fetch(memberships.by_id, group_ids)

    def add_security_group(self, caller: Caller, instance_uuid: str, group: str) -> None:
        """See NetworkClient."""
        memberships.refuse(self._store.change(memberships.add, caller.project_id, instance_uuid, group))

    def remove_security_group(self, caller: Caller, instance_uuid: str, group: str) -> None:
        """See NetworkClient."""
        self._store.change(memberships.remove, caller.project_id, instance_uuid, group)

    def info(self, caller: Caller, instance_uuid: str) -> tuple[Vif, ...]:
        """See NetworkClient."""
        return self._store.database.fetch(lambda session: vifs.build(session, ports.of_device(session, instance_uuid)))

    def info_of(self, caller: Caller, instance_uuids: Sequence[str]) -> dict[str, tuple[Vif, ...]]:
        """See NetworkClient."""
        return {uuid: self.info(caller, uuid) for uuid in instance_uuids}

    def port_states(self, caller: Caller, instance_uuid: str) -> dict[str, str]:
        """See NetworkClient. Nobody needs to ask: our ports are never `plugging`."""
        return {vif.port_id: "ACTIVE" for vif in self.info(caller, instance_uuid)}

    def bound_ports(self, caller: Caller, *, after: str | None, limit: int) -> list[BoundPort]:
        """See NetworkClient. Ports go with their server, in the same database."""
        return []


def _binding(instance: Instance, host: str) -> dict[str, Any]:
    try:
        limits = bandwidth.of_flavor(instance.flavor.extra_specs)
    except ValueError as error:
        raise Invalid(str(error)) from error
    return {
        "host": host, "device_id": instance.uuid, "device_owner": f"compute:{instance.availability_zone or 'nova'}",
        "dns_name": instance.hostname, "bandwidth": limits,
    }


def _only_network(session: Session, ctxt: RequestContext) -> Network | None:
    listing = Listing(project_id=ctxt.project_id or "-", filters={"external": (0,), "admin_state_up": (1,)}, limit=_ENOUGH)
    candidates = [network for network in networks.list_page(session, listing) if network.subnet_ids]
    chosen = [network for network in candidates if network.is_default]
    if len(candidates) > 1 and len(chosen) != 1:
        raise Conflict("Multiple possible networks found, use a Network ID to be more specific.")
    return next(iter(chosen or candidates), None)


def _check(session: Session, ctxt: RequestContext, wanted: RequestedNetwork, count: int) -> RequestedNetwork:
    if wanted.port_id:
        return _check_port(session, ctxt, wanted, count)
    if not wanted.network_id:
        raise Invalid("A requested network names neither a network nor a port.")
    network = visible_network(session, ctxt, wanted.network_id)
    if network.external and not own(ctxt, network.project_id):
        raise Forbidden(f"It is not allowed to create an interface on external network {network.id}")
    subnets = networks.subnets_of(session, [network.id])[network.id]
    if not subnets:
        raise Invalid(f"Network {network.id} requires a subnet in order to boot instances on.")
    if wanted.fixed_ip:
        if count > 1:
            raise Invalid("Invalid fixed IP Address: a fixed address can be given to one server only, and several are asked for.")
        _check_fixed(session, network, subnets, wanted.fixed_ip)
    return RequestedNetwork(network_id=network.id, fixed_ip=wanted.fixed_ip, tag=wanted.tag)


def _check_port(session: Session, ctxt: RequestContext, wanted: RequestedNetwork, count: int) -> RequestedNetwork:
    port = visible_port(session, ctxt, wanted.port_id or "")
    if count > 1:
        raise Invalid("Unable to launch multiple instances with a single configured port ID. Please launch your instance one by one with different ports.")
    if port.device_id:
        raise Conflict(f"Port {port.id} is still in use.")
    if not port.fixed_ips:
        raise Invalid(f"Port {port.id} requires a FixedIP in order to be used.")
    return RequestedNetwork(network_id=port.network_id, port_id=port.id, tag=wanted.tag)


def _check_fixed(session: Session, network: Network, subnets: list[NetworkSubnet], fixed_ip: str) -> None:
    address = ranges.address(fixed_ip, "fixed_ip")
    subnet = next((s for s in subnets if ranges.usable(ranges.network(s.cidr, s.ip_version), address)), None)
    if subnet is None:
        raise Invalid(f"Invalid fixed IP Address {fixed_ip} in request: it is not of network {network.id}.")
    if str(address) == subnet.gateway_ip or ports.holder(session, subnet.id, str(address)) is not None:
        raise AddressInUse(f"Fixed IP address {fixed_ip} is already in use.")


def _take(session: Session, port_id: str) -> Port:
    """Answer a port which a user brought, for its new server. That the user may use it was checked at accept."""
    port = ports.get(session, port_id, lock=True)
    if port.device_id:
        raise Conflict(f"Port {port_id} is still in use.")
    return port


def _find_groups(session: Session, project_id: str, wanted: tuple[str, ...]) -> list[Any]:
    """Answer groups by name or id. `default` need not exist yet. Raises NotFound, Conflict for an ambiguous name."""
    names = [name for name in wanted if name != groups.DEFAULT]
    known = security_groups.named(session, project_id, names) if names else []
    found = []
    for name in dict.fromkeys(names):
        matching = [group for group in known if group.id == name] or [group for group in known if group.name == name]
        if not matching:
            raise NotFound(f"Security group {name} not found.")
        if len(matching) > 1:
            raise Conflict(f"Multiple security_group matches found for name '{name}', use an ID to be more specific.")
        found.append(matching[0])
    return found
