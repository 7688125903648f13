"""/limits: what a project may use and what it uses, for clients that show both."""

from __future__ import annotations

from typing import Any

from novalike.api.http.application import Request, Route, authorized_only
from novalike.api.openstack.schemas import limits as schemas
from novalike.api.openstack.views import limits as views
from novalike.api.operations import quotas as quota_defaults
from novalike.api.services import ApiServices
from novalike.db import quotas


class _Limits:
    def __init__(self, services: ApiServices) -> None:
        self._database = services.cells.shared
        self._defaults = quota_defaults.defaults(services.conf.quota)

    def index(self, request: Request) -> dict[str, Any]:
        project_id = request.param("tenant_id")
        if project_id:
            request.authorize("os_compute_api:limits:other_project", {"project_id": project_id, "user_id": request.context.user_id})
        else:
            authorized_only(request.context)
            project_id = str(request.context.project_id)
        with self._database.read() as session:
            return views.full(
                request.version, quotas.limits(session, project_id, None, self._defaults), quotas.usage(session, project_id),
                quotas.count_server_groups(session, project_id),
            )


def routes(services: ApiServices) -> tuple[Route, ...]:
    """Answer the route of limits."""
    return (Route(
        method="GET", path="/limits", handler=_Limits(services).index, rule="os_compute_api:limits", query=schemas.QUERY,
    ),)
