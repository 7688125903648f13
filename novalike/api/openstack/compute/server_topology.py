"""/servers/{server_id}/topology: the NUMA cells of a guest. Most have none, which Nova shows as an empty list."""

from __future__ import annotations

from typing import Any

from novalike.api.http.application import Request, Route
from novalike.api.openstack.schemas.servers import NOTHING
from novalike.api.operations.servers import Servers
from novalike.api.services import ApiServices
from novalike.objects.hardware import Hardware

_HOST_RULE = "compute:server:topology:host:index"


class _Topology:
    def __init__(self, services: ApiServices) -> None:
        self._servers = Servers(services)

    def index(self, request: Request) -> dict[str, Any]:
        instance = self._servers.get(request.context, request.path_args["server_id"])
        held = instance.hardware
        if held is None:
            return {"nodes": [], "pagesize_kb": None}
        shown = request.allowed(_HOST_RULE, {"project_id": instance.project_id})
        sizes = [cell.page_kb for cell in held.cells if cell.page_kb is not None]
        return {"nodes": _nodes(held, with_host=shown), "pagesize_kb": sizes[-1] if sizes else None}


def _nodes(held: Hardware, *, with_host: bool) -> list[dict[str, Any]]:
    nodes = []
    for cell in held.cells:
        width = held.threads if held.threads > 1 else 0
        node: dict[str, Any] = {
            "memory_mb": cell.memory_mb, "vcpu_set": list(cell.cpus),
            "siblings": [list(cell.cpus[at:at + width]) for at in range(0, len(cell.cpus) - width + 1, width)] if width else [],
        }
        if with_host:
            node |= {"host_node": cell.host_cell, "cpu_pinning": {str(guest): host for guest, host in cell.pins}}
        nodes.append(node)
    return nodes


def routes(services: ApiServices) -> tuple[Route, ...]:
    """Answer the route of servers' NUMA topology."""
    return (Route(
        method="GET", path="/servers/{server_id}/topology", handler=_Topology(services).index, rule="compute:server:topology:index",
        query=NOTHING, since="2.78",
    ),)
