"""/images/{image_id}/metadata until 2.38: the properties of images in the image service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from novalike.api.http.application import Request, Route
from novalike.api.openstack.schemas import server_metadata as schemas
from novalike.api.operations import quotas
from novalike.api.services import ApiServices
from novalike.db import quotas as quota_rows
from novalike.exception import Invalid, NotFound, OverQuota
from novalike.objects.image import Image
from novalike.objects.quota import UNLIMITED

_RULE, _PATH, _LAST = "os_compute_api:images", "/images/{image_id}/metadata", "2.38"


class _ImageMetadata:
    def __init__(self, services: ApiServices) -> None:
        self._services = services
        self._images = services.images

    def _image(self, request: Request) -> Image:
        image_id = request.path_args["image_id"]
        try:
            if len(image_id) <= 36:
                return self._images.get(request.context, image_id)
        except NotFound:
            pass
        raise NotFound("Image not found.")

    def index(self, request: Request) -> dict[str, Any]:
        return {"metadata": self._image(request).properties}

    def show(self, request: Request) -> dict[str, Any]:
        key, properties = request.path_args["id"], self._image(request).properties
        if key not in properties:
            raise _missing()
        return {"meta": {key: properties[key]}}

    def create(self, request: Request) -> dict[str, Any]:
        image = self._image(request)
        return {"metadata": self._store(request, image, {**image.properties, **request.body_value["metadata"]})}

    def update_all(self, request: Request) -> dict[str, Any]:
        return {"metadata": self._store(request, self._image(request), request.body_value["metadata"])}

    def update(self, request: Request) -> dict[str, Any]:
        given = request.body_value["meta"]
        if request.path_args["id"] not in given:
            raise Invalid("Request body and URI mismatch")
        image = self._image(request)
        self._store(request, image, {**image.properties, **given})
        return {"meta": given}

    def delete(self, request: Request) -> None:
        key, image = request.path_args["id"], self._image(request)
        if key not in image.properties:
            raise _missing()
        kept = {name: value for name, value in image.properties.items() if name != key}
        self._images.set_properties(request.context, image.id, kept)

    def _store(self, request: Request, image: Image, wanted: Mapping[str, str]) -> dict[str, str]:
        ctxt = request.context
        with self._services.cells.shared.read() as session:
            most = quota_rows.limits(
                session, ctxt.project_id or "", ctxt.user_id, quotas.defaults(self._services.conf.quota),
            )["metadata_items"]
        if most != UNLIMITED and len(wanted) > most:
            raise OverQuota("Image metadata limit exceeded", overs=("metadata_items",))
        return self._images.set_properties(ctxt, image.id, wanted).properties


def _missing() -> NotFound:
    return NotFound("Metadata item was not found")


def routes(services: ApiServices) -> tuple[Route, ...]:
    """Answer the routes of images' metadata."""
    of, one = _ImageMetadata(services), f"{_PATH}/{{id}}"
    old: dict[str, Any] = {"rule": _RULE, "until": _LAST}
    return (
        Route(method="GET", path=_PATH, handler=of.index, **old),
        Route(method="POST", path=_PATH, handler=of.create, body=schemas.CREATE, **old),
        Route(method="PUT", path=_PATH, handler=of.update_all, body=schemas.UPDATE_ALL, **old),
        Route(method="GET", path=one, handler=of.show, **old),
        Route(method="PUT", path=one, handler=of.update, body=schemas.UPDATE, **old),
        Route(method="DELETE", path=one, handler=of.delete, status=204, **old),
    )
