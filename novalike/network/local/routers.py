"""Routers: made, connected to an external network, and removed. Their inner interfaces are in router_interfaces.py."""

from __future__ import annotations

import ipaddress
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy.orm import Session

from novalike.context import RequestContext
from novalike.db import floating_ips, networks, ports, routers
from novalike.db.network_listing import Listing
from novalike.exception import Forbidden
from novalike.network import errors
from novalike.network.local import addresses, ranges
from novalike.network.local.addresses import WantedAddress
from novalike.network.local.store import Change, Store, own, visible_network, visible_router
from novalike.objects.network import Port
from novalike.objects.router import GATEWAY, Router

MAX_ROUTES = 30
_RESOURCE = "router"


class Routers:
    """The routers of a cloud. `gateway` in what is given to create and update is a mapping with `network_id`, `enable_snat`
    and `fixed_ips` (WantedAddress), or None for no way out."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def create(self, ctxt: RequestContext, given: list[dict[str, Any]]) -> list[Router]:
        """Make routers, all or none. Keys are the fields of objects.Router, and `gateway`. Raises OverQuota, Forbidden,
        BadRequest, NetworkNotFound."""
        hosts = self._store.agents()
        return self._store.change(self.create_in, ctxt, given, hosts)

    def create_in(self, change: Change, ctxt: RequestContext, given: list[dict[str, Any]], hosts: list[str]) -> list[Router]:
        """The same, as a part of a larger change."""
        return [self._make(change, ctxt, dict(values), hosts) for values in given]

    def _make(self, change: Change, ctxt: RequestContext, values: dict[str, Any], hosts: list[str]) -> Router:
        session = change.session
        gateway = values.pop("gateway", None)
        routes = values.pop("routes", ())
        project_id = values.get("project_id") or ctxt.project_id or ""
        if not own(ctxt, project_id):
            raise Forbidden("Only administrators may make routers for other projects.")
        self._store.require(change, project_id, _RESOURCE)
        router = Router(**{"name": "", **values, "project_id": project_id}, id=str(uuid.uuid4()), host=_lightest(session, hosts))
        routers.insert(session, router, change.now)
        if gateway is not None:
            router = self._set_gateway(change, ctxt, router, gateway)
        if routes:
            _set_routes(change, router, routes)
        change.touch_router(router)
        return routers.get(session, router.id)

    def get(self, ctxt: RequestContext, router_id: str) -> Router:
        """Answer a router the caller may see. Raises RouterNotFound."""
        return self._store.database.fetch(visible_router, ctxt, router_id)

    def list_page(self, listing: Listing) -> list[Router]:
        """Answer routers by a listing, whose `project_id` says who looks."""
        return self._store.database.fetch(routers.list_page, listing)

    def on_host(self, host: str) -> list[Router]:
        """Answer everybody's routers which run on a host."""
        return self._store.database.fetch(routers.on_host, host)

    def update(self, ctxt: RequestContext, router_id: str, changes: dict[str, Any]) -> Router:
        """Change a router; keys as for `create`. Raises RouterNotFound, InvalidRoutes, BadRequest,
        RouterExternalGatewayInUseByFloatingIp."""
        return self._store.change(self._update, ctxt, router_id, dict(changes))

    def _update(self, change: Change, ctxt: RequestContext, router_id: str, changes: dict[str, Any]) -> Router:
        session = change.session
        router = visible_router(session, ctxt, router_id, lock=True)
        if "gateway" in changes:
            router = self._set_gateway(change, ctxt, router, changes.pop("gateway"))
        if "routes" in changes:
            _set_routes(change, router, changes.pop("routes"))
        if changes:
            routers.update(session, router_id, changes, change.now)
        change.touch_router(router)
        return routers.get(session, router_id)

    def change_routes(
        self, ctxt: RequestContext, router_id: str, *, add: Iterable[tuple[str, str]] = (), remove: Iterable[tuple[str, str]] = (),
    ) -> Router:
        """Add and remove routes, leaving the others as they are. Raises RouterNotFound, InvalidRoutes, RoutesExhausted."""
        def run(change: Change) -> Router:
            router = visible_router(change.session, ctxt, router_id, lock=True)
            gone = set(remove)
            _set_routes(change, router, list(dict.fromkeys([*(r for r in router.routes if r not in gone), *add])))
            change.touch_router(router)
            return routers.get(change.session, router_id)

        return self._store.change(run)

    def delete(self, ctxt: RequestContext, router_id: str) -> None:
        """Remove a router. Raises RouterNotFound, RouterInUse."""
        self._store.change(self._delete, ctxt, router_id)

    def _delete(self, change: Change, ctxt: RequestContext, router_id: str) -> None:
        session = change.session
        router = visible_router(session, ctxt, router_id, lock=True)
        if routers.interfaces(session, router_id):
            raise errors.RouterInUse(f"Router {router_id} still has ports")
        _drop_gateway(change, router)
        routers.delete(session, router_id)
        change.touch_router(router)

    def _set_gateway(self, change: Change, ctxt: RequestContext, router: Router, wanted: dict[str, Any] | None) -> Router:
        session = change.session
        network_id = (wanted or {}).get("network_id") or (router.network_id if wanted else None)
        if wanted and network_id is None:
            raise errors.BadRequest(_RESOURCE, "external_gateway_info needs a network_id")
        if router.network_id is not None and network_id != router.network_id and floating_ips.of_router(session, router.id):
            raise errors.RouterExternalGatewayInUseByFloatingIp(
                f"Gateway cannot be updated for router {router.id}, since a gateway to external network {router.network_id} is "
                "required by one or more floating IPs.",
            )
        if not wanted or network_id is None:
            _drop_gateway(change, router)
            values: dict[str, Any] = {"network_id": None, "enable_snat": True}
        else:
            network = visible_network(session, ctxt, network_id)
            if not network.external:
                raise errors.BadRequest(_RESOURCE, f"Network {network_id} is not an external network")
            fixed: Sequence[WantedAddress] | None = wanted.get("fixed_ips")
            if network_id != router.network_id or fixed is not None:
                self._connect(change, router, network_id, fixed)
            snat = wanted.get("enable_snat")
            values = {"network_id": network_id, "enable_snat": (router.enable_snat if network_id == router.network_id else True) if snat is None else snat}
        routers.update(session, router.id, values, change.now)
        return replace(router, **values)

    def _connect(self, change: Change, router: Router, network_id: str, wanted: Sequence[WantedAddress] | None) -> None:
        """Give a router a port on an external network; the one it had goes."""
        session = change.session
        held = routers.gateway(session, router.id)
        if held is not None and held.network_id == network_id:
            chosen = addresses.choose(change, network_id, held.mac_address, wanted, kept=held.fixed_ips)
            ports.remove_addresses(session, held.id, [fixed for fixed in held.fixed_ips if fixed not in chosen])
            ports.add_addresses(session, held, [fixed for fixed in chosen if fixed not in held.fixed_ips])
            return
        _drop_gateway(change, router)
        spans = [span for _, span in _spans(session, routers.interfaces(session, router.id))]
        for subnet in networks.subnets_of(session, [network_id])[network_id]:
            clash = ranges.overlapping(ranges.network(subnet.cidr, subnet.ip_version), spans)
            if clash:
                raise errors.BadRequest(_RESOURCE, f"Cidr {subnet.cidr} of subnet {subnet.id} overlaps with cidr {clash} of the router's interfaces")
        mac = addresses.mac(self._store.settings.base_mac)
        has_subnets = bool(networks.subnets_of(session, [network_id])[network_id])
        port = Port(
            id=str(uuid.uuid4()), network_id=network_id, project_id="", name="", port_security=False, mac_address=mac,
            device_owner=GATEWAY, device_id=router.id, host=router.host, status="ACTIVE" if router.host else "DOWN",
            fixed_ips=addresses.choose(change, network_id, mac, wanted) if has_subnets else (),
        )
        ports.insert(session, port, change.now)
        change.touch_port(port)
        change.touch_network(network_id)


def _drop_gateway(change: Change, router: Router) -> None:
    held = routers.gateway(change.session, router.id)
    if held is not None:
        ports.delete(change.session, [held.id])
        change.touch_port(held)
        change.touch_network(held.network_id)


def _spans(session: Session, legs: Iterable[Port]) -> list[tuple[str, str]]:
    """Answer (subnet id, CIDR) of everything that a router's ports are in."""
    return [
        (subnet_id, networks.get_subnet(session, subnet_id).cidr) for subnet_id in sorted({s for leg in legs for s, _ in leg.fixed_ips})
    ]


def _set_routes(change: Change, router: Router, given: Iterable[tuple[str, str]]) -> None:
    session = change.session
    wanted = list(given)
    if len(wanted) > MAX_ROUTES:
        raise errors.RoutesExhausted(f"Unable to complete operation for {router.id}. The number of routes exceeds the maximum {MAX_ROUTES}.")
    legs = [*routers.interfaces(session, router.id), *(leg for leg in [routers.gateway(session, router.id)] if leg)]
    spans = [ipaddress.ip_network(cidr) for _, cidr in _spans(session, legs)]
    own_addresses = {address for leg in legs for _, address in leg.fixed_ips}
    routes = []
    for destination, via in wanted:
        try:
            target, hop = ipaddress.ip_network(destination, strict=False), ipaddress.ip_address(via)
        except ValueError as error:
            raise errors.InvalidRoutes(f"Invalid format for routes: {[list(route) for route in wanted]}, {error}") from error
        if target.version != hop.version or not any(hop in span for span in spans):
            raise errors.InvalidRoutes(f"Invalid format for routes: {[list(route) for route in wanted]}, the nexthop is not connected with router")
        if str(hop) in own_addresses:
            raise errors.InvalidRoutes(f"Invalid format for routes: {[list(route) for route in wanted]}, the nexthop is used by router")
        routes.append((str(target), str(hop)))
    routers.update(session, router.id, {"routes": tuple(dict.fromkeys(routes))}, change.now)


def _lightest(session: Session, hosts: list[str]) -> str:
    """Answer the host with the fewest routers; empty when there is none."""
    loads = routers.loads(session, hosts)
    return min(hosts, key=lambda host: (loads.get(host, 0), host), default="")


def adopt(change: Change, host: str) -> None:
    """Let a host take the routers which run nowhere: they were made when no agent lived."""
    for router_id in routers.homeless(change.session):
        settle(change, routers.get(change.session, router_id), host)


def settle(change: Change, router: Router, host: str) -> None:
    """Let a router run on a host."""
    session = change.session
    for port in (leg for leg in (*routers.interfaces(session, router.id), routers.gateway(session, router.id)) if leg):
        ports.update(session, port.id, {"host": host, "status": "ACTIVE" if host else "DOWN"}, change.now)
        change.touch_port(port)
        change.touch_port(replace(port, host=host))
        change.touch_network(port.network_id)
    routers.update(session, router.id, {"host": host}, change.now)
    change.touch_router(router)
    change.touch_router(replace(router, host=host))
