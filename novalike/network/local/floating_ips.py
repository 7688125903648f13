"""Floating addresses: allocated, led to ports, and given back."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy.orm import Session

from novalike.context import RequestContext
from novalike.db import floating_ips, networks, ports, routers
from novalike.db.network_listing import Listing
from novalike.exception import Forbidden
from novalike.network import errors
from novalike.network.local import addresses, ranges
from novalike.network.local.addresses import WantedAddress
from novalike.network.local.store import Change, Store, is_admin, own, visible_floating, visible_network, visible_port
from novalike.objects.network import Port
from novalike.objects.router import FLOATING, FloatingIp

_RESOURCE = "floatingip"


class FloatingIps:
    """The floating addresses of a cloud."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def create(self, ctxt: RequestContext, given: list[dict[str, Any]]) -> list[FloatingIp]:
        """Allocate addresses, all or none. Keys are the fields of objects.FloatingIp, and `subnet_id`; `network_id` must be an
        external network. Raises BadRequest, NetworkNotFound, OverQuota, IpAddressGenerationFailure and as `update`."""
        return self._store.change(self._create, ctxt, given)

    def _create(self, change: Change, ctxt: RequestContext, given: list[dict[str, Any]]) -> list[FloatingIp]:
        return [self._make(change, ctxt, dict(values)) for values in given]

    def _make(self, change: Change, ctxt: RequestContext, values: dict[str, Any]) -> FloatingIp:
        session = change.session
        project_id = values.get("project_id") or ctxt.project_id or ""
        if not own(ctxt, project_id):
            raise Forbidden("Only administrators may allocate floating IPs for other projects.")
        network = visible_network(session, ctxt, values["network_id"])
        if not network.external:
            raise errors.BadRequest(_RESOURCE, f"Network {network.id} is not a valid external network")
        self._store.require(change, project_id, _RESOURCE)
        wanted = WantedAddress(subnet_id=values.get("subnet_id") or self._subnet(session, network.id), address=values.get("address"))
        floating_id = str(uuid.uuid4())
        mac = addresses.mac(self._store.settings.base_mac)
        port = Port(
            id=str(uuid.uuid4()), network_id=network.id, project_id="", name="", port_security=False, mac_address=mac,
            status="N/A", device_owner=FLOATING, device_id=floating_id,
            fixed_ips=addresses.choose(change, network.id, mac, [wanted]),
        )
        ports.insert(session, port, change.now)
        floating = FloatingIp(
            id=floating_id, project_id=project_id, description=values.get("description") or "", network_id=network.id,
            address=port.fixed_ips[0][1], address_port_id=port.id,
        )
        floating_ips.insert(session, floating, change.now)
        if values.get("port_id") is not None or values.get("fixed_ip_address") is not None:
            self._lead(change, ctxt, floating, values.get("port_id"), values.get("fixed_ip_address"))
        return floating_ips.get(session, floating_id)

    @staticmethod
    def _subnet(session: Session, network_id: str) -> str:
        for subnet in networks.subnets_of(session, [network_id])[network_id]:
            if subnet.ip_version == 4:
                return subnet.id
        raise errors.BadRequest(_RESOURCE, f"Network {network_id} does not contain any IPv4 subnet")

    def get(self, ctxt: RequestContext, floating_id: str) -> FloatingIp:
        """Answer a floating address the caller may see. Raises FloatingIPNotFound."""
        return self._store.database.fetch(visible_floating, ctxt, floating_id)

    def list_page(self, listing: Listing, *, statuses: Sequence[str] | None = None) -> list[FloatingIp]:
        """Answer floating addresses by a listing, whose `project_id` says who looks, and by status."""
        return self._store.database.fetch(floating_ips.list_page, listing, statuses=statuses)

    def ports(self, found: Iterable[FloatingIp]) -> dict[str, Port]:
        """Answer the ports which floating addresses lead to, by id."""
        wanted = {floating.port_id for floating in found if floating.port_id}
        return {port.id: port for port in self._store.database.fetch(ports.by_ids, wanted)} if wanted else {}

    def update(self, ctxt: RequestContext, floating_id: str, changes: dict[str, Any]) -> FloatingIp:
        """Lead a floating address to another port, or to none (`port_id` None, or no changes at all), in one step. Raises FloatingIPNotFound,
        PortNotFound, BadRequest, ExternalGatewayForFloatingIPNotFound, FloatingIPPortAlreadyAssociated."""
        return self._store.change(self._update, ctxt, floating_id, dict(changes) or {"port_id": None})

    def _update(self, change: Change, ctxt: RequestContext, floating_id: str, changes: dict[str, Any]) -> FloatingIp:
        floating = visible_floating(change.session, ctxt, floating_id, lock=True)
        if "description" in changes:
            floating_ips.update(change.session, floating_id, {"description": changes["description"] or ""}, change.now)
        if "port_id" in changes or "fixed_ip_address" in changes:
            port_id = changes.get("port_id", floating.port_id if changes.get("fixed_ip_address") else None)
            self._lead(change, ctxt, floating, port_id, changes.get("fixed_ip_address"))
        return floating_ips.get(change.session, floating_id)

    def _lead(self, change: Change, ctxt: RequestContext, floating: FloatingIp, port_id: str | None, fixed: str | None) -> None:
        session = change.session
        if port_id is None:
            if fixed is not None:
                raise errors.BadRequest(_RESOURCE, "fixed_ip_address cannot be specified without a port_id")
            _leave(change, floating)
            return
        port = visible_port(session, ctxt, port_id)
        if port.project_id != floating.project_id and not is_admin(ctxt):
            raise errors.BadRequest(
                _RESOURCE, f"Port {port_id} is associated with a different tenant than Floating IP {floating.id} and therefore cannot be bound",
            )
        subnet_id, address = _fixed(session, port, fixed)
        router_id = _router(session, port, subnet_id, floating)
        for other in floating_ips.of_ports(session, [port.id]):
            if other.id != floating.id and (other.fixed_ip_address, other.network_id) == (address, floating.network_id):
                raise errors.FloatingIPPortAlreadyAssociated(
                    f"Cannot associate floating IP {floating.address} ({floating.id}) with port {port.id} using fixed IP {address}, "
                    f"as that fixed IP already has a floating IP on external network {floating.network_id}.",
                )
        _leave(change, floating)
        floating_ips.update(session, floating.id, {"port_id": port.id, "fixed_ip_address": address, "router_id": router_id}, change.now)
        for router in routers.by_ids(session, [router_id]):
            change.touch_router(router)
        change.touch_server(port)

    def delete(self, ctxt: RequestContext, floating_id: str) -> None:
        """Give an address back. Raises FloatingIPNotFound."""
        self._store.change(self._delete, ctxt, floating_id)

    def _delete(self, change: Change, ctxt: RequestContext, floating_id: str) -> None:
        drop(change, visible_floating(change.session, ctxt, floating_id, lock=True))


def _fixed(session: Session, port: Port, wanted: str | None) -> tuple[str, str]:
    """Answer (subnet id, address) which a floating address of a port leads to."""
    if wanted is not None:
        text = str(ranges.address(wanted, "fixed_ip_address"))
        found = [fixed for fixed in port.fixed_ips if fixed[1] == text]
        if not found:
            raise errors.BadRequest(_RESOURCE, f"Port {port.id} does not have fixed ip {wanted}")
        if ":" in text:
            raise errors.BadRequest(_RESOURCE, f"{wanted} is no IPv4 address")
        return found[0]
    candidates = [fixed for fixed in port.fixed_ips if ":" not in fixed[1]]
    if not candidates:
        raise errors.BadRequest(_RESOURCE, f"Cannot add floating IP to port {port.id} that has no fixed IPv4 addresses")
    if len(candidates) > 1:
        raise errors.BadRequest(
            _RESOURCE, f"Port {port.id} has multiple fixed IPv4 addresses. Must provide a specific IPv4 address when assigning a floating IP",
        )
    return candidates[0]


def _router(session: Session, port: Port, subnet_id: str, floating: FloatingIp) -> str:
    """Answer the router between a port's subnet and the floating address's network: its subnet's gateway, if there are several."""
    gateway = networks.get_subnet(session, subnet_id).gateway_ip
    reachable = {router.id for router in routers.by_ids(session, routers.attached(session, port.network_id)) if router.network_id == floating.network_id}
    candidates = sorted(
        (address != gateway, router_id) for router_id, legs in routers.attached(session, port.network_id).items()
        for leg in legs for leg_subnet, address in leg.fixed_ips if leg_subnet == subnet_id and router_id in reachable
    )
    if not candidates:
        raise errors.ExternalGatewayForFloatingIPNotFound(
            f"External network {floating.network_id} is not reachable from subnet {subnet_id}. "
            f"Therefore, cannot associate Port {port.id} with a Floating IP.",
        )
    return candidates[0][1]


def _leave(change: Change, floating: FloatingIp) -> None:
    """Let a floating address lead nowhere."""
    if floating.port_id is None:
        return
    session = change.session
    floating_ips.update(session, floating.id, {"port_id": None, "fixed_ip_address": None, "router_id": None}, change.now)
    for router in routers.by_ids(session, [floating.router_id or ""]):
        change.touch_router(router)
    for port in ports.by_ids(session, [floating.port_id]):
        change.touch_server(port)


def drop(change: Change, floating: FloatingIp) -> None:
    """Remove a floating address with its port."""
    _leave(change, floating)
    floating_ips.delete(change.session, floating.id)
    ports.delete(change.session, [floating.address_port_id])


def release(change: Change, gone: Sequence[Port]) -> None:
    """Let the floating addresses of ports which are about to be deleted lead nowhere. They stay their project's."""
    if gone:
        for floating in floating_ips.of_ports(change.session, [port.id for port in gone]):
            _leave(change, floating)


def release_addresses(change: Change, port: Port, gone: Iterable[tuple[str, str]]) -> None:
    """The same for addresses which a port is about to lose."""
    lost = {address for _, address in gone}
    if lost:
        for floating in floating_ips.of_ports(change.session, [port.id]):
            if floating.fixed_ip_address in lost:
                _leave(change, floating)


def drop_unused(change: Change, network_id: str, held: Sequence[Port]) -> bool:
    """Remove a network's floating addresses if none of them leads anywhere; answer whether they are gone."""
    if not held:
        return True
    found = floating_ips.of_network(change.session, network_id)
    if any(floating.port_id for floating in found):
        return False
    for floating in found:
        drop(change, floating)
    return True
