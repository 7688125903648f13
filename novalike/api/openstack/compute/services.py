"""/os-services: the daemons, and whether compute hosts take new servers."""

from __future__ import annotations

from typing import Any

from novalike.api.http.application import Request, Route
from novalike.api.http.schema import is_uuid
from novalike.api.openstack.schemas import services as schemas
from novalike.api.openstack.schemas.names import boolean
from novalike.api.openstack.views import services as views
from novalike.api.operations import resource_notices
from novalike.api.operations.hosts import Hosts
from novalike.api.services import ApiServices
from novalike.db.hosts import COMPUTE_BINARY
from novalike.exception import Invalid, NotFound
from novalike.objects.host import Service

_RULE = "os_compute_api:os-services"
#: Daemons which serve HTTP are not listed, as in Nova: nothing is placed on them and nobody disables them.
_HIDDEN = "novalike-api"


class _Services:
    def __init__(self, services: ApiServices) -> None:
        self._services = services
        self._hosts = Hosts(services)

    def index(self, request: Request) -> dict[str, Any]:
        binary = request.param("binary")
        found = self._hosts.list_services(host=request.param("host"), binary=views.stored_binary(binary) if binary else None)
        return {"services": [views.full(request.version, one) for one in found if not one.binary.startswith(_HIDDEN)]}

    def update(self, request: Request) -> dict[str, Any]:
        body, service = request.body_value, self._by_uuid(request.path_args["id"])
        _refuse_other_binaries(service.binary)
        status, reason = body.get("status"), body.get("disabled_reason")
        if reason is not None and status != "disabled":
            raise Invalid("Specifying disabled_reason is only allowed together with status 'disabled'.")
        if status is None and "forced_down" not in body:
            raise Invalid("No updates were requested. Fields 'status' or 'forced_down' should be specified.")
        changed = self._hosts.update_service(
            service.uuid, disabled=None if status is None else status == "disabled", disabled_reason=reason,
            forced_down=boolean(body["forced_down"]) if "forced_down" in body else None,
        )
        self._tell(request, "update", changed)
        return {"service": views.full(request.version, changed)}

    def enable(self, request: Request) -> dict[str, Any]:
        return self._old_update(request, "status", disabled=False)

    def disable(self, request: Request) -> dict[str, Any]:
        return self._old_update(request, "status", disabled=True)

    def disable_with_reason(self, request: Request) -> dict[str, Any]:
        return self._old_update(
            request, "status", "disabled_reason", disabled=True, disabled_reason=request.body_value["disabled_reason"],
        )

    def force_down(self, request: Request) -> dict[str, Any]:
        return self._old_update(request, "forced_down", forced_down=boolean(request.body_value["forced_down"]))

    def delete(self, request: Request) -> None:
        identifier = request.path_args["id"]
        if request.version >= views.BY_UUID:
            gone = self._hosts.delete_service(_uuid(identifier))
        elif identifier.isdecimal():
            gone = self._hosts.delete_service(int(identifier))
        else:
            raise Invalid(f"Invalid service id {identifier[:255]}: it must be an integer.")
        self._tell(request, "delete", gone)

    def _tell(self, request: Request, action: str, service: Service) -> None:
        resource_notices.service(self._services, request.context, action, service, views.shown_binary(service.binary))

    def _by_uuid(self, identifier: str) -> Service:
        return self._hosts.get_service(_uuid(identifier))

    def _old_update(self, request: Request, *shown: str, **changes: Any) -> dict[str, Any]:
        host, binary = request.body_value["host"], request.body_value["binary"]
        _refuse_other_binaries(views.stored_binary(binary))
        try:
            service = self._hosts.compute_service(host)
        except NotFound:
            raise NotFound(f"Could not find binary {binary} on host {host}.") from None
        changed = self._hosts.update_service(service.uuid, **changes)
        self._tell(request, "update", changed)
        row = views.full(request.version, changed)
        return {"service": {name: row[name] for name in ("host", "binary", *shown)}}


def _uuid(identifier: str) -> str:
    if not is_uuid(identifier):
        raise Invalid(f"Invalid uuid {identifier[:255]}")
    return identifier.lower()


def _refuse_other_binaries(binary: str) -> None:
    if binary != COMPUTE_BINARY:
        raise Invalid(
            f"Updating a {views.shown_binary(binary)} service is not supported. Only nova-compute services can be updated.",
        )


def routes(services: ApiServices) -> tuple[Route, ...]:
    """Answer the routes of services."""
    of, path, rule = _Services(services), "/os-services", f"{_RULE}:update"
    old: dict[str, Any] = {"method": "PUT", "rule": rule, "until": "2.52"}
    return (
        Route(method="GET", path=path, handler=of.index, rule=f"{_RULE}:list", query=schemas.SERVICES_QUERY),
        Route(**old, path=f"{path}/enable", handler=of.enable, body=schemas.OLD_UPDATE),
        Route(**old, path=f"{path}/disable", handler=of.disable, body=schemas.OLD_UPDATE),
        Route(
            **old, path=f"{path}/disable-log-reason", handler=of.disable_with_reason, body=schemas.OLD_DISABLE_WITH_REASON,
        ),
        Route(**old, path=f"{path}/force-down", handler=of.force_down, body=schemas.OLD_FORCE_DOWN, since="2.11"),
        Route(method="PUT", path=f"{path}/{{id}}", handler=of.update, rule=rule, body=schemas.UPDATE, since="2.53"),
        Route(method="DELETE", path=f"{path}/{{id}}", handler=of.delete, rule=f"{_RULE}:delete", status=204),
    )
