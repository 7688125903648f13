"""/servers/{server_id}/ips: a server's addresses by network."""

from __future__ import annotations

from typing import Any

from novalike.api.http.application import Request, Route
from novalike.api.openstack.schemas.servers import NOTHING
from novalike.api.operations.servers import Servers
from novalike.api.services import ApiServices
from novalike.exception import NotFound

_PATH = "/servers/{server_id}/ips"


class _Ips:
    def __init__(self, services: ApiServices) -> None:
        self._servers = Servers(services)

    def _addresses(self, request: Request) -> dict[str, list[dict[str, Any]]]:
        fixed: dict[str, list[dict[str, Any]]] = {}
        floating: dict[str, list[dict[str, Any]]] = {}
        for vif in self._servers.get(request.context, request.path_args["server_id"]).network_info:
            fixed.setdefault(vif.label, []).extend({"version": ip.version, "addr": ip.address} for ip in vif.fixed_ips)
            floating.setdefault(vif.label, []).extend({"version": 4, "addr": address} for ip in vif.fixed_ips for address in ip.floating)
        return {label: found + floating[label] for label, found in fixed.items()}    # public ones last, as Nova

    def index(self, request: Request) -> dict[str, Any]:
        return {"addresses": self._addresses(request)}

    def show(self, request: Request) -> dict[str, Any]:
        label = request.path_args["id"]
        found = self._addresses(request)
        if label not in found:
            raise NotFound("Instance is not a member of specified network")
        return {label: found[label]}


def routes(services: ApiServices) -> tuple[Route, ...]:
    """Answer the routes of servers' addresses."""
    of = _Ips(services)
    return (
        Route(method="GET", path=_PATH, handler=of.index, rule="os_compute_api:ips:index", query=NOTHING),
        Route(method="GET", path=f"{_PATH}/{{id}}", handler=of.show, rule="os_compute_api:ips:show", query=NOTHING),
    )
