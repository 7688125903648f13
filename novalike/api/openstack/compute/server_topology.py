"""/servers/{server_id}/topology: the NUMA nodes of a guest. Guests here have none, which Nova shows as an empty list."""

from __future__ import annotations

from typing import Any

from novalike.api.http.application import Request, Route
from novalike.api.openstack.schemas.servers import NOTHING
from novalike.api.operations.servers import Servers
from novalike.api.services import ApiServices


class _Topology:
    def __init__(self, services: ApiServices) -> None:
        self._servers = Servers(services)

    def index(self, request: Request) -> dict[str, Any]:
        self._servers.get(request.context, request.path_args["server_id"])
        return {"nodes": [], "pagesize_kb": None}


def routes(services: ApiServices) -> tuple[Route, ...]:
    """Answer the route of servers' NUMA topology."""
    return (Route(
        method="GET", path="/servers/{server_id}/topology", handler=_Topology(services).index, rule="compute:server:topology:index",
        query=NOTHING, since="2.78",
    ),)
