"""/servers/{server_id}/os-server-password: what the guest posted to the metadata service (api/metadata/app.py), once."""

from __future__ import annotations

from typing import Any

from novalike import metadata
from novalike.api.http.application import Request, Route
from novalike.api.openstack.schemas.servers import NOTHING
from novalike.api.operations.servers import Servers
from novalike.api.services import ApiServices
from novalike.objects.instance import Instance

_BASE = "os_compute_api:os-server-password"
_PATH = "/servers/{server_id}/os-server-password"


class _Passwords:
    def __init__(self, services: ApiServices) -> None:
        self._servers = Servers(services)

    def _instance(self, request: Request) -> Instance:
        return self._servers.get(request.context, request.path_args["server_id"])

    def show(self, request: Request) -> dict[str, Any]:
        return {"password": metadata.guest_password(self._instance(request))}

    def clear(self, request: Request) -> None:
        def forget(instance: Instance) -> dict[str, Any]:
            kept = {name: value for name, value in instance.system_metadata.items() if not name.startswith("password_")}
            return {"system_metadata": kept}
        self._servers.change(request.context, self._instance(request).uuid, forget)


def routes(services: ApiServices) -> tuple[Route, ...]:
    """Answer the routes of guests' passwords."""
    of = _Passwords(services)
    return (
        Route(method="GET", path=_PATH, handler=of.show, rule=f"{_BASE}:show", query=NOTHING),
        Route(method="DELETE", path=_PATH, handler=of.clear, rule=f"{_BASE}:clear", status=204),
    )
