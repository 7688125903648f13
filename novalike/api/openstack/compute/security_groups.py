"""/os-security-groups and /os-security-group-rules until 2.35: the network service's groups as nova-network had them."""

from __future__ import annotations

from typing import Any

from novalike.api.http.application import Request, Route
from novalike.api.openstack.schemas import security_groups as schemas
from novalike.api.openstack.views import security_groups as views
from novalike.api.operations import security_groups as operations
from novalike.api.services import ApiServices

_RULE = "os_compute_api:os-security-groups"
_LAST = "2.35"
_TRUE = {"1", "t", "true", "on", "y", "yes"}


class _SecurityGroups:
    def __init__(self, services: ApiServices) -> None:
        self._services = services
        self._most = services.conf.api.max_limit

    def index(self, request: Request) -> dict[str, Any]:
        ctxt = request.context
        everybody = ctxt.is_admin and (request.param("all_tenants") or "").lower() in _TRUE
        found, sources = operations.of_project(self._services, ctxt, everybody=everybody)
        first = int(request.param("offset") or 0)
        most = min(int(request.param("limit") or 0) or self._most, self._most)
        return {"security_groups": [views.full(group, sources) for group in found[first:first + most]]}

    def show(self, request: Request) -> dict[str, Any]:
        group, sources = operations.get(self._services, request.context, request.path_args["id"])
        return {"security_group": views.full(group, sources)}

    def create(self, request: Request) -> dict[str, Any]:
        wanted = request.body_value["security_group"]
        group = operations.create(self._services, request.context, wanted["name"], wanted["description"])
        return {"security_group": views.full(group, {})}

    def update(self, request: Request) -> dict[str, Any]:
        wanted = request.body_value["security_group"]
        group, sources = operations.rename(
            self._services, request.context, request.path_args["id"], wanted["name"], wanted["description"],
        )
        return {"security_group": views.full(group, sources)}

    def delete(self, request: Request) -> None:
        operations.delete(self._services, request.context, request.path_args["id"])

    def create_rule(self, request: Request) -> dict[str, Any]:
        wanted = request.body_value["security_group_rule"]
        rule, sources = operations.create_rule(self._services, request.context, operations.WantedRule(
            parent_group_id=wanted["parent_group_id"], group_id=wanted.get("group_id"), cidr=wanted.get("cidr"),
            ip_protocol=wanted.get("ip_protocol"), from_port=_number(wanted.get("from_port")), to_port=_number(wanted.get("to_port")),
        ))
        return {"security_group_rule": views.rule(rule, sources)}

    def delete_rule(self, request: Request) -> None:
        operations.delete_rule(self._services, request.context, request.path_args["id"])


def _number(given: Any) -> int | None:
    return None if given is None else int(given)


def routes(services: ApiServices) -> tuple[Route, ...]:
    """Answer the routes of security groups and their rules."""
    of, path, one = _SecurityGroups(services), "/os-security-groups", "/os-security-groups/{id}"
    rules = "/os-security-group-rules"
    return (
        Route(method="GET", path=path, handler=of.index, rule=f"{_RULE}:get", query=schemas.LIST_QUERY, until=_LAST),
        Route(method="POST", path=path, handler=of.create, rule=f"{_RULE}:create", body=schemas.GROUP, until=_LAST),
        Route(method="GET", path=one, handler=of.show, rule=f"{_RULE}:show", until=_LAST),
        Route(method="PUT", path=one, handler=of.update, rule=f"{_RULE}:update", body=schemas.GROUP, until=_LAST),
        Route(method="DELETE", path=one, handler=of.delete, rule=f"{_RULE}:delete", status=202, until=_LAST),
        Route(method="POST", path=rules, handler=of.create_rule, rule=f"{_RULE}:rule:create", body=schemas.RULE, until=_LAST),
        Route(
            method="DELETE", path=f"{rules}/{{id}}", handler=of.delete_rule, rule=f"{_RULE}:rule:delete", status=202, until=_LAST,
        ),
    )
