"""/servers/{server_id}/remote-consoles, the action words before it, and /os-console-auth-tokens."""

from __future__ import annotations

from functools import partial
from typing import Any

from novalike.api.http.application import Request, Route
from novalike.api.openstack.schemas import remote_consoles as schemas
from novalike.api.openstack.views import remote_consoles as views
from novalike.api.operations import consoles
from novalike.api.operations.servers import Servers
from novalike.api.services import ApiServices
from novalike.exception import Invalid, Unauthorized

_RULE = "os_compute_api:os-remote-consoles"


class _Consoles:
    def __init__(self, services: ApiServices) -> None:
        self._services = services
        self._servers = Servers(services)

    def _url(self, request: Request, server_id: str, protocol: str, console_type: str) -> str:
        instance = self._servers.get(request.context, server_id)
        return consoles.url(self._services, request.context, instance, protocol, console_type)

    def create(self, request: Request) -> dict[str, Any]:
        wanted = request.body_value["remote_console"]
        protocol, kind = wanted["protocol"], wanted["type"]
        if protocol == "rdp":
            raise Invalid("Not supported: RDP consoles.")
        return {"remote_console": {
            "protocol": protocol, "type": kind, "url": self._url(request, request.path_args["server_id"], protocol, kind),
        }}

    def act(self, word: str, request: Request) -> dict[str, Any]:
        kind = request.body_value[word]["type"]
        return {"console": {"type": kind, "url": self._url(request, request.path_args["id"], schemas.ACTIONS[word][0], kind)}}

    def show_token(self, request: Request) -> dict[str, Any]:
        found = consoles.find(self._services, request.path_args["id"])
        if request.version < (2, 31):
            # Older versions tell of RDP tokens only, which nobody makes any more.
            raise Unauthorized("The requested console type details are not accessible")
        return views.token(request, found)


def routes(services: ApiServices) -> tuple[Route, ...]:
    """Answer the routes of consoles."""
    of = _Consoles(services)
    return (
        Route(
            method="POST", path="/servers/{server_id}/remote-consoles", handler=of.create, rule=_RULE, body=schemas.REMOTE_CONSOLE,
            since="2.6",
        ),
        *(
            Route(
                method="POST", path="/servers/{id}/action", action=word, handler=partial(of.act, word), rule=_RULE, body=body,
                until="2.5",
            ) for word, body in schemas.ACTION_BODIES.items()
        ),
        Route(
            method="GET", path="/os-console-auth-tokens/{id}", handler=of.show_token, rule="os_compute_api:os-console-auth-tokens",
            query=schemas.SHOW_TOKEN,
        ),
    )
