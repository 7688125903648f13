"""/servers/{server_id}/os-instance-actions: what was done to a server."""

from __future__ import annotations

from typing import Any

from novalike.api.http.application import Request, Route
from novalike.api.openstack import paging, server_filters
from novalike.api.openstack.links import next_page
from novalike.api.openstack.schemas import instance_actions as schemas
from novalike.api.openstack.schemas.servers import NOTHING
from novalike.api.openstack.views import instance_actions as views
from novalike.api.operations.servers import Servers
from novalike.api.services import ApiServices
from novalike.db import action_log, running
from novalike.exception import Invalid, NotFound
from novalike.objects.instance import Instance

_BASE = "os_compute_api:os-instance-actions"
_PATH = "/servers/{server_id}/os-instance-actions"


class _Actions:
    def __init__(self, services: ApiServices) -> None:
        self._servers = Servers(services)
        self._max_limit = services.conf.api.max_limit

    def _instance(self, request: Request) -> Instance:
        return self._servers.get(request.context, request.path_args["server_id"], deleted=request.version >= (2, 21))

    def index(self, request: Request) -> dict[str, Any]:
        instance = self._instance(request)
        since, before = server_filters.span(request)
        marker, limit = request.param("marker"), paging.limit(request, self._max_limit)
        with self._servers.cell_of(instance.uuid).read() as session:
            try:
                found = action_log.listed(session, instance.uuid, limit=limit, marker=marker, since=since, before=before)
            except NotFound as error:
                raise Invalid(f"marker [{(marker or '')[:255]}] not found") from error
        answer: dict[str, Any] = {"instanceActions": [views.action(request, done) for done in found]}
        if request.version >= (2, 58) and found and len(found) == limit:
            answer["links"] = next_page(request, f"servers/{instance.uuid}/os-instance-actions", found[-1].request_id)
        return answer

    def show(self, request: Request) -> dict[str, Any]:
        instance = self._instance(request)
        wanted = request.path_args["id"]
        with self._servers.cell_of(instance.uuid).read() as session:
            try:
                done = action_log.get(session, instance.uuid, wanted)
            except NotFound as error:
                raise NotFound(f"Action {wanted[:255]} not found") from error
            current = running.event(session, instance.uuid, wanted)
        inner = request.allowed(f"{_BASE}:events")
        answer = views.action(request, done)
        if inner or request.version >= (2, 51):
            details = request.allowed(f"{_BASE}:events:details")
            steps = done.events if current is None else (current, *done.events)      # newest first
            answer["events"] = [views.event(request, step, done.project_id, inner=inner, details=details) for step in steps]
        return {"instanceAction": answer}


def routes(services: ApiServices) -> tuple[Route, ...]:
    """Answer the routes of the action log."""
    of = _Actions(services)
    return (
        Route(method="GET", path=_PATH, handler=of.index, rule=f"{_BASE}:list", query=schemas.LIST),
        Route(method="GET", path=f"{_PATH}/{{id}}", handler=of.show, rule=f"{_BASE}:show", query=NOTHING),
    )
