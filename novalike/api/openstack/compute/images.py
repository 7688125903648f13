"""/images until 2.35: the image service under the API which images had in Nova."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from novalike.api.http.application import Request, Route
from novalike.api.openstack import paging
from novalike.api.openstack.schemas import images as schemas
from novalike.api.openstack.server_filters import time
from novalike.api.openstack.views import images as views
from novalike.api.services import ApiServices
from novalike.context import RequestContext
from novalike.exception import Invalid, NotFound
from novalike.image.client import ImageClient
from novalike.objects.image import Image

RULE = "os_compute_api:images"
_PATH, _LAST = "/images", "2.35"
_PROPERTY = "property-"
#: Images asked of the image service at once, and looked at for one page of a filtered list.
_BATCH, _MOST = 1000, 10_000
View = Callable[[Request, Image, str], dict[str, Any]]


class _Images:
    def __init__(self, services: ApiServices) -> None:
        self._images = services.images
        self._endpoint: str = services.conf.endpoints.image
        self._max_limit = services.conf.api.max_limit

    def index(self, request: Request) -> dict[str, Any]:
        return self._list(request, views.brief)

    def detail(self, request: Request) -> dict[str, Any]:
        return self._list(request, views.full)

    def _list(self, request: Request, view: View) -> dict[str, Any]:
        limit = paging.limit(request, self._max_limit)
        found = self._page(request, _filter(request), limit)
        answer = {"images": [view(request, image, self._endpoint) for image in found]}
        paging.add_next(request, answer, "images", found, limit, found[-1].id if found else None)
        return answer

    def _page(self, request: Request, passes: Callable[[Image], bool], limit: int) -> list[Image]:
        properties = {name.removeprefix(_PROPERTY): value for name, value in request.GET.items() if name.startswith(_PROPERTY)}
        found: list[Image] = []
        marker, seen = request.param("marker"), 0
        if marker is not None:
            try:
                find(self._images, request.context, marker)
            except NotFound as error:
                raise Invalid(f"marker [{marker[:255]}] not found") from error
        while len(found) < limit and seen < _MOST:
            batch = self._images.list(request.context, limit=_BATCH, marker=marker, properties=properties)
            found += [image for image in batch if passes(image)]
            if len(batch) < _BATCH:
                break
            marker, seen = batch[-1].id, seen + len(batch)
        return found[:limit]

    def show(self, request: Request) -> dict[str, Any]:
        return {"image": views.full(request, find(self._images, request.context, request.path_args["id"]), self._endpoint)}

    def delete(self, request: Request) -> None:
        self._images.delete(request.context, find(self._images, request.context, request.path_args["id"]).id)


def find(images: ImageClient, ctxt: RequestContext, image_id: str) -> Image:
    """Answer an image which the caller may see. Raises NotFound, in Nova's words."""
    try:
        if len(image_id) <= 36:
            return images.get(ctxt, image_id)
    except NotFound:
        pass
    raise NotFound("Image not found.")


def _filter(request: Request) -> Callable[[Image], bool]:
    """Answer what tells whether the query asks for an image. Raises Invalid."""
    status, name, since = request.param("status"), request.param("name"), request.param("changes-since")
    states = {old for old, new in views.STATUS.items() if status is not None and new == status.upper()} or {status or ""}
    changed = None if since is None else time("changes-since", since)
    server = request.param("server")
    server = None if server is None else server.rstrip("/").rpartition("/")[2]
    kind, ram, disk = request.param("type"), int(request.param("minRam") or 0), int(request.param("minDisk") or 0)

    def passes(image: Image) -> bool:
        properties, touched = image.properties, image.updated_at or image.created_at
        return (
            (name is None or image.name == name) and (status is None or image.status in states)
            and (kind is None or properties.get("image_type") == kind) and (server is None or properties.get("instance_uuid") == server)
            and image.min_ram >= ram and image.min_disk >= disk
            and (changed is None or (touched is not None and touched >= changed))
        )
    return passes


def routes(services: ApiServices) -> tuple[Route, ...]:
    """Answer the routes of images."""
    of, one = _Images(services), f"{_PATH}/{{id}}"
    old: dict[str, Any] = {"rule": RULE, "until": _LAST}
    return (
        Route(method="GET", path=_PATH, handler=of.index, query=schemas.LIST_QUERY, **old),
        Route(method="GET", path=f"{_PATH}/detail", handler=of.detail, query=schemas.LIST_QUERY, **old),
        Route(method="GET", path=one, handler=of.show, **old),
        Route(method="DELETE", path=one, handler=of.delete, status=204, **old),
    )
