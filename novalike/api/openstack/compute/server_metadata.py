"""/servers/{server_id}/metadata: free keys and values of a server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from novalike.api.http.application import Request, Route
from novalike.api.openstack.schemas import server_metadata as schemas
from novalike.api.openstack.schemas.servers import NOTHING
from novalike.api.operations import quotas
from novalike.api.operations.create import check_metadata_count
from novalike.api.operations.servers import Servers, check_metadata_state
from novalike.api.services import ApiServices
from novalike.db import quotas as quota_rows
from novalike.exception import Invalid, NotFound
from novalike.objects.instance import Instance

_BASE = "os_compute_api:server-metadata"
_PATH = "/servers/{server_id}/metadata"
_Metadata = dict[str, str]


class _ServerMetadata:
    def __init__(self, services: ApiServices) -> None:
        self._services = services
        self._servers = Servers(services)

    def _instance(self, request: Request) -> Instance:
        return self._servers.get(request.context, request.path_args["server_id"])

    def index(self, request: Request) -> dict[str, Any]:
        return {"metadata": self._instance(request).metadata}

    def show(self, request: Request) -> dict[str, Any]:
        key = request.path_args["id"]
        metadata = self._instance(request).metadata
        if key not in metadata:
            raise _missing()
        return {"meta": {key: metadata[key]}}

    def create(self, request: Request) -> dict[str, Any]:
        given: _Metadata = request.body_value["metadata"]
        return {"metadata": self._change(request, lambda now: {**now, **given})}

    def update_all(self, request: Request) -> dict[str, Any]:
        given: _Metadata = request.body_value["metadata"]
        return {"metadata": self._change(request, lambda _: dict(given))}

    def update(self, request: Request) -> dict[str, Any]:
        given: _Metadata = request.body_value["meta"]
        if request.path_args["id"] not in given:
            raise Invalid("Request body and URI mismatch")
        self._change(request, lambda now: {**now, **given})
        return {"meta": given}

    def delete(self, request: Request) -> None:
        key = request.path_args["id"]

        def without(now: _Metadata) -> _Metadata:
            if key not in now:
                raise _missing()
            return {name: value for name, value in now.items() if name != key}
        self._change(request, without, action="delete_instance_metadata")

    def _change(
        self, request: Request, apply: Callable[[_Metadata], _Metadata], *, action: str = "update_instance_metadata",
    ) -> _Metadata:
        before = self._instance(request)
        with self._services.cells.shared.read() as session:
            limits = quota_rows.limits(
                session, before.project_id, before.user_id, quotas.defaults(self._services.conf.quota),
            )

        def change(instance: Instance) -> dict[str, Any]:
            check_metadata_state(instance, action, pass_lock=request.context.is_admin)
            wanted = apply(dict(instance.metadata))
            if len(wanted) > len(instance.metadata):
                check_metadata_count(len(wanted), limits)
            return {"metadata": wanted}
        return self._servers.change(request.context, before.uuid, change).metadata


def _missing() -> NotFound:
    return NotFound("Metadata item was not found")


def routes(services: ApiServices) -> tuple[Route, ...]:
    """Answer the routes of servers' metadata."""
    of = _ServerMetadata(services)
    one = f"{_PATH}/{{id}}"
    return (
        Route(method="GET", path=_PATH, handler=of.index, rule=f"{_BASE}:index", query=NOTHING),
        Route(method="POST", path=_PATH, handler=of.create, rule=f"{_BASE}:create", body=schemas.CREATE),
        Route(method="PUT", path=_PATH, handler=of.update_all, rule=f"{_BASE}:update_all", body=schemas.UPDATE_ALL),
        Route(method="GET", path=one, handler=of.show, rule=f"{_BASE}:show", query=NOTHING),
        Route(method="PUT", path=one, handler=of.update, rule=f"{_BASE}:update", body=schemas.UPDATE),
        Route(method="DELETE", path=one, handler=of.delete, rule=f"{_BASE}:delete", status=204),
    )
