"""Rules of the local network API, by Neutron's names. Who owns what is checked by the service itself: foreign networks, ports
and groups answer like missing ones."""

from __future__ import annotations

from oslo_policy import policy

from novalike.policies.base import ADMIN, ANYONE, MEMBER_OR_ADMIN, READER_OR_ADMIN, operation

_VERBS = (("create", "POST", "", MEMBER_OR_ADMIN), ("get", "GET", "/{id}", READER_OR_ADMIN), ("update", "PUT", "/{id}", MEMBER_OR_ADMIN),
          ("delete", "DELETE", "/{id}", MEMBER_OR_ADMIN))


def _collection(one: str, many: str, path: str) -> list[policy.DocumentedRuleDefault]:
    return [
        operation(f"{verb}_{one}", check, f"{verb.capitalize()} {many}.", (method, f"/v2.0/{path}{suffix}"))
        for verb, method, suffix, check in _VERBS
    ]


RULES = [
    *_collection("network", "networks", "networks"),
    operation("create_network:shared", ADMIN, "Share a network with all projects.", ("POST", "/v2.0/networks")),
    operation("create_network:router:external", ADMIN, "Make a network external.", ("POST", "/v2.0/networks")),
    operation("create_network:is_default", ADMIN, "Make a network the default.", ("POST", "/v2.0/networks")),
    operation("create_network:provider", ADMIN, "Choose how a network is made.", ("POST", "/v2.0/networks")),
    operation("get_network:provider", ADMIN, "See how a network is made.", ("GET", "/v2.0/networks")),
    *_collection("subnet", "subnets", "subnets"),
    *_collection("port", "ports", "ports"),
    operation("create_port:binding", ADMIN, "Bind a port to a host.", ("POST", "/v2.0/ports")),
    operation("get_port:binding", ADMIN, "See where a port is bound.", ("GET", "/v2.0/ports")),
    *_collection("router", "routers", "routers"),
    operation("create_router:external_gateway_info:enable_snat", ADMIN, "Say whether a router translates addresses.", ("POST", "/v2.0/routers")),
    operation("create_router:external_gateway_info:external_fixed_ips", ADMIN, "Choose a router's address outside.", ("POST", "/v2.0/routers")),
    operation("add_router_interface", MEMBER_OR_ADMIN, "Connect a router to a subnet.", ("PUT", "/v2.0/routers/{id}/add_router_interface")),
    operation("remove_router_interface", MEMBER_OR_ADMIN, "Disconnect a router.", ("PUT", "/v2.0/routers/{id}/remove_router_interface")),
    operation("add_extraroutes", MEMBER_OR_ADMIN, "Add routes to a router.", ("PUT", "/v2.0/routers/{id}/add_extraroutes")),
    operation("remove_extraroutes", MEMBER_OR_ADMIN, "Remove routes of a router.", ("PUT", "/v2.0/routers/{id}/remove_extraroutes")),
    *_collection("floatingip", "floating IPs", "floatingips"),
    operation("create_floatingip:floating_ip_address", ADMIN, "Choose a floating address.", ("POST", "/v2.0/floatingips")),
    *_collection("subnetpool", "subnet pools", "subnetpools"),
    operation("create_subnetpool:shared", ADMIN, "Share a subnet pool with all projects.", ("POST", "/v2.0/subnetpools")),
    operation("create_subnetpool:is_default", ADMIN, "Make a subnet pool the default.", ("POST", "/v2.0/subnetpools")),
    operation("get_network_ip_availability", ADMIN, "See how many addresses are in use.", ("GET", "/v2.0/network-ip-availabilities")),
    operation("get_auto_allocated_topology", READER_OR_ADMIN, "Get a project's network, made on demand (which takes the right to create networks).",
              ("GET", "/v2.0/auto-allocated-topology/{id}")),
    operation("delete_auto_allocated_topology", MEMBER_OR_ADMIN, "Remove a project's network.", ("DELETE", "/v2.0/auto-allocated-topology/{id}")),
    operation("get_tags", READER_OR_ADMIN, "See tags.", ("GET", "/v2.0/{collection}/{id}/tags")),
    operation("update_tags", MEMBER_OR_ADMIN, "Put on tags.", ("PUT", "/v2.0/{collection}/{id}/tags")),
    operation("delete_tags", MEMBER_OR_ADMIN, "Take off tags.", ("DELETE", "/v2.0/{collection}/{id}/tags")),
    *_collection("security_group", "security groups", "security-groups"),
    *_collection("security_group_rule", "security group rules", "security-group-rules"),
    operation("get_network_extensions", ANYONE, "List what this API can do.", ("GET", "/v2.0/extensions")),
    operation("get_availability_zone", ANYONE, "List availability zones.", ("GET", "/v2.0/availability_zones")),
    operation("get_agent", ADMIN, "See network agents (others find none).", ("GET", "/v2.0/agents")),
    operation("delete_agent", ADMIN, "Forget a network agent which is dead.", ("DELETE", "/v2.0/agents/{id}")),
    operation("update_agent", ADMIN, "Switch network agents on and off.", ("PUT", "/v2.0/agents/{id}")),
    operation("get_l3-agents", ADMIN, "See where a router runs.", ("GET", "/v2.0/routers/{id}/l3-agents")),
    operation("get_l3-routers", ADMIN, "See which routers run at an agent.", ("GET", "/v2.0/agents/{id}/l3-routers")),
    operation("get_quota", READER_OR_ADMIN, "See limits.", ("GET", "/v2.0/quotas/{id}")),
    operation("get_quotas", ADMIN, "List projects with limits of their own.", ("GET", "/v2.0/quotas")),
    operation("update_quota", ADMIN, "Set limits.", ("PUT", "/v2.0/quotas/{id}")),
    operation("delete_quota", ADMIN, "Reset limits.", ("DELETE", "/v2.0/quotas/{id}")),
]
