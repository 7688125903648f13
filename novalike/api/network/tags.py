"""Tags of everything that has them."""

from __future__ import annotations

from typing import Any

from novalike.api.http.application import Request, Route
from novalike.api.http.schema import Field, Object
from novalike.network import errors
from novalike.network.local.service import LocalNetworks
from novalike.network.local.tags import COLLECTIONS

MAX_LENGTH = 255
_BODY = Object({"tags": Field({"type": "array", "maxItems": 100, "items": {"type": "string", "minLength": 1, "maxLength": MAX_LENGTH}}, required=True)})


class Tags:
    """The tags of one collection's things."""

    def __init__(self, local: LocalNetworks, collection: str) -> None:
        self._tags = local.tags
        self._collection = collection

    def routes(self) -> list[Route]:
        """Answer the routes."""
        many = f"/v2.0/{self._collection}/{{id}}/tags"
        one = f"{many}/{{tag}}"
        return [
            Route(method="GET", path=many, handler=self.index, rule="get_tags"),
            Route(method="PUT", path=many, handler=self.replace, rule="update_tags", body=_BODY),
            Route(method="DELETE", path=many, handler=self.clear, rule="delete_tags", status=204),
            Route(method="GET", path=one, handler=self.show, rule="get_tags", status=204),
            Route(method="PUT", path=one, handler=self.add, rule="update_tags", status=201),
            Route(method="DELETE", path=one, handler=self.remove, rule="delete_tags", status=204),
        ]

    def index(self, request: Request) -> dict[str, Any]:
        """List a thing's tags."""
        return {"tags": list(self._tags.of(request.context, self._collection, request.path_args["id"]))}

    def replace(self, request: Request) -> dict[str, Any]:
        """Give a thing these tags and no others."""
        return {"tags": list(self._tags.set(request.context, self._collection, request.path_args["id"], request.body_value["tags"]))}

    def clear(self, request: Request) -> None:
        """Take all tags off a thing."""
        self._tags.set(request.context, self._collection, request.path_args["id"], [])

    def show(self, request: Request) -> None:
        """Tell whether a thing has a tag."""
        if request.path_args["tag"] not in self._tags.of(request.context, self._collection, request.path_args["id"]):
            raise errors.TagNotFound(f"Tag {request.path_args['tag'][:MAX_LENGTH]} could not be found.")

    def add(self, request: Request) -> None:
        """Put a tag on a thing."""
        if len(request.path_args["tag"]) > MAX_LENGTH:
            raise errors.InvalidInput(f"A tag has {MAX_LENGTH} characters at most.")
        self._tags.add(request.context, self._collection, request.path_args["id"], request.path_args["tag"])

    def remove(self, request: Request) -> None:
        """Take a tag off a thing."""
        self._tags.remove(request.context, self._collection, request.path_args["id"], request.path_args["tag"])


def routes(local: LocalNetworks) -> list[Route]:
    """Answer the routes of all collections' tags."""
    return [route for collection in COLLECTIONS for route in Tags(local, collection).routes()]
