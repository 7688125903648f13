"""/os-migrations: which servers moved between hosts, or are moving."""

from __future__ import annotations

from typing import Any

from novalike.api.http.application import Request, Route
from novalike.api.openstack import paging, server_filters
from novalike.api.openstack.schemas import migrations as schemas
from novalike.api.openstack.views import migrations as views
from novalike.api.services import ApiServices
from novalike.db import server_migrations
from novalike.db.server_migrations import Filters, Place
from novalike.exception import Invalid
from novalike.objects.migration import Migration

_RULE = "os_compute_api:os-migrations"
_PAGED = (2, 59)


class _Migrations:
    def __init__(self, services: ApiServices) -> None:
        self._cells = services.cells
        self._max_limit = services.conf.api.max_limit

    def index(self, request: Request) -> dict[str, Any]:
        limit = paging.limit(request, self._max_limit) if request.version >= _PAGED else None
        found = self._list(_filters(request), limit, request.param("marker"))
        with_hosts = request.allowed(f"{_RULE}:index:host")
        answer: dict[str, Any] = {"migrations": [views.full(request, move, with_hosts=with_hosts) for move in found]}
        if limit is not None:
            paging.add_next(request, answer, "migrations", found, limit, found[-1].uuid if found else None)
        return answer

    def _list(self, filters: Filters, limit: int | None, marker: str | None) -> list[Migration]:
        after = None if marker is None else self._place(marker, filters.project_id)
        found: list[Migration] = []
        for cell in self._cells:
            with cell.read() as session:
                found += server_migrations.list_page(session, filters, limit=limit, after=after)
        found.sort(key=lambda move: (move.created_at, move.uuid), reverse=True)
        return found if limit is None else found[:limit]

    def _place(self, marker: str, project_id: str | None) -> Place:
        for cell in self._cells:
            with cell.read() as session:
                place = server_migrations.place(session, marker, project_id=project_id)
            if place is not None:
                return place
        raise Invalid(f"marker [{marker}] not found")


def _filters(request: Request) -> Filters:
    since, before = server_filters.span(request)
    project_id = request.param("project_id")
    if request.allowed(f"{_RULE}:index:all_projects"):
        pass
    elif project_id is not None and project_id != request.context.project_id:
        request.authorize(f"{_RULE}:index:all_projects")
    else:
        project_id = request.context.project_id or ""
    return Filters(
        project_id=project_id, user_id=request.param("user_id"), instance_uuid=request.param("instance_uuid"),
        host=request.param("host"), source_compute=request.param("source_compute"), status=request.param("status"),
        migration_type=request.param("migration_type"), changed_since=since, changed_before=before,
    )


def routes(services: ApiServices) -> tuple[Route, ...]:
    """Answer the route of migrations."""
    return (Route(
        method="GET", path="/os-migrations", handler=_Migrations(services).index, rule=f"{_RULE}:index", query=schemas.LIST_QUERY,
    ),)
