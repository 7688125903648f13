"""Security groups of a server: listed, and changed by two actions."""

from __future__ import annotations

from typing import Any

from novalike.api.http.application import Request, Route
from novalike.api.openstack.schemas import server_security_groups as schemas
from novalike.api.openstack.schemas.servers import NOTHING
from novalike.api.openstack.views import security_groups as views
from novalike.api.operations import security_groups
from novalike.api.operations.servers import Servers
from novalike.api.services import ApiServices

_RULE = "os_compute_api:os-security-groups"
_ACTION = "/servers/{id}/action"


class _ServerSecurityGroups:
    def __init__(self, services: ApiServices) -> None:
        self._services = services
        self._servers = Servers(services)

    def index(self, request: Request) -> dict[str, Any]:
        instance = self._servers.get(request.context, request.path_args["server_id"])
        found, sources = security_groups.of_server(self._services, request.context, instance)
        return {"security_groups": [views.full(group, sources) for group in found]}

    def add(self, request: Request) -> None:
        instance = self._servers.get(request.context, request.path_args["id"])
        security_groups.add(self._services, request.context, instance, request.body_value["addSecurityGroup"]["name"])

    def remove(self, request: Request) -> None:
        instance = self._servers.get(request.context, request.path_args["id"])
        security_groups.remove(self._services, request.context, instance, request.body_value["removeSecurityGroup"]["name"])


def routes(services: ApiServices) -> tuple[Route, ...]:
    """Answer the routes of a server's security groups."""
    of = _ServerSecurityGroups(services)
    return (
        Route(method="GET", path="/servers/{server_id}/os-security-groups", handler=of.index, rule=f"{_RULE}:list", query=NOTHING),
        Route(
            method="POST", path=_ACTION, action="addSecurityGroup", handler=of.add, rule=f"{_RULE}:add", body=schemas.ADD, status=202,
        ),
        Route(
            method="POST", path=_ACTION, action="removeSecurityGroup", handler=of.remove, rule=f"{_RULE}:remove",
            body=schemas.REMOVE, status=202,
        ),
    )
