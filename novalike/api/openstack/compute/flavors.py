"""/flavors: the sizes in which servers come."""

from __future__ import annotations

import uuid
from typing import Any

from oslo_utils import strutils

from novalike.api.http.application import Request, Route
from novalike.api.openstack import paging
from novalike.api.openstack.schemas import flavors as schemas
from novalike.api.openstack.schemas.names import boolean, whole
from novalike.api.openstack.views import flavors as views
from novalike.api.operations import resource_notices
from novalike.api.services import ApiServices
from novalike.db import flavors
from novalike.exception import Invalid
from novalike.objects.flavor import Flavor

_SHOW_SPECS = "os_compute_api:os-flavor-extra-specs:index"


class _Flavors:
    def __init__(self, services: ApiServices) -> None:
        self._services = services
        self._database = services.cells.shared
        self._clock = services.clock
        self._max_limit = services.conf.api.max_limit

    def index(self, request: Request) -> dict[str, Any]:
        return self._list(request, lambda flavor: views.brief(request, flavor))

    def detail(self, request: Request) -> dict[str, Any]:
        with_specs = request.allowed(_SHOW_SPECS)
        return self._list(request, lambda flavor: views.full(request, flavor, with_extra_specs=with_specs))

    def _list(self, request: Request, view: Any) -> dict[str, Any]:
        limit = paging.limit(request, self._max_limit)
        is_admin = request.allowed("context_is_admin")
        with self._database.read() as session:
            found = flavors.list_page(
                session, project_id=request.context.project_id,
                is_public=_public_filter(request.param("is_public")) if is_admin else True, include_disabled=is_admin,
                min_ram=_minimum(request, "minRam"), min_disk=_minimum(request, "minDisk"),
                name=request.param("name"), sort_key=_given(request, "sort_key", "flavorid"), descending=_descending(request),
                limit=limit, marker=request.param("marker"),
            )
        answer: dict[str, Any] = {"flavors": [view(flavor) for flavor in found]}
        paging.add_next(request, answer, "flavors", found, limit, found[-1].flavorid if found else None)
        return answer

    def show(self, request: Request) -> dict[str, Any]:
        with self._database.read() as session:
            flavor = flavors.get_by_flavorid(
                session, request.path_args["id"], request.context.project_id, request.allowed("context_is_admin"),
            )
        return self._one(request, flavor)

    def create(self, request: Request) -> dict[str, Any]:
        flavor = self._database.write(flavors.create, _wanted(request.body_value["flavor"]), now=self._clock.now())
        self._tell(request, "create", flavor.flavorid)
        return self._one(request, flavor)

    def update(self, request: Request) -> dict[str, Any]:
        flavor = self._database.write(
            flavors.update_description, request.path_args["id"], request.body_value["flavor"]["description"],
            now=self._clock.now(),
        )
        self._tell(request, "update", flavor.flavorid)
        return self._one(request, flavor)

    def delete(self, request: Request) -> None:
        flavorid = request.path_args["id"]
        seen = resource_notices.look_at_flavor(self._services, flavorid)
        self._database.write(flavors.delete, flavorid)
        resource_notices.flavor(self._services, request.context, "delete", seen)

    def _tell(self, request: Request, action: str, flavorid: str) -> None:
        services = self._services
        resource_notices.flavor(services, request.context, action, resource_notices.look_at_flavor(services, flavorid))

    @staticmethod
    def _one(request: Request, flavor: Flavor) -> dict[str, Any]:
        return {"flavor": views.full(request, flavor, with_extra_specs=request.allowed(_SHOW_SPECS))}


def _wanted(body: dict[str, Any]) -> Flavor:
    flavorid = body.get("id")
    if flavorid is None or flavorid == "auto":
        flavorid = str(uuid.uuid4())
    return Flavor(
        flavorid=str(flavorid), name=body["name"],
        memory_mb=whole(body["ram"], "ram", minimum=1),
        vcpus=whole(body["vcpus"], "vcpus", minimum=1),
        root_gb=whole(body["disk"], "disk", minimum=0),
        ephemeral_gb=whole(body.get("OS-FLV-EXT-DATA:ephemeral", 0), "OS-FLV-EXT-DATA:ephemeral", minimum=0),
        swap_mb=whole(body.get("swap", 0), "swap", minimum=0),
        rxtx_factor=_factor(body.get("rxtx_factor", 1.0)),
        is_public=boolean(body.get("os-flavor-access:is_public", True)),
        description=body.get("description"),
    )


def _factor(value: float | str) -> float:
    factor = float(value)
    if factor <= 0:
        raise Invalid(f"Invalid input for field/attribute rxtx_factor. Value: {value}. It must be greater than 0")
    return factor


def _public_filter(text: str | None) -> bool | None:
    if text is None:
        return True
    if text.strip().lower() == "none":
        return None
    try:
        return strutils.bool_from_string(text, strict=True)
    except ValueError as error:
        raise Invalid(f"Invalid is_public filter [{text[:255]}]") from error


def _minimum(request: Request, parameter: str) -> int:
    text = request.param(parameter)
    if not text:
        return 0
    if not text.isdecimal() or len(text) > 18:
        raise Invalid(f"Invalid {parameter} filter [{text[:255]}]")
    return int(text)


def _given(request: Request, name: str, default: str) -> str:
    value = request.param(name)
    return default if value is None else value


def _descending(request: Request) -> bool:
    direction = _given(request, "sort_dir", "asc")
    if direction not in {"asc", "desc"}:
        raise Invalid("Unknown sort direction, must be 'desc' or 'asc'")
    return direction == "desc"


def routes(services: ApiServices) -> tuple[Route, ...]:
    """Answer the routes of flavors."""
    of = _Flavors(services)
    read, manage = "os_compute_api:flavors", "os_compute_api:os-flavor-manage"
    return (
        Route(method="GET", path="/flavors", handler=of.index, rule=read, query=schemas.LIST_QUERY),
        Route(method="GET", path="/flavors/detail", handler=of.detail, rule=read, query=schemas.LIST_QUERY),
        Route(method="GET", path="/flavors/{id}", handler=of.show, rule=read, query=schemas.NO_QUERY),
        Route(method="POST", path="/flavors", handler=of.create, rule=f"{manage}:create", body=schemas.CREATE),
        Route(method="PUT", path="/flavors/{id}", handler=of.update, rule=f"{manage}:update", body=schemas.UPDATE, since="2.55"),
        Route(method="DELETE", path="/flavors/{id}", handler=of.delete, rule=f"{manage}:delete", status=202),
    )
