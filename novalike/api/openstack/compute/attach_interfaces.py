"""/servers/{server_id}/os-interface: a server's ports."""

from __future__ import annotations

from typing import Any

from novalike.api.http.application import Request, Route
from novalike.api.openstack.schemas import devices as schemas
from novalike.api.openstack.schemas.servers import NOTHING
from novalike.api.openstack.views import devices as views
from novalike.api.operations import devices
from novalike.api.operations.servers import Servers
from novalike.api.services import ApiServices
from novalike.exception import Invalid
from novalike.objects.instance import Instance
from novalike.objects.network_info import RequestedNetwork

_BASE = "os_compute_api:os-attach-interfaces"
_PATH = "/servers/{server_id}/os-interface"


class _Interfaces:
    def __init__(self, services: ApiServices) -> None:
        self._services = services
        self._servers = Servers(services)

    def _instance(self, request: Request) -> Instance:
        return self._servers.get(request.context, request.path_args["server_id"])

    def index(self, request: Request) -> dict[str, Any]:
        found = devices.interfaces(self._services, request.context, self._instance(request))
        return {"interfaceAttachments": [views.interface(request, vif) for vif in found]}

    def show(self, request: Request) -> dict[str, Any]:
        vif = devices.interface(self._services, request.context, self._instance(request), request.path_args["id"])
        return {"interfaceAttachment": views.interface(request, vif)}

    def create(self, request: Request) -> dict[str, Any]:
        body = request.body_value.get("interfaceAttachment", {})
        requested = _requested(body)
        vif = devices.attach_interface(self._services, request.context, self._instance(request), requested)
        return {"interfaceAttachment": views.interface(request, vif)}

    def delete(self, request: Request) -> None:
        devices.detach_interface(self._services, request.context, self._instance(request), request.path_args["id"])


def _requested(body: dict[str, Any]) -> RequestedNetwork:
    network, port = body.get("net_id"), body.get("port_id")
    fixed_ip = body["fixed_ips"][0]["ip_address"] if "fixed_ips" in body else None
    if network and port:
        raise Invalid("Must not input both network_id and port_id")
    if fixed_ip and not network:
        raise Invalid("Must input network_id when request IP address")
    return RequestedNetwork(network_id=network, port_id=port, fixed_ip=fixed_ip, tag=body.get("tag"))


def routes(services: ApiServices) -> tuple[Route, ...]:
    """Answer the routes of servers' ports."""
    of = _Interfaces(services)
    one = f"{_PATH}/{{id}}"
    return (
        Route(method="GET", path=_PATH, handler=of.index, rule=f"{_BASE}:list", query=NOTHING),
        Route(method="POST", path=_PATH, handler=of.create, rule=f"{_BASE}:create", body=schemas.ATTACH_INTERFACE),
        Route(method="GET", path=one, handler=of.show, rule=f"{_BASE}:show", query=NOTHING),
        Route(method="DELETE", path=one, handler=of.delete, rule=f"{_BASE}:delete", status=202),
    )
