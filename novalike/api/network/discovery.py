"""What this API is and can do: versions, extensions and availability zones."""

from __future__ import annotations

from typing import Any

from novalike.api.http.application import PUBLIC, Request, Route
from novalike.api.network.agents import Agents
from novalike.api.network.resources import ZONE
from novalike.api.services import ApiServices
from novalike.network import errors

RESOURCES = (
    "networks", "subnets", "subnetpools", "ports", "routers", "floatingips", "security-groups", "security-group-rules",
)
#: Alias: (name, what there is of it here). Nothing is listed that is not there.
EXTENSIONS = {
    "agent": ("agent", "Network agents, which can be switched off."),
    "allowed-address-pairs": ("Allowed Address Pairs", "Further addresses a port may use."),
    "availability_zone": ("Availability Zone", "The zones of networks and routers: one."),
    "auto-allocated-topology": ("Auto Allocated Topology Services", "A project's network, made on demand."),
    "binding": ("Port Binding", "Where a port is plugged."),
    "dns-integration": ("DNS Integration", "Names of ports, served by the network's DHCP server."),
    "default-subnetpools": ("Default Subnetpools", "Pools which are used where none is named."),
    "ext-gw-mode": ("Neutron L3 Configurable external gateway mode", "Switches a router's address translation."),
    "external-net": ("Neutron external network", "The attribute router:external."),
    "extra_dhcp_opt": ("Neutron Extra DHCP options", "Further DHCP options of a port."),
    "extraroute": ("Neutron Extra Route", "Further routes of a router."),
    "extraroute-atomic": ("Atomically add/remove extra routes", "Adds and removes some of a router's routes."),
    "fip-port-details": ("Floating IP Port Details Extension", "What a floating IP leads to."),
    "empty-string-filtering": ("Empty String Filtering Extension", "An empty value of a filter means empty."),
    "filter-validation": ("Filter parameters validation", "Unknown filters are refused."),
    "ip-substring-filtering": ("IP address substring filtering", "Ports by a part of their addresses."),
    "net-mtu": ("Network MTU", "The attribute mtu of networks."),
    "network-ip-availability": ("Network IP Availability", "How many addresses are in use."),
    "network_availability_zone": ("Network Availability Zone", "The zones of a network: one."),
    "pagination": ("Pagination support", "limit, marker and page_reverse."),
    "port-security": ("Port Security", "Switches the check of source addresses of a port."),
    "project-id": ("project_id field enabled", "project_id beside tenant_id."),
    "provider": ("Provider Network", "How a network is made: flat, vlan or vxlan."),
    "quota-check-limit": ("Quota engine limit check", "New limits are compared with what is used, if so asked."),
    "quotas": ("Quota management support", "Limits per project."),
    "quota_details": ("Quota details management support", "Limits with what is used of them."),
    "revision-if-match": ("If-Match constraints based on revision_number", "Changes which hold for one revision only."),
    "router": ("Neutron L3 Router", "Routers and floating IPs."),
    "router_availability_zone": ("Router Availability Zone", "The zones of a router: one."),
    "security-group": ("security-group", "What may come to a port and go from it."),
    "subnet_allocation": ("Subnet Allocation", "Subnets cut from pools."),
    "sorting": ("Sorting support", "sort_key and sort_dir."),
    "standard-attr-description": ("standard-attr-description", "Descriptions of everything."),
    "stateful-security-group": ("Stateful security group", "The attribute stateful of security groups."),
    "standard-attr-revisions": ("Resource revision numbers", "The attribute revision_number."),
    "standard-attr-tag": ("Tag support for resources with standard attribute", "Tags of everything."),
    "standard-attr-timestamp": ("Resource timestamps", "created_at and updated_at."),
}


def routes(services: ApiServices) -> list[Route]:
    """Answer the routes of discovery."""
    return [
        Route(method="GET", path="/", handler=_versions, rule=PUBLIC),
        Route(method="GET", path="/v2.0", handler=_resources, rule=PUBLIC),
        Route(method="GET", path="/v2.0/extensions", handler=_extensions, rule="get_network_extensions"),
        Route(method="GET", path="/v2.0/extensions/{alias}", handler=_extension, rule="get_network_extensions"),
        Route(method="GET", path="/v2.0/availability_zones", handler=_zones, rule="get_availability_zone"),
        *Agents(services).routes(),
    ]


def _versions(request: Request) -> dict[str, Any]:
    return {"versions": [{"id": "v2.0", "status": "CURRENT", "links": [{"rel": "self", "href": f"{request.base_url}/v2.0/"}]}]}


def _resources(request: Request) -> dict[str, Any]:
    return {"resources": [
        {"name": name.removesuffix("s").replace("-", "_"), "collection": name.replace("-", "_"), "links": [{"rel": "self", "href": f"{request.base_url}/v2.0/{name}"}]}
        for name in RESOURCES
    ]}


def _rendered(alias: str) -> dict[str, Any]:
    name, description = EXTENSIONS[alias]
    return {"alias": alias, "name": name, "description": description, "updated": "2026-01-01T00:00:00-00:00", "links": []}


def _extensions(request: Request) -> dict[str, Any]:
    return {"extensions": [_rendered(alias) for alias in EXTENSIONS]}


def _extension(request: Request) -> dict[str, Any]:
    alias = request.path_args["alias"]
    if alias not in EXTENSIONS:
        raise errors.ExtensionNotFound(f"Extension with alias {alias[:255]} does not exist")
    return {"extension": _rendered(alias)}


def _zones(request: Request) -> dict[str, Any]:
    return {"availability_zones": [{"name": ZONE, "resource": resource, "state": "available"} for resource in ("network", "router")]}
