"""Subnets: made, changed and removed."""

from __future__ import annotations

import ipaddress
import uuid
from typing import Any

from novalike.context import RequestContext
from novalike.db import networks, ports, routers
from novalike.db import subnet_pools as subnet_pool_rows
from novalike.db.network_listing import Listing
from novalike.exception import Forbidden
from novalike.network import errors
from novalike.network.local import addresses, ranges, subnet_pools
from novalike.network.local.store import Change, Store, own, visible_network, visible_subnet
from novalike.objects.network import NetworkSubnet
from novalike.objects.router import DHCP, FLOATING, GATEWAY, INTERFACE

MAX_NAME_SERVERS = 5
MAX_HOST_ROUTES = 20
#: What a network must let pass, by IP version.
_SMALLEST_MTU = {4: 68, 6: 1280}
#: The value of `gateway_ip` which asks for the first address (None asks for no gateway at all).
FIRST = ""


class Subnets:
    """The subnets of a cloud."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def create(self, ctxt: RequestContext, given: list[dict[str, Any]]) -> list[NetworkSubnet]:
        """Make subnets, all or none. Keys are the fields of objects.NetworkSubnet; a missing `gateway_ip` means the first
        address, None means none. Raises OverQuota, Forbidden, NetworkNotFound and the errors of network.errors."""
        return self._store.change(self.create_in, ctxt, given)

    def create_in(self, change: Change, ctxt: RequestContext, given: list[dict[str, Any]]) -> list[NetworkSubnet]:
        """The same, as a part of a larger change."""
        return [networks.get_subnet(change.session, self._make(change, ctxt, dict(values))) for values in given]

    def _make(self, change: Change, ctxt: RequestContext, values: dict[str, Any]) -> str:
        session = change.session
        network = visible_network(session, ctxt, values["network_id"])
        if not own(ctxt, network.project_id):
            raise Forbidden(f"Network {network.id} belongs to another project.")
        values["project_id"] = values.get("project_id") or ctxt.project_id or network.project_id
        if not own(ctxt, values["project_id"]):
            raise Forbidden("Only administrators may make subnets for other projects.")
        self._store.require(change, values["project_id"], "subnet")
        networks.lock(session, network.id)
        version, span = _range(change, ctxt, values)
        values["cidr"] = str(span)
        if network.mtu < _SMALLEST_MTU[version]:
            raise errors.NetworkMTUSubnetConflict(f"MTU of {network.id} is not valid, subnet requires a minimum of {_SMALLEST_MTU[version]}")
        others = networks.subnets_of(session, [network.id])[network.id]
        clash = ranges.overlapping(span, [other.cidr for other in others])
        if clash:
            raise errors.InvalidInput(
                f"Requested subnet with cidr: {span} for network: {network.id} overlaps with another subnet.",
            )
        _check_modes(values, span)
        gateway = values.get("gateway_ip", FIRST)
        values["gateway_ip"] = ranges.first(span) if gateway == FIRST else None if gateway is None else ranges.gateway(span, gateway)
        given_pools = values.get("allocation_pools")
        values["allocation_pools"] = (
            ranges.default_pools(span, values["gateway_ip"]) if given_pools is None
            else ranges.pools(span, given_pools, values["gateway_ip"])
        )
        _check_servers_and_routes(values, version)
        subnet = NetworkSubnet(**{"name": "", **values}, id=str(uuid.uuid4()))
        networks.insert_subnet(session, subnet, change.now)
        networks.update(session, network.id, {}, change.now)         # a new revision: it has one more subnet
        addresses.give_self_made(change, subnet)
        addresses.give_servers(change, network.id)
        change.touch_network(network.id)
        return subnet.id

    def get(self, ctxt: RequestContext, subnet_id: str) -> NetworkSubnet:
        """Answer a subnet the caller may see. Raises SubnetNotFound."""
        return self._store.database.fetch(visible_subnet, ctxt, subnet_id)

    def list_page(self, listing: Listing, *, shared: bool | None = None) -> list[NetworkSubnet]:
        """Answer subnets by a listing, whose `project_id` says who looks, and by whether their networks are shared."""
        return self._store.database.fetch(networks.list_subnets, listing, shared=shared)

    def update(self, ctxt: RequestContext, subnet_id: str, changes: dict[str, Any]) -> NetworkSubnet:
        """Change a subnet's name, gateway, pools, DHCP, name servers or routes. Raises SubnetNotFound and as `create`."""
        return self._store.change(self._update, ctxt, subnet_id, dict(changes))

    def _update(self, change: Change, ctxt: RequestContext, subnet_id: str, changes: dict[str, Any]) -> NetworkSubnet:
        subnet = visible_subnet(change.session, ctxt, subnet_id, change=True)
        networks.lock(change.session, subnet.network_id)
        networks.lock_subnets(change.session, [subnet_id])
        span = ranges.network(subnet.cidr, subnet.ip_version)
        if changes.get("gateway_ip", FIRST) == FIRST:
            changes.pop("gateway_ip", None)
        else:
            _check_gateway_unused(change, subnet, changes["gateway_ip"])
        if changes.get("gateway_ip") is not None:
            changes["gateway_ip"] = ranges.gateway(span, changes["gateway_ip"])
            holder = ports.holder(change.session, subnet_id, changes["gateway_ip"])
            if holder is not None and changes["gateway_ip"] != subnet.gateway_ip:
                raise errors.IpAddressAlreadyAllocated(f"Current gateway ip {changes['gateway_ip']} already in use by port {holder}.")
        if "gateway_ip" in changes or "allocation_pools" in changes:
            gateway = changes.get("gateway_ip", subnet.gateway_ip)
            given_pools = changes.get("allocation_pools", subnet.allocation_pools)
            changes["allocation_pools"] = ranges.pools(span, given_pools, gateway)
        _check_servers_and_routes(changes, subnet.ip_version)
        networks.update_subnet(change.session, subnet_id, changes, change.now)
        addresses.give_servers(change, subnet.network_id)
        change.touch_network(subnet.network_id)
        for router in routers.by_ids(change.session, routers.attached(change.session, subnet.network_id)):
            change.touch_router(router)              # name servers and advertisements of IPv6 are told by it
        return networks.get_subnet(change.session, subnet_id)

    def delete(self, ctxt: RequestContext, subnet_id: str) -> None:
        """Remove a subnet. Ports (not of routers) lose addresses they had by SLAAC. Raises SubnetNotFound, SubnetInUse."""
        self._store.change(self._delete, ctxt, subnet_id)

    def _delete(self, change: Change, ctxt: RequestContext, subnet_id: str) -> None:
        session = change.session
        subnet = visible_subnet(session, ctxt, subnet_id, change=True)
        networks.lock(session, subnet.network_id)
        networks.lock_subnets(session, [subnet_id])
        given_up = subnet.ipv6_address_mode in addresses.SELF_MADE
        for port in ports.holders(session, subnet_id):
            if port.device_owner != DHCP and (not given_up or port.device_owner in (INTERFACE, GATEWAY, FLOATING)):
                raise errors.SubnetInUse(
                    f"Unable to complete operation on subnet {subnet_id}: One or more ports have an IP allocation from this subnet.",
                )
            held = [fixed for fixed in port.fixed_ips if fixed[0] == subnet_id]
            ports.remove_addresses(session, port.id, held)
            if port.device_owner != DHCP:            # whose address was made of its MAC address by itself
                change.touch_port(port)
                change.touch_port(ports.get(session, port.id))
                change.touch_server(port)
            elif len(held) == len(port.fixed_ips):
                ports.delete(session, [port.id])
        networks.delete_subnet(session, subnet_id)
        networks.update(session, subnet.network_id, {}, change.now)
        change.touch_network(subnet.network_id)


def _check_gateway_unused(change: Change, subnet: NetworkSubnet, wanted: str | None) -> None:
    holder = ports.holder(change.session, subnet.id, subnet.gateway_ip) if subnet.gateway_ip else None
    if holder is not None and wanted != subnet.gateway_ip:
        raise errors.GatewayIpInUse(f"Current gateway ip {subnet.gateway_ip} already in use by port {holder}. Unable to update.")


def _range(change: Change, ctxt: RequestContext, values: dict[str, Any]) -> tuple[int, ranges.IpNetwork]:
    """Answer the IP version and the range of a new subnet: the one named, or one cut from a pool."""
    if values.pop("use_default_subnetpool", False):
        values["subnetpool_id"] = _default_pool(change, values)
    length, pool_id = values.pop("prefixlen", None), values.get("subnetpool_id")
    if pool_id is None:
        if values.get("cidr") is None:
            raise errors.BadRequest("subnets", "a subnetpool must be specified in the absence of a cidr")
        version = values.setdefault("ip_version", 4)
        return version, ranges.network(values["cidr"], version)
    if length is not None and values.get("cidr") is not None:
        raise errors.BadRequest("subnets", "cidr and prefixlen must not be supplied together")
    span = subnet_pools.allocate(
        change, ctxt, pool_id, values["project_id"], cidr=values.get("cidr"), length=length, version=values.get("ip_version"),
    )
    values["ip_version"] = span.version
    return span.version, span


def _default_pool(change: Change, values: dict[str, Any]) -> str:
    if values.get("subnetpool_id") is not None:
        raise errors.BadRequest("subnets", "subnetpool_id and use_default_subnetpool cannot both be specified")
    version = values.get("ip_version", 4)
    pool = subnet_pool_rows.default(change.session, version)
    if pool is None:
        raise errors.BadRequest("subnets", f"No default subnetpool found for IPv{version}")
    return pool.id


def _check_modes(values: dict[str, Any], span: ranges.IpNetwork) -> None:
    modes = {values.get("ipv6_ra_mode"), values.get("ipv6_address_mode")} - {None}
    if modes and span.version == 4:
        raise errors.InvalidInput("ipv6_ra_mode and ipv6_address_mode are for IPv6 subnets only.")
    if len(modes) > 1:
        raise errors.InvalidInput("ipv6_ra_mode and ipv6_address_mode must be the same where both are set.")
    if modes & {"slaac", "dhcpv6-stateless"} and span.prefixlen != 64:
        raise errors.InvalidInput(f"Invalid CIDR {span} for IPv6 address mode. OpenStack uses the EUI-64 address format, which requires the prefix to be /64.")
    if values.get("enable_dhcp", True) and span.prefixlen > span.max_prefixlen - 2:
        raise errors.InvalidInput("Subnet has a prefix length that is incompatible with DHCP service enabled.")


def _check_servers_and_routes(values: dict[str, Any], version: int) -> None:
    if "dns_nameservers" in values:
        servers = [str(ranges.address(server, "dns_nameservers")) for server in values["dns_nameservers"]]
        if len(servers) > MAX_NAME_SERVERS:
            raise errors.DNSNameServersExhausted(f"Unable to complete operation. The number of DNS nameservers exceeds the limit {MAX_NAME_SERVERS}.")
        if len(set(servers)) < len(servers):
            raise errors.InvalidInput("A DNS nameserver is named twice.")
        values["dns_nameservers"] = tuple(servers)
    if "host_routes" not in values:
        return
    if len(values["host_routes"]) > MAX_HOST_ROUTES:
        raise errors.HostRoutesExhausted(f"Unable to complete operation. The number of host routes exceeds the limit {MAX_HOST_ROUTES}.")
    routes = []
    for destination, via in values["host_routes"]:
        try:
            target = ipaddress.ip_network(destination, strict=False)
        except ValueError as error:
            raise errors.InvalidInput(f"'{destination}' is not a valid CIDR (host_routes).") from error
        hop = ranges.address(via, "host_routes")
        if target.version != version or hop.version != version:
            raise errors.InvalidInput(f"The host route {destination} via {via} is not of the subnet's IP version.")
        routes.append((str(target), str(hop)))
    values["host_routes"] = tuple(routes)
