"""/flavors/{id}/os-extra_specs: what schedulers and hypervisors do for servers of a flavor beyond its size."""

from __future__ import annotations

from typing import Any

from novalike.api.http.application import Request, Route
from novalike.api.openstack import extra_specs
from novalike.api.openstack.schemas import flavors as schemas
from novalike.api.operations import resource_notices
from novalike.api.services import ApiServices
from novalike.db import flavors
from novalike.exception import Invalid, NotFound

#: From here on, keys of known namespaces and their values are checked.
_VALIDATED = (2, 86)


class _ExtraSpecs:
    def __init__(self, services: ApiServices) -> None:
        self._services = services
        self._database = services.cells.shared
        self._clock = services.clock

    def index(self, request: Request) -> dict[str, Any]:
        return {"extra_specs": self._specs(request)}

    def show(self, request: Request) -> dict[str, Any]:
        specs, key = self._specs(request), request.path_args["id"]
        if key not in specs:
            raise NotFound(f"Flavor {request.path_args['flavor_id']} has no extra specs with key {key}.")
        return {key: specs[key]}

    def create(self, request: Request) -> dict[str, Any]:
        return {"extra_specs": self._set(request, request.body_value["extra_specs"])}

    def update(self, request: Request) -> dict[str, Any]:
        if request.path_args["id"] not in request.body_value:
            raise Invalid("Request body and URI mismatch")
        return self._set(request, request.body_value)

    def delete(self, request: Request) -> None:
        self._database.write(
            flavors.delete_extra_spec, request.path_args["flavor_id"], request.path_args["id"], now=self._clock.now(),
        )
        self._tell(request)

    def _specs(self, request: Request) -> dict[str, str]:
        with self._database.read() as session:
            return flavors.get_by_flavorid(
                session, request.path_args["flavor_id"], request.context.project_id, request.allowed("context_is_admin"),
            ).extra_specs

    def _set(self, request: Request, given: dict[str, Any]) -> dict[str, str]:
        specs = {key: str(value) for key, value in given.items()}
        if request.version >= _VALIDATED:
            for key, value in specs.items():
                extra_specs.check(key, value)
        self._database.write(flavors.set_extra_specs, request.path_args["flavor_id"], specs, now=self._clock.now())
        self._tell(request)
        return specs

    def _tell(self, request: Request) -> None:
        services = self._services
        seen = resource_notices.look_at_flavor(services, request.path_args["flavor_id"])
        resource_notices.flavor(services, request.context, "update", seen)


def routes(services: ApiServices) -> tuple[Route, ...]:
    """Answer the routes of extra specs."""
    of, rule = _ExtraSpecs(services), "os_compute_api:os-flavor-extra-specs"
    path = "/flavors/{flavor_id}/os-extra_specs"
    one = f"{path}/{{id}}"
    return (
        Route(method="GET", path=path, handler=of.index, rule=f"{rule}:index", query=schemas.NO_QUERY),
        Route(method="POST", path=path, handler=of.create, rule=f"{rule}:create", body=schemas.SET_SPECS),
        Route(method="GET", path=one, handler=of.show, rule=f"{rule}:show", query=schemas.NO_QUERY),
        Route(method="PUT", path=one, handler=of.update, rule=f"{rule}:update", body=schemas.SET_ONE_SPEC),
        Route(method="DELETE", path=one, handler=of.delete, rule=f"{rule}:delete"),
    )
