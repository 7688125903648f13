"""resize, migrate, confirmResize and revertResize of POST /servers/{id}/action."""

from __future__ import annotations

from novalike.api.http.application import Request, Route
from novalike.api.openstack.schemas import resize_actions as schemas
from novalike.api.operations import resizing
from novalike.api.operations.servers import Servers
from novalike.api.services import ApiServices
from novalike.objects.instance import Instance

_PATH = "/servers/{id}/action"
_API = "os_compute_api"
_DISK_CONFIG = "OS-DCF:diskConfig"


class _Resizing:
    def __init__(self, services: ApiServices) -> None:
        self._services = services
        self._servers = Servers(services)

    def _instance(self, request: Request) -> Instance:
        return self._servers.get(request.context, request.path_args["id"])

    def resize(self, request: Request) -> None:
        body = request.body_value["resize"]
        resizing.resize(
            self._services, request.context, self._instance(request), str(body["flavorRef"]).rstrip("/").rpartition("/")[2],
            auto_disk_config=body[_DISK_CONFIG] == "AUTO" if _DISK_CONFIG in body else None,
        )

    def migrate(self, request: Request) -> None:
        body = request.body_value["migrate"] if request.version >= (2, 56) else None
        host = body.get("host") if body else None
        if host is not None:
            request.authorize(f"{_API}:os-migrate-server:migrate:host")
        resizing.migrate(self._services, request.context, self._instance(request), host=host)

    def confirm(self, request: Request) -> None:
        resizing.confirm(self._services, request.context, self._instance(request))

    def revert(self, request: Request) -> None:
        resizing.revert(self._services, request.context, self._instance(request))


def routes(services: ApiServices) -> tuple[Route, ...]:
    """Answer the routes of moving servers while they are off."""
    of = _Resizing(services)
    return tuple(
        Route(method="POST", path=_PATH, action=word, handler=handler, rule=f"{_API}:{rule}", body=body, status=status)
        for word, handler, rule, body, status in (
            ("resize", of.resize, "servers:resize", schemas.RESIZE, 202),
            ("migrate", of.migrate, "os-migrate-server:migrate", schemas.MIGRATE, 202),
            ("confirmResize", of.confirm, "servers:confirm_resize", schemas.CONFIRM, 204),
            ("revertResize", of.revert, "servers:revert_resize", schemas.REVERT, 202),
        )
    )
