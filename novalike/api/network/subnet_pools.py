"""Subnet pools, addresses in use, and networks made on demand."""

from __future__ import annotations

import json
from typing import Any

from novalike.api.http.application import Request, Route
from novalike.api.http.query import TEXT as ANY_TEXT
from novalike.api.http.query import Parameter, Query
from novalike.api.network.attributes import FLAG, IDENTITY, INTEGER, TIMES, Attribute, filter_value
from novalike.api.network.collection import MAX_LIMIT, Collection
from novalike.db.network_listing import Listing
from novalike.network.local.service import LocalNetworks
from novalike.network.local.usage import SubnetUsage
from novalike.objects.network import Network

_PREFIXES = {"type": "array", "minItems": 1, "maxItems": 100, "items": {"type": "string", "maxLength": 64}}
_NULLABLE_INTEGER = {"type": ["integer", "string", "null"], "pattern": r"^[0-9]{1,9}$", "minimum": 0}


def _number(value: Any) -> int | None:
    return None if value is None else int(value)


SUBNET_POOL = (
    *IDENTITY,
    Attribute(name="prefixes", schema=_PREFIXES, create=True, update=True, required=True, show=list, column=None),
    *(
        Attribute(name=f"{name}_prefixlen", schema=INTEGER, create=True, update=True, show=str) for name in ("min", "max", "default")
    ),
    Attribute(name="default_quota", schema=_NULLABLE_INTEGER, create=True, update=True, read=_number),
    Attribute(name="ip_version"),
    Attribute(name="shared", schema=FLAG, create=True, rule="create_subnetpool:shared"),
    Attribute(name="is_default", schema=FLAG, create=True, update=True, rule="create_subnetpool:is_default"),
    Attribute(name="address_scope_id", constant=None),
    *TIMES,
)


class Availability:
    """How many addresses networks have, and have given out."""

    _FILTERS = {"network_id": "id", "network_name": "name", "tenant_id": "project_id", "project_id": "project_id"}

    def __init__(self, local: LocalNetworks) -> None:
        self._local = local

    def routes(self) -> list[Route]:
        """Answer the routes."""
        query = Query({name: Parameter(ANY_TEXT) for name in (*self._FILTERS, "ip_version", "fields")})
        path = "/v2.0/network-ip-availabilities"
        return [
            Route(method="GET", path=path, handler=self.index, rule="get_network_ip_availability", query=query),
            Route(method="GET", path=f"{path}/{{id}}", handler=self.show, rule="get_network_ip_availability", query=Query({"fields": Parameter(ANY_TEXT)})),
        ]

    def index(self, request: Request) -> bytes:
        """List networks with their addresses."""
        filters: dict[str, tuple[Any, ...]] = {}
        for name, values in request.params_given.items():
            if name in self._FILTERS:
                filters[self._FILTERS[name]] = tuple(filter_value(None, value) for value in values)
        versions = set(request.params_given.get("ip_version", ()))
        found = self._local.availability.of(Listing(filters=filters, limit=MAX_LIMIT))
        return _large({"network_ip_availabilities": [
            _chosen(request, _availability(network, [u for u in usage if not versions or str(u.subnet.ip_version) in versions]))
            for network, usage in found
        ]})

    def show(self, request: Request) -> bytes:
        """Show one network's."""
        network = self._local.networks.get(request.context, request.path_args["id"])
        _, usage = self._local.availability.of(Listing(filters={"id": (network.id,)}))[0]
        return _large({"network_ip_availability": _chosen(request, _availability(network, usage))})


def _large(answer: dict[str, Any]) -> bytes:
    """Answer JSON with numbers of any size: two subnets of IPv6 have more addresses than 64 bits count."""
    return json.dumps(answer).encode()


def _chosen(request: Request, view: dict[str, Any]) -> dict[str, Any]:
    fields = request.params_given.get("fields")
    return view if not fields else {name: value for name, value in view.items() if name in fields}


def _availability(network: Network, usage: list[SubnetUsage]) -> dict[str, Any]:
    return {
        "network_id": network.id, "network_name": network.name, "tenant_id": network.project_id, "project_id": network.project_id,
        "total_ips": sum(one.total for one in usage), "used_ips": sum(one.used for one in usage),
        "subnet_ip_availability": [{
            "subnet_id": one.subnet.id, "subnet_name": one.subnet.name, "cidr": one.subnet.cidr, "ip_version": one.subnet.ip_version,
            "total_ips": one.total, "used_ips": one.used,
        } for one in usage],
    }


class Topologies:
    """A project's network on demand. The id `null` means the caller's own project."""

    def __init__(self, local: LocalNetworks) -> None:
        self._topology = local.topology

    def routes(self) -> list[Route]:
        """Answer the routes."""
        path = "/v2.0/auto-allocated-topology/{id}"
        return [
            Route(method="GET", path=path, handler=self.show, rule="get_auto_allocated_topology", query=Query({"fields": Parameter(ANY_TEXT)})),
            Route(method="DELETE", path=path, handler=self.delete, rule="delete_auto_allocated_topology", status=204),
        ]

    def show(self, request: Request) -> dict[str, Any]:
        """Make a project's network unless it is there, and show it; with `fields=dry-run` only tell whether it could be made."""
        project_id = self._project(request)
        if "dry-run" in request.params_given.get("fields", ()):
            self._topology.check(request.context, project_id)
            return {"auto_allocated_topology": {"id": "dry-run=pass", "tenant_id": project_id, "project_id": project_id}}
        request.authorize("create_network")
        network_id = self._topology.ensure(request.context, project_id)
        return {"auto_allocated_topology": {"id": network_id, "tenant_id": project_id, "project_id": project_id}}

    def delete(self, request: Request) -> None:
        """Remove a project's network."""
        self._topology.remove(request.context, self._project(request))

    @staticmethod
    def _project(request: Request) -> str:
        given = request.path_args["id"]
        return (request.context.project_id or "") if given in {"null", "None"} else given


def routes(local: LocalNetworks) -> list[Route]:
    """Answer the routes."""
    return [
        *Collection(
            "subnetpool", "subnetpools", SUBNET_POOL, local.subnet_pools, guard=local.expecting,
            list_page=lambda _, listing: local.subnet_pools.list_page(listing),
        ).routes(),
        *Availability(local).routes(), *Topologies(local).routes(),
    ]
