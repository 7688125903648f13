"""/os-quota-sets: limits of projects, and of users in them."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from novalike.api.http.application import Request, Route
from novalike.api.openstack.schemas import quota_sets as schemas
from novalike.api.openstack.schemas.names import boolean, whole
from novalike.api.openstack.views import quota_sets as views
from novalike.api.operations import quotas as quota_defaults
from novalike.api.services import ApiServices
from novalike.db import quotas
from novalike.exception import Invalid
from novalike.objects.quota import UNLIMITED

_RULE = "os_compute_api:os-quota-sets"


class _QuotaSets:
    def __init__(self, services: ApiServices) -> None:
        self._database = services.cells.shared
        self._clock = services.clock
        self._identity = services.identity
        self._defaults = quota_defaults.defaults(services.conf.quota)

    def show(self, request: Request) -> dict[str, Any]:
        project_id, user_id = self._scope(request, "show")
        with self._database.read() as session:
            limits = quotas.limits(session, project_id, user_id, self._defaults)
        return views.quota_set(request.version, limits, identifier=project_id)

    def detail(self, request: Request) -> dict[str, Any]:
        project_id, user_id = self._scope(request, "detail")
        with self._database.read() as session:
            limits = quotas.limits(session, project_id, user_id, self._defaults)
            used = _used(session, project_id, user_id)
        values = {name: {"limit": limit, "in_use": used.get(name, 0), "reserved": 0} for name, limit in limits.items()}
        return views.quota_set(request.version, values, identifier=project_id)

    def defaults(self, request: Request) -> dict[str, Any]:
        project_id = self._known(request.path_args["id"])
        with self._database.read() as session:
            limits = quotas.class_limits(session, self._defaults)
        return views.quota_set(request.version, limits, identifier=project_id)

    def update(self, request: Request) -> dict[str, Any]:
        project_id, user_id = self._scope(request, "update")
        body = request.body_value["quota_set"]
        force = boolean(body.get("force", False))
        wanted = _numbers(body)

        def change(session: Session) -> dict[str, int]:
            if not force:
                # Servers are accepted under the same lock, so that usage cannot grow between this look and the change.
                quotas.lock(session, f"project:{project_id}")
                _refuse_unfit(session, project_id, user_id, wanted, self._defaults)
            quotas.set_limits(session, project_id, user_id, wanted, now=self._clock.now())
            return quotas.limits(session, project_id, user_id, self._defaults)

        return views.quota_set(request.version, self._database.write(change))

    def delete(self, request: Request) -> None:
        project_id = request.path_args["id"]       # not looked up: limits of a project which is gone must be removable
        request.authorize(f"{_RULE}:delete", {"project_id": project_id, "user_id": request.context.user_id})
        self._database.write(quotas.delete, project_id, request.param("user_id"))

    def _scope(self, request: Request, action: str) -> tuple[str, str | None]:
        project_id = request.path_args["id"]
        request.authorize(f"{_RULE}:{action}", {"project_id": project_id, "user_id": request.context.user_id})
        return self._known(project_id), request.param("user_id") or None

    def _known(self, project_id: str) -> str:
        if not self._identity.project_exists(project_id):
            raise Invalid(f"Project ID {project_id} is not a valid project.")
        return project_id


def _numbers(body: dict[str, Any]) -> dict[str, int]:
    """Answer the limits in a quota set's body as numbers. Raises Invalid below -1; `networks` was never counted by anything."""
    return {
        name: whole(value, name, minimum=UNLIMITED) for name, value in body.items() if name not in {"force", "networks"}
    }


def _used(session: Session, project_id: str, user_id: str | None) -> dict[str, int]:
    usage = quotas.usage(session, project_id, user_id)
    return {
        "instances": usage.instances, "cores": usage.cores, "ram": usage.ram,
        "server_groups": quotas.count_server_groups(session, project_id, user_id),
        "key_pairs": 0,                          # Nova counts them by user, in no project
    }


def _refuse_unfit(
    session: Session, project_id: str, user_id: str | None, wanted: dict[str, int], defaults: dict[str, int],
) -> None:
    """Raise Invalid for a limit below what is used, or a user's limit above the project's."""
    used = _used(session, project_id, user_id)
    ceilings = quotas.limits(session, project_id, None, defaults) if user_id else {}
    for name, limit in wanted.items():
        if limit != UNLIMITED and limit < used.get(name, 0):
            raise Invalid(
                f"Quota limit {limit} for {name} must be greater than or equal to already used and reserved {used[name]}.",
            )
        ceiling = ceilings.get(name, UNLIMITED)
        if ceiling != UNLIMITED and (limit == UNLIMITED or limit > ceiling):
            raise Invalid(f"Quota limit {limit} for {name} must be less than or equal to {ceiling}.")


def routes(services: ApiServices) -> tuple[Route, ...]:
    """Answer the routes of quota sets."""
    of, path = _QuotaSets(services), "/os-quota-sets/{id}"
    query = schemas.QUERY
    return (
        Route(method="GET", path=path, handler=of.show, rule=f"{_RULE}:show", query=query),
        Route(method="GET", path=f"{path}/detail", handler=of.detail, rule=f"{_RULE}:detail", query=query),
        Route(method="GET", path=f"{path}/defaults", handler=of.defaults, rule=f"{_RULE}:defaults"),
        Route(method="PUT", path=path, handler=of.update, rule=f"{_RULE}:update", query=query, body=schemas.UPDATE),
        Route(method="DELETE", path=path, handler=of.delete, rule=f"{_RULE}:delete", query=query, status=202),
    )
