"""/os-server-groups: servers which shall be together, or apart."""

from __future__ import annotations

from typing import Any

from novalike.api.http.application import Request, Route
from novalike.api.openstack import idempotency, paging
from novalike.api.openstack.schemas import server_groups as schemas
from novalike.api.openstack.schemas.names import whole
from novalike.api.openstack.views import server_groups as views
from novalike.api.operations import once, resource_notices
from novalike.api.operations import server_groups as operations
from novalike.api.services import ApiServices
from novalike.db import server_groups

_RULE = "os_compute_api:os-server-groups"


class _ServerGroups:
    def __init__(self, services: ApiServices) -> None:
        self._services = services
        self._database = services.cells.shared
        self._max_limit = services.conf.api.max_limit

    def index(self, request: Request) -> dict[str, Any]:
        project_id = request.context.project_id or ""
        # Any value turns it on, for administrators; everybody else sees their own.
        everything = "all_projects" in request.params_given and request.allowed(f"{_RULE}:index:all_projects")
        with self._database.read() as session:
            found = server_groups.list_page(
                session, project_id=None if everything else project_id, limit=paging.limit(request, self._max_limit),
                offset=int(request.param("offset") or 0),
            )
        return {"server_groups": [views.full(request.version, group) for group in found]}

    def show(self, request: Request) -> dict[str, Any]:
        with self._database.read() as session:
            group = server_groups.get(session, request.path_args["id"], project_id=_reach(request))
        return {"server_group": views.full(request.version, group)}

    def create(self, request: Request) -> dict[str, Any]:
        wanted = request.body_value["server_group"]
        policy = wanted["policy"] if "policy" in wanted else wanted["policies"][0]
        rules = {name: whole(value, name, minimum=1) for name, value in wanted.get("rules", {}).items()}
        made = operations.create(
            self._services, request.context, name=wanted["name"], policy=policy, rules=rules,
            key=idempotency.key(request, once.SERVER_GROUPS),
        )
        resource_notices.server_group(self._services, request.context, "create", made)
        return {"server_group": views.full(request.version, made)}

    def delete(self, request: Request) -> None:
        seen = None
        if self._services.notifier.enabled:
            seen = self._database.fetch(server_groups.get, request.path_args["id"], project_id=_reach(request))
        self._database.write(server_groups.delete, request.path_args["id"], project_id=_reach(request))
        if seen is not None:
            resource_notices.server_group(self._services, request.context, "delete", seen)


def _reach(request: Request) -> str | None:
    """Answer the only project whose groups the caller may touch, or None for all."""
    return None if request.allowed("context_is_admin") else request.context.project_id or ""


def routes(services: ApiServices) -> tuple[Route, ...]:
    """Answer the routes of server groups."""
    of, path = _ServerGroups(services), "/os-server-groups"
    one = f"{path}/{{id}}"
    return (
        Route(method="GET", path=path, handler=of.index, rule=f"{_RULE}:index", query=schemas.LIST_QUERY),
        Route(method="POST", path=path, handler=of.create, rule=f"{_RULE}:create", body=schemas.CREATE),
        Route(method="GET", path=one, handler=of.show, rule=f"{_RULE}:show", query=schemas.NO_QUERY),
        Route(method="DELETE", path=one, handler=of.delete, rule=f"{_RULE}:delete", status=204),
    )
