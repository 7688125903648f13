"""Images: list, show, create, change, delete, tags, deactivate."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import orjson
from webob import Response

from novalike.api.http.application import Request, Route
from novalike.api.image import listing, patches, schemas, views
from novalike.exception import Invalid, NotFound
from novalike.image.local import rules
from novalike.image.local.service import LocalImages
from novalike.objects.image import Image


class Images:
    def __init__(self, images: LocalImages) -> None:
        self.images = images

    def routes(self) -> list[Route]:
        one = "/v2/images/{image_id}"
        return [
            Route(method="GET", path="/v2/images", handler=self.index, rule="get_images"),
            Route(method="POST", path="/v2/images", handler=self.create, rule="add_image", body=schemas.CREATE, status=201),
            Route(method="GET", path=one, handler=self.show, rule="get_image"),
            Route(method="GET", path=f"{one}/tasks", handler=self.tasks, rule="get_image"),
            Route(method="PATCH", path=one, handler=self.update, rule="modify_image", stream=True),
            Route(method="DELETE", path=one, handler=self.delete, rule="delete_image", status=204),
            Route(method="PUT", path=f"{one}/tags/{{tag}}", handler=self.add_tag, rule="modify_image", status=204),
            Route(method="DELETE", path=f"{one}/tags/{{tag}}", handler=self.remove_tag, rule="modify_image", status=204),
            Route(method="POST", path=f"{one}/actions/deactivate", handler=self.deactivate, rule="deactivate", status=204),
            Route(method="POST", path=f"{one}/actions/reactivate", handler=self.reactivate, rule="reactivate", status=204),
        ]

    def index(self, request: Request) -> dict[str, Any]:
        wanted = listing.wanted(request, self.images.section)
        found = self.images.list(request.context, wanted)
        given = [(key, value) for key, value in request.GET.items() if key != "marker"]
        page: dict[str, Any] = {
            "images": [views.image(image) for image in found], "schema": "/v2/schemas/images", "first": _address(given),
        }
        if wanted.limit and len(found) == wanted.limit:
            page["next"] = _address([*given, ("marker", found[-1].id)])
        return page

    def show(self, request: Request) -> dict[str, Any]:
        return views.image(self._find(request))

    def tasks(self, request: Request) -> dict[str, Any]:
        """An import is done when its request is answered: none ever waits."""
        self._find(request)
        return {"tasks": []}

    def create(self, request: Request) -> Response:
        given = dict(request.body_value)
        fields = {name: given.pop(name) for name in [*rules.SETTABLE] if name in given}
        image_id = given.pop("id", None) or str(uuid.uuid4())
        for name, value in given.items():
            rules.check_property(name, value)
        self._check_visibility(request, fields.get("visibility", "shared"), request.context.project_id)
        fields["tags"] = tuple(dict.fromkeys(fields.get("tags", ())))
        made = self.images.create(request.context, Image(**{"visibility": "shared", **fields}, id=image_id.lower(), properties=given))
        response = _json(views.image(made), status=201)
        response.headers["Location"] = f"{request.base_url}/v2/images/{made.id}"
        response.headers["OpenStack-image-import-methods"] = "glance-direct"
        return response

    def update(self, request: Request) -> dict[str, Any]:
        operations = patches.read(request)
        image = self._mine(request)
        changed = patches.apply(image, operations)
        if changed.visibility != image.visibility:
            self._check_visibility(request, changed.visibility, image.owner)
        return views.image(self.images.update(request.context, changed))

    def delete(self, request: Request) -> None:
        self.images.delete(request.context, self._mine(request).id)

    def add_tag(self, request: Request) -> None:
        image, tag = self._mine(request), request.path_args["tag"]
        if tag not in image.tags:
            self.images.update(request.context, replace(image, tags=(*image.tags, tag)))

    def remove_tag(self, request: Request) -> None:
        image, tag = self._mine(request), request.path_args["tag"]
        if tag not in image.tags:
            raise NotFound(f"Tag {tag[:255]} not found.")
        self.images.update(request.context, replace(image, tags=tuple(t for t in image.tags if t != tag)))

    def deactivate(self, request: Request) -> None:
        self.images.set_active(request.context, self._mine(request).id, active=False)

    def reactivate(self, request: Request) -> None:
        self.images.set_active(request.context, self._mine(request).id, active=True)

    def _find(self, request: Request) -> Image:
        return self.images.get(request.context, request.path_args["image_id"])

    def _mine(self, request: Request) -> Image:
        image = self.images.mine(request.context, request.path_args["image_id"])
        request.authorize(request.route.rule, {"project_id": image.owner, "user_id": None})
        return image

    @staticmethod
    def _check_visibility(request: Request, visibility: str, owner: str | None) -> None:
        rule = {"public": "publicize_image", "community": "communitize_image"}.get(visibility)
        if rule is not None:
            request.authorize(rule, {"project_id": owner, "user_id": None})


class Members:
    """With whom a shared image is shared."""

    def __init__(self, images: LocalImages) -> None:
        self.images = images

    def routes(self) -> list[Route]:
        path = "/v2/images/{image_id}/members"
        one = f"{path}/{{member_id}}"
        return [
            Route(method="GET", path=path, handler=self.index, rule="get_members"),
            Route(method="POST", path=path, handler=self.create, rule="add_member", body=schemas.MEMBER),
            Route(method="GET", path=one, handler=self.show, rule="get_member"),
            Route(method="PUT", path=one, handler=self.update, rule="modify_member", body=schemas.MEMBER_STATUS),
            Route(method="DELETE", path=one, handler=self.delete, rule="delete_member", status=204),
        ]

    def index(self, request: Request) -> dict[str, Any]:
        found = self.images.members.list(request.context, request.path_args["image_id"])
        return {"members": [views.member(member) for member in found], "schema": "/v2/schemas/members"}

    def create(self, request: Request) -> dict[str, Any]:
        member = request.body_value["member"]
        if not member.strip():
            raise Invalid("Invalid value for member: it is blank.")
        return views.member(self.images.members.add(request.context, request.path_args["image_id"], member))

    def show(self, request: Request) -> dict[str, Any]:
        return views.member(self.images.members.get(request.context, **request.path_args))

    def update(self, request: Request) -> dict[str, Any]:
        status = request.body_value["status"]
        return views.member(self.images.members.set_status(request.context, **request.path_args, status=status))

    def delete(self, request: Request) -> None:
        self.images.members.remove(request.context, **request.path_args)


def _address(parameters: list[tuple[str, str]]) -> str:
    return f"/v2/images?{urlencode(parameters)}" if parameters else "/v2/images"


def _json(value: Any, *, status: int) -> Response:
    response = Response(status=status, content_type="application/json", charset=None)
    response.body = orjson.dumps(value)
    return response
