"""/servers/{server_id}/diagnostics: what a server's guest counts."""

from __future__ import annotations

from typing import Any

from novalike.api.http.application import Request, Route
from novalike.api.openstack.schemas.servers import NOTHING
from novalike.api.openstack.views import devices as views
from novalike.api.operations import devices
from novalike.api.operations.servers import Servers
from novalike.api.services import ApiServices


def routes(services: ApiServices) -> tuple[Route, ...]:
    """Answer the route of diagnostics."""
    servers = Servers(services)

    def show(request: Request) -> dict[str, Any]:
        instance = servers.get(request.context, request.path_args["server_id"])
        return views.diagnostics(request, devices.diagnostics(services, request.context, instance))
    return (
        Route(
            method="GET", path="/servers/{server_id}/diagnostics", handler=show, rule="os_compute_api:os-server-diagnostics",
            query=NOTHING,
        ),
    )
