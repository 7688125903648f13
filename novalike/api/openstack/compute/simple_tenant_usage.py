"""/os-simple-tenant-usage: how much of what each project used in a period."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from novalike.api.http.application import Request, Route
from novalike.api.openstack import paging
from novalike.api.openstack.schemas import simple_tenant_usage as schemas
from novalike.api.openstack.views import simple_tenant_usage as views
from novalike.api.services import ApiServices
from novalike.db import usage
from novalike.exception import Invalid
from novalike.objects.usage import ServerRun

_RULE = "os_compute_api:os-simple-tenant-usage"
_PAGED = (2, 40)


class _Usage:
    def __init__(self, services: ApiServices) -> None:
        self._cells = services.cells
        self._clock = services.clock
        self._max_limit = services.conf.api.max_limit

    def index(self, request: Request) -> dict[str, Any]:
        start, stop = self._period(request)
        limit, runs = self._runs(request, start, stop, None)
        detailed = request.param("detailed") == "1"
        answer: dict[str, Any] = {"tenant_usages": [
            views.project(list(members), start, stop, self._clock.now(), detailed=detailed)
            for _, members in groupby(runs, key=lambda run: run.project_id)
        ]}
        return _linked(request, answer, "tenant_usages", runs, limit)

    def show(self, request: Request) -> dict[str, Any]:
        project_id = request.path_args["id"]
        request.authorize(f"{_RULE}:show", {"project_id": project_id, "user_id": request.context.user_id})
        start, stop = self._period(request)
        limit, runs = self._runs(request, start, stop, project_id)
        report = views.project(runs, start, stop, self._clock.now(), detailed=True) if runs else {}
        return _linked(request, {"tenant_usage": report}, "tenant_usage", runs, limit)

    def _runs(self, request: Request, start: datetime, stop: datetime, project_id: str | None) -> tuple[int, list[ServerRun]]:
        limit, marker = paging.limit(request, self._max_limit), request.param("marker")
        after = None if marker is None else self._place(marker, project_id)
        runs: list[ServerRun] = []
        for cell in self._cells:
            with cell.read() as session:
                runs += usage.list_runs(session, start, stop, project_id=project_id, limit=limit, after=after)
        runs.sort(key=lambda run: (run.project_id, run.uuid))
        return limit, runs[:limit]

    def _place(self, marker: str, project_id: str | None) -> usage.Place:
        for cell in self._cells:
            with cell.read() as session:
                place = usage.place(session, marker, project_id=project_id)
            if place is not None:
                return place
        raise Invalid(f"marker [{marker}] not found")

    def _period(self, request: Request) -> tuple[datetime, datetime]:
        now = self._clock.now()
        start, stop = _time(request.param("start")) or now, _time(request.param("end")) or now
        if start > stop:
            raise Invalid("Invalid start time. The start time cannot occur after the end time.")
        return start, stop


def _time(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid(f"Datetime is in invalid format: {text[:255]}") from error
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _linked(request: Request, answer: dict[str, Any], name: str, runs: list[ServerRun], limit: int) -> dict[str, Any]:
    if request.version >= _PAGED:
        paging.add_next(request, answer, name, runs, limit, runs[-1].uuid if runs else None)
    return answer


def routes(services: ApiServices) -> tuple[Route, ...]:
    """Answer the routes of usage reports."""
    of, path = _Usage(services), "/os-simple-tenant-usage"
    return (
        Route(method="GET", path=path, handler=of.index, rule=f"{_RULE}:list", query=schemas.LIST_QUERY),
        Route(method="GET", path=f"{path}/{{id}}", handler=of.show, rule=f"{_RULE}:show", query=schemas.SHOW_QUERY),
    )
