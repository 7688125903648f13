"""/os-hypervisors: what hosts have, and which servers they run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from novalike.api.http.application import Request, Route
from novalike.api.http.schema import is_uuid
from novalike.api.openstack import paging
from novalike.api.openstack.schemas import services as schemas
from novalike.api.openstack.schemas.names import boolean
from novalike.api.openstack.views import hypervisors as views
from novalike.api.openstack.views.services import BY_UUID
from novalike.api.operations.hosts import Hosts
from novalike.api.services import ApiServices
from novalike.exception import Invalid, NotBuilt, NotFound
from novalike.objects.host import ComputeNode, HostedServer

_RULE = "os_compute_api:os-hypervisors"
_PAGED = (2, 33)
View = Callable[..., dict[str, Any]]


class _Hypervisors:
    def __init__(self, services: ApiServices) -> None:
        self._hosts = Hosts(services)
        self._max_limit = services.conf.api.max_limit

    def index(self, request: Request) -> dict[str, Any]:
        return self._list(request, views.brief)

    def detail(self, request: Request) -> dict[str, Any]:
        return self._list(request, views.full)

    def _list(self, request: Request, view: View) -> dict[str, Any]:
        pattern, marker = request.param("hypervisor_hostname_pattern"), request.param("marker")
        if pattern is not None:
            if marker is not None or request.param("limit") is not None:
                raise Invalid(
                    "Paging over hypervisors with the hypervisor_hostname_pattern query parameter is not supported.",
                )
            return self._answer(request, self._matching(pattern), view, with_servers=_with_servers(request))
        limit = paging.limit(request, self._max_limit) if request.version >= _PAGED else None
        nodes = self._hosts.list_compute_nodes(limit=limit, marker=None if marker is None else _marker(request, marker))
        answer = self._answer(request, nodes, view, with_servers=_with_servers(request))
        if limit is not None:
            paging.add_next(request, answer, "hypervisors", nodes, limit, str(answer["hypervisors"][-1]["id"]) if nodes else None)
        return answer

    def show(self, request: Request) -> dict[str, Any]:
        node = self._node(request)
        servers = self._hosts.servers([node])[node.uuid] if _with_servers(request) else None
        return {"hypervisor": views.full(request.version, node, servers)}

    def uptime(self, request: Request) -> dict[str, Any]:
        node = self._node(request)
        if node.service is None or not node.service.up:
            raise Invalid(f"Service is unavailable at this time: host {node.host} is down.")
        if not node.usage.uptime:
            raise NotBuilt("The hypervisor's driver does not report uptime.")
        return {"hypervisor": views.uptime(request.version, node)}

    def statistics(self, _request: Request) -> dict[str, Any]:
        return {"hypervisor_statistics": views.statistics(self._hosts.list_compute_nodes())}

    def search(self, request: Request) -> dict[str, Any]:
        return self._answer(request, self._matching(request.path_args["id"]), views.brief, with_servers=False)

    def servers(self, request: Request) -> dict[str, Any]:
        return self._answer(request, self._matching(request.path_args["id"]), views.brief, with_servers=True)

    def _answer(self, request: Request, nodes: Sequence[ComputeNode], view: View, *, with_servers: bool) -> dict[str, Any]:
        servers: dict[str, list[HostedServer]] = self._hosts.servers(nodes) if with_servers else {}
        return {"hypervisors": [
            view(request.version, node, servers[node.uuid] if with_servers else None) for node in nodes
        ]}

    def _matching(self, pattern: str) -> list[ComputeNode]:
        nodes = self._hosts.list_compute_nodes(pattern=pattern)
        if not nodes:
            raise NotFound(f"No hypervisor matching '{pattern[:255]}' could be found.")
        return nodes

    def _node(self, request: Request) -> ComputeNode:
        identifier = request.path_args["id"]
        if request.version >= BY_UUID:
            if not is_uuid(identifier):
                raise Invalid(f"Invalid uuid {identifier[:255]}")
            return self._hosts.get_compute_node(identifier.lower())
        if not identifier.isdecimal() or len(identifier) > 18:
            raise NotFound(f"Hypervisor with ID '{identifier[:255]}' could not be found.")
        return self._hosts.get_compute_node(int(identifier))


def _marker(request: Request, text: str) -> str | int:
    if request.version >= BY_UUID:
        return text
    if not text.isdecimal() or len(text) > 18:
        raise Invalid(f"marker [{text[:255]}] not found")
    return int(text)


def _with_servers(request: Request) -> bool:
    return boolean(request.param("with_servers") or False)


def routes(services: ApiServices) -> tuple[Route, ...]:
    """Answer the routes of hypervisors."""
    of, path = _Hypervisors(services), "/os-hypervisors"
    one = f"{path}/{{id}}"
    many: dict[str, Any] = {"method": "GET", "query": schemas.HYPERVISORS_QUERY}
    return (
        Route(**many, path=path, handler=of.index, rule=f"{_RULE}:list"),
        Route(**many, path=f"{path}/detail", handler=of.detail, rule=f"{_RULE}:list-detail"),
        Route(method="GET", path=f"{path}/statistics", handler=of.statistics, rule=f"{_RULE}:statistics", until="2.87"),
        Route(method="GET", path=one, handler=of.show, rule=f"{_RULE}:show", query=schemas.HYPERVISOR_QUERY),
        Route(method="GET", path=f"{one}/uptime", handler=of.uptime, rule=f"{_RULE}:uptime", until="2.87"),
        Route(method="GET", path=f"{one}/search", handler=of.search, rule=f"{_RULE}:search", until="2.52"),
        Route(method="GET", path=f"{one}/servers", handler=of.servers, rule=f"{_RULE}:servers", until="2.52"),
    )
