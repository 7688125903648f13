"""Limits of network resources."""

from __future__ import annotations

from typing import Any

from novalike.api.http.application import Request, Route
from novalike.api.network.attributes import FLAG, Attribute, flag
from novalike.api.network.wording import Body
from novalike.network import errors
from novalike.network.local.service import LocalNetworks
from novalike.network.local.store import RESOURCES

_LIMIT = {"type": ["integer", "string"], "pattern": r"^-?[0-9]{1,9}$", "minimum": -1, "maximum": 2147483647}
_CHECKS = ("check_limit", "force")
_UPDATE = Body("quota", None, (
    *(Attribute(name=name, schema=_LIMIT, update=True) for name in RESOURCES), *(Attribute(name=name, schema=FLAG, update=True) for name in _CHECKS),
), "update")


class Quotas:
    """Shows and sets limits. Projects see their own."""

    def __init__(self, local: LocalNetworks) -> None:
        self._quotas = local.quotas

    def routes(self) -> list[Route]:
        """Answer the routes of quotas."""
        one = "/v2.0/quotas/{id}"
        return [
            Route(method="GET", path="/v2.0/quotas", handler=self.index, rule="get_quotas"),
            Route(method="GET", path=one, handler=self.show, rule="get_quota"),
            Route(method="GET", path=f"{one}/default", handler=self.defaults, rule="get_quota"),
            Route(method="GET", path=f"{one}/details", handler=self.details, rule="get_quota"),
            Route(method="PUT", path=one, handler=self.update, rule="update_quota", body=_UPDATE),
            Route(method="DELETE", path=one, handler=self.delete, rule="delete_quota", status=204),
        ]

    def index(self, request: Request) -> dict[str, Any]:
        """List the projects with limits of their own."""
        return {"quotas": [
            {**self._quotas.limits(project_id), "project_id": project_id, "tenant_id": project_id} for project_id in self._quotas.projects()
        ]}

    def show(self, request: Request) -> dict[str, Any]:
        """Show a project's limits."""
        return {"quota": self._quotas.limits(_project(request, "get_quota"))}

    def defaults(self, request: Request) -> dict[str, Any]:
        """Show the limits of projects for which none were set."""
        _project(request, "get_quota")
        return {"quota": self._quotas.defaults()}

    def details(self, request: Request) -> dict[str, Any]:
        """Show a project's limits and what is used of them."""
        project_id = _project(request, "get_quota")
        limits, usage = self._quotas.limits(project_id), self._quotas.usage(project_id)
        return {"quota": {name: {"limit": limits[name], "used": usage[name], "reserved": 0} for name in limits}}

    def update(self, request: Request) -> dict[str, Any]:
        """Set limits of a project; with `check_limit` (and without `force`) none below what it has."""
        project_id = _project(request, "update_quota")
        given = request.body_value["quota"]
        limits = {name: max(-1, int(limit)) for name, limit in given.items() if name not in _CHECKS}
        if flag(given.get("check_limit")) and not flag(given.get("force")):
            used = self._quotas.usage(project_id)
            over = [f"{name} (used: {used[name]})" for name, limit in limits.items() if 0 <= limit < used[name]]
            if over:
                raise errors.InvalidQuotaValue(f"The project uses more than the new limit of: {', '.join(over)}.")
        self._quotas.set(project_id, limits)
        return {"quota": self._quotas.limits(project_id)}

    def delete(self, request: Request) -> None:
        """Go back to the configured limits."""
        self._quotas.reset(_project(request, "delete_quota"))


def _project(request: Request, rule: str) -> str:
    project_id = request.path_args["id"]
    request.authorize(rule, {"project_id": project_id})
    return project_id
