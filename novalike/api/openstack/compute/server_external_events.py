"""/os-server-external-events: other services tell what happened to ports and volumes of servers."""

from __future__ import annotations

import orjson
from webob import Response

from novalike.api.http.application import Request, Route
from novalike.api.openstack.schemas import server_external_events as schemas
from novalike.api.operations import external_events
from novalike.api.services import ApiServices

_PATH, _RULE = "/os-server-external-events", "os_compute_api:os-server-external-events:create"


class _Events:
    def __init__(self, services: ApiServices) -> None:
        self._services = services

    def create(self, request: Request) -> Response:
        given = request.body_value["events"]
        codes = external_events.dispatch(
            self._services, request.context, [external_events.ExternalEvent(**event) for event in given],
        )
        shown = [
            {**event, "code": code, "status": event.get("status", "completed") if code == 200 else "failed"}
            for event, code in zip(given, codes, strict=True)
        ]
        return Response(
            status=200 if set(codes) == {200} else 207, content_type="application/json", charset=None,
            body=orjson.dumps({"events": shown}),
        )


def routes(services: ApiServices) -> tuple[Route, ...]:
    """Answer the route of events from outside."""
    return (Route(method="POST", path=_PATH, handler=_Events(services).create, rule=_RULE, body=schemas.CREATE),)
