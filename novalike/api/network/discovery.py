"""What this API is and can do: versions, extensions, availability zones and agents."""

from __future__ import annotations

from typing import Any

from novalike.api.http.application import PUBLIC, Request, Route
from novalike.api.network.resources import ZONE
from novalike.api.services import ApiServices
from novalike.db import hosts
from novalike.exception import NotFound
from novalike.objects.host import Service

BINARY = "novalike-network"
RESOURCES = (
    "networks", "subnets", "subnetpools", "ports", "routers", "floatingips", "security-groups", "security-group-rules",
)
#: Alias: (name, what there is of it here). Nothing is listed that is not there.
EXTENSIONS = {
    "agent": ("agent", "Network agents, read-only."),
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
    "net-mtu": ("Network MTU", "The attribute mtu of networks."),
    "network-ip-availability": ("Network IP Availability", "How many addresses are in use."),
    "network_availability_zone": ("Network Availability Zone", "The zones of a network: one."),
    "pagination": ("Pagination support", "limit, marker and page_reverse."),
    "port-security": ("Port Security", "Switches the check of source addresses of a port."),
    "project-id": ("project_id field enabled", "project_id beside tenant_id."),
    "provider": ("Provider Network", "How a network is made: flat, vlan or vxlan."),
    "quotas": ("Quota management support", "Limits per project."),
    "quota_details": ("Quota details management support", "Limits with what is used of them."),
    "router": ("Neutron L3 Router", "Routers and floating IPs."),
    "router_availability_zone": ("Router Availability Zone", "The zones of a router: one."),
    "security-group": ("security-group", "What may come to a port and go from it."),
    "subnet_allocation": ("Subnet Allocation", "Subnets cut from pools."),
    "sorting": ("Sorting support", "sort_key and sort_dir."),
    "standard-attr-description": ("standard-attr-description", "Descriptions of everything."),
    "standard-attr-revisions": ("Resource revision numbers", "The attribute revision_number."),
    "standard-attr-tag": ("Tag support for resources with standard attribute", "Tags of everything."),
    "standard-attr-timestamp": ("Resource timestamps", "created_at and updated_at."),
}


def routes(services: ApiServices) -> list[Route]:
    """Answer the routes of discovery."""
    agents = Agents(services)
    return [
        Route(method="GET", path="/", handler=_versions, rule=PUBLIC),
        Route(method="GET", path="/v2.0", handler=_resources, rule=PUBLIC),
        Route(method="GET", path="/v2.0/extensions", handler=_extensions, rule="get_network_extensions"),
        Route(method="GET", path="/v2.0/extensions/{alias}", handler=_extension, rule="get_network_extensions"),
        Route(method="GET", path="/v2.0/availability_zones", handler=_zones, rule="get_availability_zone"),
        Route(method="GET", path="/v2.0/agents", handler=agents.index, rule="get_agent"),
        Route(method="GET", path="/v2.0/agents/{id}", handler=agents.show, rule="get_agent"),
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
        raise NotFound(f"Extension with alias {alias[:255]} does not exist")
    return {"extension": _rendered(alias)}


def _zones(request: Request) -> dict[str, Any]:
    return {"availability_zones": [{"name": ZONE, "resource": resource, "state": "available"} for resource in ("network", "router")]}


class Agents:
    """The network agents, as their heartbeats show them."""

    def __init__(self, services: ApiServices) -> None:
        self._cells = services.cells
        self._down_after = services.conf.service_down_time

    def index(self, request: Request) -> dict[str, Any]:
        """List them."""
        return {"agents": [_agent(service) for service in self._services()]}

    def show(self, request: Request) -> dict[str, Any]:
        """Show one."""
        found = next((service for service in self._services() if service.uuid == request.path_args["id"]), None)
        if found is None:
            raise NotFound(f"Agent {request.path_args['id'][:255]} could not be found.")
        return {"agent": _agent(found)}

    def _services(self) -> list[Service]:
        return [
            service for cell in self._cells
            for service in cell.fetch(hosts.list_services, binary=BINARY, down_after=self._down_after)
        ]


def _agent(service: Service) -> dict[str, Any]:
    return {
        "id": service.uuid, "agent_type": "Network agent", "binary": BINARY, "host": service.host, "topic": "network",
        "alive": service.up, "admin_state_up": not service.disabled, "availability_zone": ZONE, "configurations": {},
        "description": None, "heartbeat_timestamp": str(service.updated_at or ""), "resources_synced": None,
    }
