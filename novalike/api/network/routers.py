"""Routers, what they are connected to, and floating IPs."""

from __future__ import annotations

from typing import Any

from novalike.api.http.application import Request, Route
from novalike.api.http.schema import Field, Object
from novalike.api.network.attributes import FLAG, ID, IDENTITY, TIMES, Attribute
from novalike.api.network.collection import Collection
from novalike.api.network.resources import ZONE, ZONES
from novalike.db.network_listing import Listing
from novalike.network.local.addresses import WantedAddress
from novalike.network.local.router_interfaces import Interface
from novalike.network.local.service import LocalNetworks
from novalike.objects.network import Port
from novalike.objects.router import FloatingIp, Router

_NULLABLE_ID = {"type": ["string", "null"], "anyOf": [{"type": "null"}, {"format": "uuid"}]}
_NULLABLE_ADDRESS = {"type": ["string", "null"], "anyOf": [{"type": "null"}, {"format": "ip"}]}
_GATEWAY = {
    "type": ["object", "null"],
    "properties": {
        "network_id": _NULLABLE_ID, "enable_snat": FLAG,
        "external_fixed_ips": {
            "type": ["array", "null"], "maxItems": 10,
            "items": {"type": "object", "properties": {"subnet_id": ID, "ip_address": {"type": "string", "format": "ip"}}, "additionalProperties": False},
        },
        "qos_policy_id": {"type": "null"},
    },
    "additionalProperties": False,
}
_ROUTE = {
    "type": "object", "required": ["destination", "nexthop"], "additionalProperties": False,
    "properties": {name: {"type": "string", "maxLength": 64} for name in ("destination", "nexthop")},
}
_ROUTES = {"type": ["array", "null"], "maxItems": 1000, "items": _ROUTE}


def _read_gateway(value: dict[str, Any] | None) -> dict[str, Any] | None:
    """Answer what the service takes: None, as for an empty object, disconnects."""
    if not value or ("network_id" in value and value["network_id"] is None):
        return None
    fixed, snat = value.get("external_fixed_ips"), value.get("enable_snat")
    return {
        "network_id": value.get("network_id"), "enable_snat": None if snat is None else str(snat).lower() in {"true", "1"},
        "fixed_ips": None if fixed is None else tuple(WantedAddress(subnet_id=f.get("subnet_id"), address=f.get("ip_address")) for f in fixed),
    }


def _read_routes(value: list[dict[str, str]] | None) -> tuple[tuple[str, str], ...]:
    return tuple((route["destination"], route["nexthop"]) for route in value or ())


def _show_routes(value: tuple[tuple[str, str], ...]) -> list[dict[str, str]]:
    return [{"destination": to, "nexthop": via} for to, via in value]


ROUTER = (
    *IDENTITY,
    Attribute(name="admin_state_up", schema=FLAG, create=True, update=True),
    Attribute(name="external_gateway_info", schema=_GATEWAY, field="gateway", create=True, update=True, read=_read_gateway, column=None, shown=False),
    Attribute(name="routes", schema=_ROUTES, update=True, read=_read_routes, show=_show_routes, column=None),
    Attribute(name="status", constant="ACTIVE"),
    *ZONES,
    *TIMES,
)

FLOATING_IP = (
    *(attribute for attribute in IDENTITY if attribute.name != "name"),
    Attribute(name="floating_network_id", schema=ID, field="network_id", create=True, required=True),
    Attribute(name="subnet_id", schema=_NULLABLE_ID, create=True, column=None, shown=False),
    Attribute(
        name="floating_ip_address", schema=_NULLABLE_ADDRESS, field="address", create=True, rule="create_floatingip:floating_ip_address",
    ),
    Attribute(name="port_id", schema=_NULLABLE_ID, create=True, update=True),
    Attribute(name="fixed_ip_address", schema=_NULLABLE_ADDRESS, create=True, update=True),
    Attribute(name="router_id"),
    Attribute(name="status", column=None),
    Attribute(name="port_details", computed=True),
    *TIMES,
)


def _router_extra(request: Request, found: list[Router]) -> list[dict[str, Any]]:
    return [_gateway(router) for router in found]


def _gateway(router: Router) -> dict[str, Any]:
    gateway = None if router.network_id is None else {
        "network_id": router.network_id, "enable_snat": router.enable_snat,
        "external_fixed_ips": [{"subnet_id": subnet_id, "ip_address": address} for subnet_id, address in router.gateway_ips],
    }
    return {
        "external_gateway_info": gateway, "availability_zones": [ZONE] if router.host else [],
    }


class Routers:
    """What is asked of routers besides the usual."""

    def __init__(self, local: LocalNetworks) -> None:
        self._local = local

    def routes(self) -> list[Route]:
        """Answer the routes."""
        one = "/v2.0/routers/{id}"
        joining = Object({"subnet_id": Field(_NULLABLE_ID), "port_id": Field(_NULLABLE_ID)})
        routing = Object({"router": Field(Object({"routes": Field(_ROUTES, required=True)}), required=True)})
        return [
            Route(method="PUT", path=f"{one}/add_router_interface", handler=self.add_interface, rule="add_router_interface", body=joining),
            Route(method="PUT", path=f"{one}/remove_router_interface", handler=self.remove_interface, rule="remove_router_interface", body=joining),
            Route(method="PUT", path=f"{one}/add_extraroutes", handler=self.add_routes, rule="add_extraroutes", body=routing),
            Route(method="PUT", path=f"{one}/remove_extraroutes", handler=self.remove_routes, rule="remove_extraroutes", body=routing),
        ]

    def add_interface(self, request: Request) -> dict[str, Any]:
        """Connect a router to a subnet."""
        return _interface(self._local.router_interfaces.add(request.context, request.path_args["id"], **_what(request)))

    def remove_interface(self, request: Request) -> dict[str, Any]:
        """Disconnect a router from a subnet."""
        return _interface(self._local.router_interfaces.remove(request.context, request.path_args["id"], **_what(request)))

    def add_routes(self, request: Request) -> dict[str, Any]:
        """Add routes to those there are."""
        given = _read_routes(request.body_value["router"]["routes"])
        return self._routed(self._local.routers.change_routes(request.context, request.path_args["id"], add=given))

    def remove_routes(self, request: Request) -> dict[str, Any]:
        """Remove some routes."""
        given = _read_routes(request.body_value["router"]["routes"])
        return self._routed(self._local.routers.change_routes(request.context, request.path_args["id"], remove=given))

    @staticmethod
    def _routed(router: Router) -> dict[str, Any]:
        return {"router": {"id": router.id, "name": router.name, "routes": _show_routes(router.routes)}}


def _what(request: Request) -> dict[str, str | None]:
    return {name: request.body_value.get(name) for name in ("subnet_id", "port_id")}


def _interface(interface: Interface) -> dict[str, Any]:
    subnet_ids = [subnet_id for subnet_id, _ in interface.port.fixed_ips]
    return {
        "id": interface.router.id, "tenant_id": interface.router.project_id, "project_id": interface.router.project_id,
        "port_id": interface.port.id, "network_id": interface.port.network_id, "subnet_id": subnet_ids[0], "subnet_ids": subnet_ids,
        "tags": list(interface.router.tags),
    }


def _floating_extra(page: dict[str, Port], floating: FloatingIp) -> dict[str, Any]:
    port = page.get(floating.port_id or "")
    details = None if port is None else {
        "name": port.name, "network_id": port.network_id, "mac_address": port.mac_address, "admin_state_up": port.admin_state_up,
        "status": port.status, "device_id": port.device_id, "device_owner": port.device_owner,
    }
    return {"port_details": details, "port_forwardings": []}


class RouterCollection(Collection):
    """Routers: of the gateway's details, some are for administrators."""

    def _given(self, request: Request, body: dict[str, Any], *, new: bool) -> dict[str, Any]:
        gateway = body.get("external_gateway_info") or {}
        for name in ("enable_snat", "external_fixed_ips"):
            if gateway.get(name) is not None:
                request.authorize(f"create_router:external_gateway_info:{name}")
        return super()._given(request, body, new=new)


def collection(local: LocalNetworks) -> RouterCollection:
    """Answer the operations of routers which all resources have."""
    return RouterCollection(
        "router", "routers", ROUTER, local.routers, guard=local.expecting, extra=_router_extra,
        list_page=lambda _, listing: local.routers.list_page(listing),
    )


def routes(local: LocalNetworks) -> list[Route]:
    """Answer the routes of routers and floating IPs."""
    def extra(request: Request, found: list[FloatingIp]) -> list[dict[str, Any]]:
        page = local.floating_ips.ports(found)
        return [_floating_extra(page, one) for one in found]

    def floating(request: Request, listing: Listing) -> list[FloatingIp]:
        return local.floating_ips.list_page(listing, statuses=request.params_given.get("status"))

    guard = local.expecting
    return [
        *Routers(local).routes(),
        *collection(local).routes(),
        *Collection(
            "floatingip", "floatingips", FLOATING_IP, local.floating_ips, guard=guard, extra=extra, list_page=floating, more_filters=("status",),
        ).routes(),
    ]
