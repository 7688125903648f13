"""A router's inner side: which subnets it is connected to, and at which address."""

from __future__ import annotations

import ipaddress
import uuid
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.orm import Session

from novalike.context import RequestContext
from novalike.db import floating_ips, networks, ports, routers
from novalike.exception import Forbidden
from novalike.network import errors
from novalike.network.local import addresses, ranges
from novalike.network.local.store import Change, Store, own, visible_port, visible_router, visible_subnet
from novalike.objects.network import NetworkSubnet, Port
from novalike.objects.router import INTERFACE, Router

_RESOURCE = "router"


@dataclass(frozen=True, kw_only=True)
class Interface:
    """What was connected or disconnected."""

    router: Router
    port: Port


class RouterInterfaces:
    """Connects routers and subnets. A router's address in a subnet is the subnet's gateway, or that of a port named."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, ctxt: RequestContext, router_id: str, *, subnet_id: str | None, port_id: str | None) -> Interface:
        """Connect a router to a subnet, or by a port. Raises RouterNotFound, SubnetNotFound, PortNotFound, PortInUse, BadRequest
        (no gateway; overlapping ranges; both or neither named), IpAddressAlreadyAllocated."""
        if (subnet_id is None) == (port_id is None):
            raise errors.BadRequest(_RESOURCE, "Either subnet_id or port_id must be specified" if subnet_id is None else "Cannot specify both subnet-id and port-id")
        return self._store.change(self.add_in, ctxt, router_id, subnet_id, port_id)

    def add_in(self, change: Change, ctxt: RequestContext, router_id: str, subnet_id: str | None, port_id: str | None) -> Interface:
        """The same, as a part of a larger change; exactly one of subnet and port is named."""
        session = change.session
        router = visible_router(session, ctxt, router_id, lock=True)
        port = self._of_subnet(change, ctxt, router, subnet_id) if subnet_id else _of_port(change, ctxt, router, port_id or "")
        addresses.give_servers(change, port.network_id)
        change.touch_port(port)
        change.touch_network(port.network_id)
        change.touch_router(router)
        routers.update(session, router.id, {}, change.now)
        return Interface(router=router, port=port)

    def _of_subnet(self, change: Change, ctxt: RequestContext, router: Router, subnet_id: str) -> Port:
        session = change.session
        subnet = visible_subnet(session, ctxt, subnet_id)
        if not own(ctxt, subnet.project_id):
            raise Forbidden("Only the owner of a subnet may make a router its gateway; bring a port of your own instead.")
        if subnet.gateway_ip is None:
            raise errors.BadRequest(_RESOURCE, "Subnet for router interface must have a gateway IP")
        if ipaddress.ip_address(subnet.gateway_ip) not in ipaddress.ip_network(subnet.cidr):
            raise errors.BadRequest(_RESOURCE, f"Gateway {subnet.gateway_ip} of subnet {subnet_id} is not in its range")
        networks.lock_subnets(session, [subnet_id])
        _check_ranges(session, router, [subnet])
        holder = ports.holder(session, subnet_id, subnet.gateway_ip)
        if holder is not None:
            raise errors.IpAddressAlreadyAllocated(f"IP address {subnet.gateway_ip} already allocated in subnet {subnet_id}")
        self._store.require(change, router.project_id, "port")
        port = Port(
            id=str(uuid.uuid4()), network_id=subnet.network_id, project_id=router.project_id, name="", port_security=False,
            mac_address=addresses.mac(self._store.settings.base_mac), status="ACTIVE" if router.host else "DOWN",
            device_owner=INTERFACE, device_id=router.id, host=router.host, fixed_ips=((subnet_id, subnet.gateway_ip),),
        )
        ports.insert(session, port, change.now)
        return port

    def remove(self, ctxt: RequestContext, router_id: str, *, subnet_id: str | None, port_id: str | None) -> Interface:
        """Disconnect a router from a subnet, and delete its port there. Raises RouterNotFound, RouterInterfaceNotFound,
        RouterInterfaceNotFoundForSubnet, RouterInterfaceInUseByFloatingIP, RouterInterfaceInUseByRoute."""
        if subnet_id is None and port_id is None:
            raise errors.BadRequest(_RESOURCE, "Either subnet_id or port_id must be specified")
        return self._store.change(self._remove, ctxt, router_id, subnet_id, port_id)

    def _remove(self, change: Change, ctxt: RequestContext, router_id: str, subnet_id: str | None, port_id: str | None) -> Interface:
        session = change.session
        router = visible_router(session, ctxt, router_id, lock=True)
        legs = routers.interfaces(session, router_id)
        if port_id is not None:
            port = next((leg for leg in legs if leg.id == port_id), None)
            if port is None:
                raise errors.RouterInterfaceNotFound(f"Router {router_id} does not have an interface with id {port_id}")
            if subnet_id is not None and all(subnet != subnet_id for subnet, _ in port.fixed_ips):
                raise errors.BadRequest(_RESOURCE, f"Subnet {subnet_id} is not on port {port_id}")
        else:
            port = next((leg for leg in legs if any(subnet == subnet_id for subnet, _ in leg.fixed_ips)), None)
            if port is None:
                raise errors.RouterInterfaceNotFoundForSubnet(f"Router {router_id} has no interface on subnet {subnet_id}")
        _check_unneeded(session, router, port)
        ports.delete(session, [port.id])
        addresses.give_servers(change, port.network_id)
        change.touch_port(port)
        change.touch_network(port.network_id)
        change.touch_router(router)
        return Interface(router=router, port=port)


def _of_port(change: Change, ctxt: RequestContext, router: Router, port_id: str) -> Port:
    session = change.session
    port = visible_port(session, ctxt, port_id, lock=True)
    if port.device_id or port.device_owner:
        raise errors.PortInUse(
            f"Unable to complete operation on port {port_id} for network {port.network_id}. Port already has an attached device {port.device_id}.",
        )
    if not port.fixed_ips:
        raise errors.BadRequest(_RESOURCE, "Router port must have at least one fixed IP")
    _check_ranges(session, router, [networks.get_subnet(session, subnet_id) for subnet_id, _ in port.fixed_ips])
    values: dict[str, Any] = {
        "device_owner": INTERFACE, "device_id": router.id, "host": router.host, "port_security": False, "security_groups": (),
        "address_pairs": (), "status": "ACTIVE" if router.host else "DOWN",
    }
    ports.update(session, port_id, values, change.now)
    return replace(port, **values)


def _check_ranges(session: Session, router: Router, wanted: list[NetworkSubnet]) -> None:
    """One router knows one place for each address: its subnets must not overlap."""
    legs = [*routers.interfaces(session, router.id), *(leg for leg in [routers.gateway(session, router.id)] if leg)]
    present = {subnet_id: networks.get_subnet(session, subnet_id) for leg in legs for subnet_id, _ in leg.fixed_ips}
    for subnet in wanted:
        if subnet.id in present:
            raise errors.BadRequest(_RESOURCE, f"Router already has a port on subnet {subnet.id}")
        for other in present.values():
            if other.ip_version == subnet.ip_version and ranges.overlapping(ranges.network(subnet.cidr, subnet.ip_version), [other.cidr]):
                raise errors.BadRequest(
                    _RESOURCE, f"Cidr {subnet.cidr} of subnet {subnet.id} overlaps with cidr {other.cidr} of subnet {other.id}",
                )


def _check_unneeded(session: Session, router: Router, port: Port) -> None:
    spans = {subnet_id: ipaddress.ip_network(networks.get_subnet(session, subnet_id).cidr) for subnet_id, _ in port.fixed_ips}
    for subnet_id, span in spans.items():
        if any(ipaddress.ip_address(via) in span for _, via in router.routes):
            raise errors.RouterInterfaceInUseByRoute(
                f"Router interface for subnet {subnet_id} on router {router.id} cannot be deleted, as it is required by one or more routes.",
            )
        for floating in floating_ips.of_router(session, router.id):
            if floating.fixed_ip_address and ipaddress.ip_address(floating.fixed_ip_address) in span:
                raise errors.RouterInterfaceInUseByFloatingIP(
                    f"Router interface for subnet {subnet_id} on router {router.id} cannot be deleted, as it is required by one or "
                    "more floating IPs.",
                )
