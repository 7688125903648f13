"""Networks, subnets and ports."""

from __future__ import annotations

from typing import Any

from novalike.api.http.application import Request, Route
from novalike.api.network.attributes import (
    FLAG,
    ID,
    IDENTITY,
    INTEGER,
    NAME,
    NULLABLE_NAME,
    TIMES,
    Attribute,
    filter_value,
)
from novalike.api.network.collection import Collection
from novalike.network import errors
from novalike.network.local.addresses import WantedAddress
from novalike.network.local.ports import hostname
from novalike.network.local.service import LocalNetworks
from novalike.objects.network import Network, NetworkSubnet, Port

ZONE = "nova"
_IPV6_MODE = {"enum": ["slaac", "dhcpv6-stateful", "dhcpv6-stateless", None]}
_ADDRESSES = {"type": ["array", "null"], "maxItems": 50, "items": {"type": "string", "maxLength": 64}}
_GROUPS = {"type": ["array", "null"], "maxItems": 100, "items": ID, "uniqueItems": True}


def _pairs(*keys: str) -> Any:
    texts = {key: {"type": "string", "maxLength": 64} for key in keys}
    return {"type": ["array", "null"], "maxItems": 100, "items": {"type": "object", "properties": texts, "required": list(keys), "additionalProperties": False}}


def _read_pairs(*keys: str) -> Any:
    return lambda value: None if value is None else tuple(tuple(pair[key] for key in keys) for pair in value)


def _show_pairs(*keys: str) -> Any:
    return lambda value: [dict(zip(keys, pair, strict=True)) for pair in value]


def _many(value: Any) -> tuple[Any, ...]:
    return tuple(value or ())


_POOL, _ROUTE = ("start", "end"), ("destination", "nexthop")
_FIXED = {
    "type": ["array", "null"], "maxItems": 50,
    "items": {
        "type": "object", "properties": {"subnet_id": {"type": "string", "maxLength": 64}, "ip_address": {"type": "string", "maxLength": 64}},
        "additionalProperties": False,
    },
}
_ADDRESS_PAIRS = {
    "type": ["array", "null"], "maxItems": 50,
    "items": {
        "type": "object", "properties": {"ip_address": {"type": "string", "anyOf": [{"format": "ip"}, {"format": "cidr"}]}, "mac_address": NULLABLE_NAME},
        "required": ["ip_address"], "additionalProperties": False,
    },
}

_DHCP_OPTIONS = {
    "type": ["array", "null"], "maxItems": 50,
    "items": {
        "type": "object", "required": ["opt_name"], "additionalProperties": False,
        "properties": {
            "opt_name": {"type": "string", "pattern": r"^[a-z0-9][a-z0-9-]{0,63}$"},
            "opt_value": {"type": ["string", "null"], "maxLength": 255, "pattern": r"^[^\x00-\x1f]*$"},
            "ip_version": {"enum": [4, 6, "4", "6"]},
        },
    },
}


def _read_options(value: list[dict[str, Any]] | None) -> tuple[tuple[str, str | None, int], ...]:
    """Answer (name, value, IP version); a value of None takes an option away."""
    return tuple((option["opt_name"], option.get("opt_value"), int(option.get("ip_version", 4))) for option in value or ())


def _read_hints(value: list[str] | None) -> tuple[str, ...]:
    for zone in value or ():
        if zone != ZONE:
            raise errors.AvailabilityZoneNotFound(f"AvailabilityZone {zone[:255]} could not be found.")
    return tuple(value or ())


ZONES = (
    Attribute(
        name="availability_zone_hints", schema={"type": ["array", "null"], "maxItems": 10, "items": NAME}, field="zone_hints", create=True, column=None,
        read=_read_hints, show=list,
    ),
    Attribute(name="availability_zones", computed=True),
)
NETWORK = (
    *IDENTITY,
    Attribute(name="admin_state_up", schema=FLAG, create=True, update=True),
    Attribute(name="shared", schema=FLAG, create=True, update=True, rule="create_network:shared"),
    Attribute(name="router:external", schema=FLAG, field="external", create=True, update=True, rule="create_network:router:external"),
    Attribute(name="is_default", schema=FLAG, create=True, update=True, rule="create_network:is_default"),
    Attribute(name="port_security_enabled", schema=FLAG, field="port_security", create=True, update=True),
    Attribute(name="mtu", schema=INTEGER, create=True),
    Attribute(name="dns_domain", schema=NAME, create=True, update=True),
    Attribute(name="provider:network_type", schema={"enum": ["flat", "vxlan", "vlan"]}, field="network_type", create=True, rule="create_network:provider", seen="get_network:provider"),
    Attribute(
        name="provider:physical_network", schema={"type": ["string", "null"], "maxLength": 64}, field="physical_network", create=True,
        rule="create_network:provider", seen="get_network:provider", read=lambda v: v or "", show=lambda v: v or None,
    ),
    Attribute(name="provider:segmentation_id", schema=INTEGER, field="segment", create=True, rule="create_network:provider", seen="get_network:provider"),
    Attribute(name="subnets", field="subnet_ids", column=None, show=list),
    Attribute(name="status", constant="ACTIVE"),
    Attribute(name="ipv4_address_scope", constant=None),
    Attribute(name="ipv6_address_scope", constant=None),
    *ZONES,
    *TIMES,
)

SUBNET = (
    *IDENTITY,
    Attribute(name="network_id", schema=ID, create=True, required=True),
    Attribute(name="cidr", schema={"type": ["string", "null"], "maxLength": 64}, create=True),
    Attribute(name="subnetpool_id", schema={"type": ["string", "null"], "anyOf": [{"type": "null"}, {"format": "uuid"}]}, create=True),
    Attribute(name="prefixlen", schema=INTEGER, create=True, column=None, shown=False),
    Attribute(name="use_default_subnetpool", schema=FLAG, create=True, column=None, shown=False),
    Attribute(name="ip_version", schema={"enum": [4, 6, "4", "6"]}, create=True, required=True, read=int),
    Attribute(name="gateway_ip", schema={"type": ["string", "null"], "maxLength": 64}, create=True, update=True),
    Attribute(name="enable_dhcp", schema=FLAG, create=True, update=True),
    Attribute(name="ipv6_ra_mode", schema=_IPV6_MODE, create=True),
    Attribute(name="ipv6_address_mode", schema=_IPV6_MODE, create=True),
    Attribute(name="allocation_pools", schema=_pairs(*_POOL), create=True, update=True, read=_read_pairs(*_POOL), show=_show_pairs(*_POOL), column=None),
    Attribute(name="dns_nameservers", schema=_ADDRESSES, create=True, update=True, read=_many, show=list, column=None),
    Attribute(name="host_routes", schema=_pairs(*_ROUTE), create=True, update=True, read=lambda v: _read_pairs(*_ROUTE)(v or ()), show=_show_pairs(*_ROUTE), column=None),
    *TIMES,
)


def _wanted(value: Any) -> tuple[WantedAddress, ...] | None:
    if value is None:
        return None
    return tuple(WantedAddress(subnet_id=fixed.get("subnet_id"), address=fixed.get("ip_address")) for fixed in value)


PORT = (
    *IDENTITY,
    Attribute(name="network_id", schema=ID, create=True, required=True),
    Attribute(name="mac_address", schema={"type": "string", "maxLength": 32}, create=True, update=True),
    Attribute(name="admin_state_up", schema=FLAG, create=True, update=True),
    Attribute(name="status", column="status"),
    Attribute(name="device_id", schema=NAME, create=True, update=True),
    Attribute(name="device_owner", schema=NAME, create=True, update=True),
    Attribute(name="fixed_ips", schema=_FIXED, create=True, update=True, read=_wanted, show=_show_pairs("subnet_id", "ip_address"), column=None),
    Attribute(name="security_groups", schema=_GROUPS, create=True, update=True, read=_many, show=list, column=None),
    Attribute(
        name="allowed_address_pairs", schema=_ADDRESS_PAIRS, field="address_pairs", create=True, update=True, column=None,
        read=lambda value: tuple((pair["ip_address"], (pair.get("mac_address") or "").lower()) for pair in value or ()),
    ),
    Attribute(
        name="extra_dhcp_opts", schema=_DHCP_OPTIONS, field="dhcp_options", create=True, update=True, column=None, shown=False, read=_read_options,
    ),
    Attribute(name="port_security_enabled", schema=FLAG, field="port_security", create=True, update=True),
    Attribute(name="dns_name", schema=NAME, create=True, update=True),
    Attribute(name="binding:vnic_type", schema={"enum": ["normal"]}, field="vnic_type", create=True, update=True),
    Attribute(name="binding:host_id", schema=NULLABLE_NAME, field="host", create=True, update=True, read=lambda v: v or "", rule="create_port:binding", seen="get_port:binding"),
    Attribute(
        name="binding:profile", schema={"type": ["object", "null"]}, field="profile", create=True, update=True, column=None,
        rule="create_port:binding", seen="get_port:binding", show=lambda value: value or {},
    ),
    *(Attribute(name=name, computed=True) for name in ("binding:vif_type", "binding:vif_details", "dns_assignment")),
    *TIMES,
)


def _network_extra(request: Request, found: list[Network]) -> list[dict[str, Any]]:
    return [{"availability_zones": [ZONE]} for _ in found]


def _port_extra(request: Request, port: Port, domain: str) -> dict[str, Any]:
    pairs = [{"ip_address": address, "mac_address": mac or port.mac_address} for address, mac in port.address_pairs]
    options = [{"opt_name": name, "opt_value": value, "ip_version": version} for name, value, version in port.dhcp_options]
    name = hostname(port)
    assignment = [{"ip_address": address, "hostname": name, "fqdn": f"{name}.{domain}."} for _, address in port.fixed_ips]
    extra: dict[str, Any] = {"allowed_address_pairs": pairs, "extra_dhcp_opts": options, "dns_assignment": assignment}
    if request.allowed("get_port:binding"):
        extra |= {"binding:vif_type": "bridge" if port.host else "unbound", "binding:vif_details": {}}
    return extra


class _SubnetService:
    """The service's subnets, where a client's null pools mean that none were given."""

    def __init__(self, local: LocalNetworks) -> None:
        self._local = local
        self.get, self.delete = local.subnets.get, local.subnets.delete

    def create(self, ctxt: Any, given: list[dict[str, Any]]) -> list[NetworkSubnet]:
        return self._local.subnets.create(ctxt, [{k: v for k, v in values.items() if k != "allocation_pools" or v is not None} for values in given])

    def update(self, ctxt: Any, key: str, changes: dict[str, Any]) -> NetworkSubnet:
        return self._local.subnets.update(ctxt, key, {k: v for k, v in changes.items() if k != "allocation_pools" or v is not None})


#: The names of filters by address, and what they are called in db.ports.list_page.
_ADDRESS_FILTERS = {"ip_address": "address", "ip_address_substr": "part", "subnet_id": "subnet_id"}


def _port_filters(request: Request) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...] | None]:
    """Answer the filters of ports by `fixed_ips=ip_address=10.0.0.5` (or another of _ADDRESS_FILTERS) and by security group."""
    addresses: dict[str, tuple[str, ...]] = {}
    for given in request.params_given.get("fixed_ips", []):
        key, equals, value = given.partition("=")
        if not equals or key not in _ADDRESS_FILTERS:
            raise errors.InvalidInput(f"'{given}' is no filter of fixed_ips; it must be one of {', '.join(f'{name}=...' for name in _ADDRESS_FILTERS)}")
        addresses[_ADDRESS_FILTERS[key]] = (*addresses.get(_ADDRESS_FILTERS[key], ()), value)
    groups = request.params_given.get("security_groups")
    return addresses, tuple(groups) if groups is not None else None


def routes(local: LocalNetworks) -> list[Route]:
    """Answer the routes of networks, subnets and ports."""
    def ports(request: Request, listing: Any) -> list[Port]:
        addresses, groups = _port_filters(request)
        return local.ports.list_page(listing, addresses=addresses, security_groups=groups)

    def subnets(request: Request, listing: Any) -> list[NetworkSubnet]:
        given = request.param("shared")
        return local.subnets.list_page(listing, shared=None if given is None else bool(filter_value(FLAG, given)))

    def port_extras(request: Request, found: list[Port]) -> list[dict[str, Any]]:
        domains = local.ports.domains(found)
        return [_port_extra(request, port, domains.get(port.network_id, "")) for port in found]

    guard = local.expecting
    return [
        *Collection(
            "network", "networks", NETWORK, local.networks, guard=guard, extra=_network_extra,
            list_page=lambda _, listing: local.networks.list_page(listing),
        ).routes(),
        *Collection("subnet", "subnets", SUBNET, _SubnetService(local), guard=guard, list_page=subnets, more_filters=("shared",)).routes(),
        *Collection("port", "ports", PORT, local.ports, guard=guard, list_page=ports, extra=port_extras, more_filters=("fixed_ips", "security_groups")).routes(),
    ]
