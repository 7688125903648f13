"""/flavors/{id}/os-flavor-access: which projects may use a private flavor."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from novalike.api.http.application import Request, Route
from novalike.api.openstack.schemas import flavors as schemas
from novalike.api.operations import resource_notices
from novalike.api.services import ApiServices
from novalike.db import flavors
from novalike.exception import Conflict, Invalid, NotFound

#: From here on, granting access to a flavor which is open to all anyway is refused.
_REFUSED_FOR_PUBLIC = (2, 7)


class _FlavorAccess:
    def __init__(self, services: ApiServices) -> None:
        self._services = services
        self._database = services.cells.shared
        self._identity = services.identity

    def index(self, request: Request) -> dict[str, Any]:
        flavorid = request.path_args["flavor_id"]
        with self._database.read() as session:
            if flavors.get_by_flavorid(session, flavorid, None, True).is_public:
                raise NotFound("Access list not available for public flavors.")
            return _answer(session, flavorid)

    def add(self, request: Request) -> dict[str, Any]:
        flavorid, project_id = request.path_args["id"], self._project(request.body_value["addTenantAccess"]["tenant"])

        def grant(session: Session) -> dict[str, Any]:
            flavor = flavors.get_by_flavorid(session, flavorid, None, True)
            if flavor.is_public and request.version >= _REFUSED_FOR_PUBLIC:
                raise Conflict("Can not add access to a public flavor.")
            flavors.add_access(session, flavorid, project_id)
            session.flush()
            return _answer(session, flavorid)

        answer = self._database.write(grant)
        self._tell(request)
        return answer

    def remove(self, request: Request) -> dict[str, Any]:
        # Not asked for at the identity service: access of a project which is gone must be removable.
        flavorid, project_id = request.path_args["id"], request.body_value["removeTenantAccess"]["tenant"]

        def revoke(session: Session) -> dict[str, Any]:
            flavors.remove_access(session, flavorid, project_id)
            return _answer(session, flavorid)

        answer = self._database.write(revoke)
        self._tell(request)
        return answer

    def _tell(self, request: Request) -> None:
        services = self._services
        seen = resource_notices.look_at_flavor(services, request.path_args["id"])
        resource_notices.flavor(services, request.context, "update", seen)

    def _project(self, project_id: str) -> str:
        if not self._identity.project_exists(project_id):
            raise Invalid(f"Project ID {project_id} is not a valid project.")
        return project_id


def _answer(session: Session, flavorid: str) -> dict[str, Any]:
    access = flavors.list_access(session, flavorid)
    return {"flavor_access": [{"flavor_id": flavorid, "tenant_id": project_id} for project_id in access]}


def routes(services: ApiServices) -> tuple[Route, ...]:
    """Answer the routes of flavor access."""
    of, rule = _FlavorAccess(services), "os_compute_api:os-flavor-access"
    return (
        Route(
            method="GET", path="/flavors/{flavor_id}/os-flavor-access", handler=of.index, rule=rule, query=schemas.NO_QUERY,
        ),
        Route(
            method="POST", path="/flavors/{id}/action", action="addTenantAccess", handler=of.add,
            rule=f"{rule}:add_tenant_access", body=schemas.ADD_ACCESS,
        ),
        Route(
            method="POST", path="/flavors/{id}/action", action="removeTenantAccess", handler=of.remove,
            rule=f"{rule}:remove_tenant_access", body=schemas.REMOVE_ACCESS,
        ),
    )
