"""/servers/{server_id}/tags: words by which servers are found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from webob import Response

from novalike.api.http.application import Request, Route
from novalike.api.openstack.schemas import server_metadata as schemas
from novalike.api.openstack.schemas.servers import NOTHING
from novalike.api.operations.servers import Servers, check_lock
from novalike.api.services import ApiServices
from novalike.exception import Invalid, NotFound
from novalike.objects.instance import Instance

_BASE = "os_compute_api:os-server-tags"
_PATH = "/servers/{server_id}/tags"
_SINCE = "2.26"
MOST_TAGS = 50
LONGEST_TAG = 60
_Tags = tuple[str, ...]


class _Tagging:
    def __init__(self, services: ApiServices) -> None:
        self._servers = Servers(services)

    def _instance(self, request: Request) -> Instance:
        return self._servers.get(request.context, request.path_args["server_id"])

    def index(self, request: Request) -> dict[str, Any]:
        return {"tags": list(self._instance(request).tags)}

    def show(self, request: Request) -> None:
        instance, tag = self._instance(request), request.path_args["id"]
        if tag not in instance.tags:
            raise _missing(instance, tag)

    def update_all(self, request: Request) -> dict[str, Any]:
        wanted: list[str] = request.body_value["tags"]
        return {"tags": list(self._change(request, lambda _: tuple(dict.fromkeys(wanted))))}

    def update(self, request: Request) -> Response:
        tag = _checked(request.path_args["id"])
        added = False

        def add(now: Instance) -> _Tags:
            nonlocal added
            added = tag not in now.tags
            if added and len(now.tags) >= MOST_TAGS:
                raise Invalid(f"The number of tags exceeded the per-server limit {MOST_TAGS}")
            return (*now.tags, tag) if added else now.tags
        self._change(request, add)
        response = Response(status=201 if added else 204)
        if added:
            response.headers["Location"] = f"{request.base_url}/servers/{request.path_args['server_id']}/tags/{tag}"
        return response

    def delete(self, request: Request) -> None:
        tag = request.path_args["id"]

        def remove(now: Instance) -> _Tags:
            if tag not in now.tags:
                raise _missing(now, tag)
            return tuple(other for other in now.tags if other != tag)
        self._change(request, remove)

    def delete_all(self, request: Request) -> None:
        self._change(request, lambda _: ())

    def _change(self, request: Request, apply: Callable[[Instance], _Tags]) -> _Tags:
        def change(instance: Instance) -> dict[str, Any]:
            check_lock(instance, pass_lock=request.context.is_admin)
            return {"tags": apply(instance)}
        return self._servers.change(request.context, self._instance(request).uuid, change).tags


def _checked(tag: str) -> str:
    if len(tag) > LONGEST_TAG:
        raise Invalid(f"Tag {tag[:LONGEST_TAG]}... is longer than {LONGEST_TAG} characters.")
    if "," in tag or "/" in tag:
        raise Invalid(f"Tag '{tag}' must not contain '/' or ','.")
    return tag


def _missing(instance: Instance, tag: str) -> NotFound:
    return NotFound(f"Server {instance.uuid} has no tag '{tag[:LONGEST_TAG]}'")


def routes(services: ApiServices) -> tuple[Route, ...]:
    """Answer the routes of servers' tags."""
    of = _Tagging(services)
    one = f"{_PATH}/{{id}}"
    return (
        Route(method="GET", path=_PATH, handler=of.index, rule=f"{_BASE}:index", query=NOTHING, since=_SINCE),
        Route(method="PUT", path=_PATH, handler=of.update_all, rule=f"{_BASE}:update_all", body=schemas.REPLACE_TAGS, since=_SINCE),
        Route(method="DELETE", path=_PATH, handler=of.delete_all, rule=f"{_BASE}:delete_all", status=204, since=_SINCE),
        Route(method="GET", path=one, handler=of.show, rule=f"{_BASE}:show", status=204, query=NOTHING, since=_SINCE),
        Route(method="PUT", path=one, handler=of.update, rule=f"{_BASE}:update", since=_SINCE),
        Route(method="DELETE", path=one, handler=of.delete, rule=f"{_BASE}:delete", status=204, since=_SINCE),
    )
