"""Networks and addresses as nova-network had them: /os-networks, /os-tenant-networks, /os-floating-ips and /os-floating-ip-pools
until 2.35, four actions of servers until 2.43."""

from __future__ import annotations

from typing import Any

from novalike.api.http.application import Request, Route
from novalike.api.openstack.schemas import addresses as schemas
from novalike.api.openstack.views import addresses as views
from novalike.api.operations import addresses
from novalike.api.operations.servers import Servers
from novalike.api.services import ApiServices
from novalike.exception import NotFound

_RULE = "os_compute_api"
_LAST, _LAST_ACTION = "2.35", "2.43"


class _Networks:
    def __init__(self, services: ApiServices) -> None:
        self._networks = services.networks

    def index(self, request: Request) -> dict[str, Any]:
        return {"networks": [views.network(request, network) for network in self._networks.project_networks(request.context)]}

    def show(self, request: Request) -> dict[str, Any]:
        try:
            return {"network": views.network(request, self._networks.project_network(request.context, request.path_args["id"]))}
        except NotFound as error:
            raise NotFound("Network not found.") from error

    def index_of_project(self, request: Request) -> dict[str, Any]:
        return {"networks": [views.tenant_network(network) for network in self._networks.project_networks(request.context)]}

    def show_of_project(self, request: Request) -> dict[str, Any]:
        try:
            return {"network": views.tenant_network(self._networks.project_network(request.context, request.path_args["id"]))}
        except NotFound as error:
            raise NotFound("Network not found") from error


class _FloatingIps:
    def __init__(self, services: ApiServices) -> None:
        self._services = services

    def pools(self, request: Request) -> dict[str, Any]:
        found = self._services.networks.floating_pools(request.context)
        return {"floating_ip_pools": [{"name": network.name or network.id} for network in found]}

    def index(self, request: Request) -> dict[str, Any]:
        return {"floating_ips": [views.floating(one) for one in self._services.networks.floating_ips(request.context)]}

    def show(self, request: Request) -> dict[str, Any]:
        return {"floating_ip": views.floating(addresses.get(self._services, request.context, request.path_args["id"]))}

    def create(self, request: Request) -> dict[str, Any]:
        pool = (request.body_value or {}).get("pool")
        return {"floating_ip": views.floating(addresses.allocate(self._services, request.context, pool))}

    def delete(self, request: Request) -> None:
        found = addresses.get(self._services, request.context, request.path_args["id"])
        self._services.networks.release_floating(request.context, found.id)


class _Actions:
    def __init__(self, services: ApiServices) -> None:
        self._services = services
        self._servers = Servers(services)

    def _arguments(self, request: Request) -> tuple[ApiServices, Any, Any]:
        return self._services, request.context, self._servers.get(request.context, request.path_args["id"])

    def add_floating(self, request: Request) -> None:
        wanted = request.body_value["addFloatingIp"]
        addresses.give(*self._arguments(request), wanted["address"], wanted.get("fixed_address"))

    def remove_floating(self, request: Request) -> None:
        addresses.take(*self._arguments(request), request.body_value["removeFloatingIp"]["address"])

    def add_fixed(self, request: Request) -> None:
        addresses.add_fixed(*self._arguments(request), str(request.body_value["addFixedIp"]["networkId"]))

    def remove_fixed(self, request: Request) -> None:
        addresses.remove_fixed(*self._arguments(request), request.body_value["removeFixedIp"]["address"])


def routes(services: ApiServices) -> tuple[Route, ...]:
    """Answer the routes."""
    networks, floating, actions = _Networks(services), _FloatingIps(services), _Actions(services)
    path, action = "/os-floating-ips", "/servers/{id}/action"
    return (
        Route(method="GET", path="/os-networks", handler=networks.index, rule=f"{_RULE}:os-networks:list", until=_LAST),
        Route(method="GET", path="/os-networks/{id}", handler=networks.show, rule=f"{_RULE}:os-networks:show", until=_LAST),
        Route(method="GET", path="/os-tenant-networks", handler=networks.index_of_project, rule=f"{_RULE}:os-tenant-networks:list", until=_LAST),
        Route(method="GET", path="/os-tenant-networks/{id}", handler=networks.show_of_project, rule=f"{_RULE}:os-tenant-networks:show", until=_LAST),
        Route(method="GET", path="/os-floating-ip-pools", handler=floating.pools, rule=f"{_RULE}:os-floating-ip-pools", until=_LAST),
        Route(method="GET", path=path, handler=floating.index, rule=f"{_RULE}:os-floating-ips:list", until=_LAST),
        Route(method="POST", path=path, handler=floating.create, rule=f"{_RULE}:os-floating-ips:create", body=schemas.CREATE_FLOATING, relaxed=True, until=_LAST),
        Route(method="GET", path=f"{path}/{{id}}", handler=floating.show, rule=f"{_RULE}:os-floating-ips:show", until=_LAST),
        Route(method="DELETE", path=f"{path}/{{id}}", handler=floating.delete, rule=f"{_RULE}:os-floating-ips:delete", status=202, until=_LAST),
        *(
            Route(method="POST", path=action, action=word, handler=handler, rule=f"{_RULE}:{rule}", body=body, status=202, until=_LAST_ACTION)
            for word, handler, rule, body in (
                ("addFloatingIp", actions.add_floating, "os-floating-ips:add", schemas.ADD_FLOATING),
                ("removeFloatingIp", actions.remove_floating, "os-floating-ips:remove", schemas.REMOVE_FLOATING),
                ("addFixedIp", actions.add_fixed, "os-multinic:add", schemas.ADD_FIXED),
                ("removeFixedIp", actions.remove_fixed, "os-multinic:remove", schemas.REMOVE_FIXED),
            )
        ),
    )
