"""/os-quota-class-sets: the defaults of all projects, as the class "default"; other classes show them and store nothing."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from novalike.api.http.application import Request, Route
from novalike.api.openstack.schemas import quota_sets as schemas
from novalike.api.openstack.schemas.names import whole
from novalike.api.openstack.views import quota_sets as views
from novalike.api.operations import quotas as quota_defaults
from novalike.api.services import ApiServices
from novalike.db import quotas
from novalike.exception import Invalid
from novalike.objects.quota import UNLIMITED

_RULE = "os_compute_api:os-quota-class-sets"


class _QuotaClassSets:
    def __init__(self, services: ApiServices) -> None:
        self._database = services.cells.shared
        self._clock = services.clock
        self._defaults = quota_defaults.defaults(services.conf.quota)

    def show(self, request: Request) -> dict[str, Any]:
        with self._database.read() as session:
            limits = quotas.class_limits(session, self._defaults)
        return views.quota_class_set(request.version, limits, identifier=request.path_args["id"])

    def update(self, request: Request) -> dict[str, Any]:
        name = request.path_args["id"]
        if name != quotas.DEFAULT_CLASS:
            raise Invalid(f"Quota class {name[:255]} cannot be set: only the class '{quotas.DEFAULT_CLASS}' has an effect.")
        body = request.body_value["quota_class_set"]
        wanted = {key: whole(value, key, minimum=UNLIMITED) for key, value in body.items() if key != "networks"}

        def change(session: Session) -> dict[str, int]:
            quotas.set_class_limits(session, wanted, now=self._clock.now())
            return quotas.class_limits(session, self._defaults)

        return views.quota_class_set(request.version, self._database.write(change))


def routes(services: ApiServices) -> tuple[Route, ...]:
    """Answer the routes of quota classes."""
    of, path = _QuotaClassSets(services), "/os-quota-class-sets/{id}"
    return (
        Route(method="GET", path=path, handler=of.show, rule=f"{_RULE}:show", query=schemas.NO_QUERY),
        Route(method="PUT", path=path, handler=of.update, rule=f"{_RULE}:update", body=schemas.UPDATE_CLASS),
    )
