"""shelve, shelveOffload and unshelve of POST /servers/{id}/action."""

from __future__ import annotations

from novalike.api.http.application import Request, Route
from novalike.api.openstack.schemas import snapshot_actions as schemas
from novalike.api.operations import shelving
from novalike.api.operations.servers import Servers
from novalike.api.operations.shelving import Destination
from novalike.api.services import ApiServices
from novalike.objects.instance import Instance

_PATH = "/servers/{id}/action"
_RULE = "os_compute_api:os-shelve"


class _Shelving:
    def __init__(self, services: ApiServices) -> None:
        self._services = services
        self._servers = Servers(services)

    def _instance(self, request: Request) -> Instance:
        return self._servers.get(request.context, request.path_args["id"])

    def shelve(self, request: Request) -> None:
        shelving.shelve(self._services, request.context, self._instance(request))

    def offload(self, request: Request) -> None:
        shelving.offload(self._services, request.context, self._instance(request))

    def unshelve(self, request: Request) -> None:
        body = request.body_value["unshelve"] if request.version >= (2, 77) else None
        wanted = body or {}
        host = wanted.get("host")
        if host is not None:
            request.authorize(f"{_RULE}:unshelve_to_host")
        shelving.unshelve(self._services, request.context, self._instance(request), Destination(
            zone=wanted.get("availability_zone"), pins="availability_zone" in wanted, host=host,
        ))


def routes(services: ApiServices) -> tuple[Route, ...]:
    """Answer the routes of shelving."""
    of = _Shelving(services)
    return tuple(
        Route(method="POST", path=_PATH, action=word, handler=handler, rule=f"{_RULE}:{rule}", body=body, status=202)
        for word, handler, rule, body in (
            ("shelve", of.shelve, "shelve", schemas.SHELVE),
            ("shelveOffload", of.offload, "shelve_offload", schemas.SHELVE_OFFLOAD),
            ("unshelve", of.unshelve, "unshelve", schemas.UNSHELVE),
        )
    )
