"""The network agents, as their heartbeats show them."""

from __future__ import annotations

from typing import Any

from novalike.api.http.application import Request, Route
from novalike.api.http.query import TEXT, Parameter, Query
from novalike.api.network import routers
from novalike.api.network.attributes import FLAG, Attribute, flag
from novalike.api.network.resources import ZONE
from novalike.api.network.wording import Body
from novalike.api.services import ApiServices
from novalike.db import hosts
from novalike.exception import Conflict, Invalid
from novalike.network import errors
from novalike.network.local.service import LocalNetworks
from novalike.network.local.store import AGENT
from novalike.objects.host import Service

_ATTRIBUTES = (
    Attribute(name="admin_state_up", schema=FLAG, update=True),
    *(Attribute(name=name) for name in (
        "id", "agent_type", "binary", "host", "topic", "alive", "availability_zone", "configurations", "description",
        "heartbeat_timestamp", "resources_synced",
    )),
)
_FILTERS = ("id", "agent_type", "binary", "host", "topic", "alive", "admin_state_up", "availability_zone", "description")


class Agents:
    """Lists agents and switches them on and off: routers leave a disabled one. To others than administrators there are none."""

    def __init__(self, services: ApiServices) -> None:
        self._local: LocalNetworks = services.local["network"]
        self._cells = services.cells
        self._down_after = services.conf.service_down_time

    def routes(self) -> list[Route]:
        """Answer the routes."""
        one = "/v2.0/agents/{id}"
        query = Query({name: Parameter(TEXT) for name in (*_FILTERS, "fields", "sort_key", "sort_dir", "limit", "marker", "page_reverse")})
        return [
            Route(method="GET", path="/v2.0/agents", handler=self.index, rule="get_network_extensions", query=query),
            Route(method="GET", path=one, handler=self.show, rule="get_network_extensions", query=Query({"fields": Parameter(TEXT)})),
            Route(method="PUT", path=one, handler=self.update, rule="update_agent", body=Body("agent", None, _ATTRIBUTES, "update")),
            Route(method="DELETE", path=one, handler=self.delete, rule="delete_agent", status=204),
            Route(method="GET", path="/v2.0/routers/{id}/l3-agents", handler=self.of_router, rule="get_l3-agents", query=Query({"fields": Parameter(TEXT)})),
            Route(method="GET", path=f"{one}/l3-routers", handler=self.routers, rule="get_l3-routers", query=Query({"fields": Parameter(TEXT)})),
        ]

    def index(self, request: Request) -> dict[str, Any]:
        """List them."""
        unknown = sorted(name[:255] for name in request.GET.keys() - request.params_given.keys())
        if unknown:
            raise Invalid(f"{unknown} is invalid attribute for filtering")
        shown = [_agent(service) for _, service in self._found(request)]
        return {"agents": [_chosen(request, agent) for agent in shown if all(
            _has(agent[name], request.params_given[name]) for name in _FILTERS if name in request.params_given
        )]}

    def show(self, request: Request) -> dict[str, Any]:
        """Show one."""
        return {"agent": _chosen(request, _agent(self._one(request)[1]))}

    def update(self, request: Request) -> dict[str, Any]:
        """Switch one on or off."""
        cell, service = self._one(request)
        enabled = request.body_value["agent"].get("admin_state_up")
        if enabled is not None:
            service = cell.write(hosts.update_service, service.uuid, down_after=self._down_after, disabled=not flag(enabled))
        return {"agent": _agent(service)}

    def of_router(self, request: Request) -> dict[str, Any]:
        """Show which agent a router runs at: one, or none."""
        host = self._local.routers.get(request.context, request.path_args["id"]).host
        return {"agents": [_chosen(request, {**_agent(service), "ha_state": None}) for _, service in self._found(request) if service.host == host]}

    def routers(self, request: Request) -> dict[str, Any]:
        """List the routers which run at an agent."""
        found = self._local.routers.on_host(self._one(request)[1].host)
        return {"routers": routers.collection(self._local).render(request, found)}

    def delete(self, request: Request) -> None:
        """Forget one which is dead. One that lives would be back with its next heartbeat."""
        cell, service = self._one(request)
        if service.up:
            raise Conflict(f"Agent {service.uuid} is alive; stop it first.")
        cell.write(hosts.delete_service, service.uuid)

    def _one(self, request: Request) -> tuple[Any, Service]:
        wanted = request.path_args["id"]
        found = next((each for each in self._found(request) if each[1].uuid == wanted), None)
        if found is None:
            raise errors.AgentNotFound(f"Agent {wanted[:255]} could not be found.")
        return found

    def _found(self, request: Request) -> list[tuple[Any, Service]]:
        if not request.allowed("get_agent"):
            return []
        return [
            (cell, service) for cell in self._cells
            for service in cell.fetch(hosts.list_services, binary=AGENT, down_after=self._down_after)
        ]


def _has(value: Any, wanted: list[str]) -> bool:
    if isinstance(value, bool):
        return any(flag(text) == value for text in wanted)
    return value is not None and str(value) in wanted


def _chosen(request: Request, agent: dict[str, Any]) -> dict[str, Any]:
    fields = request.params_given.get("fields")
    return agent if not fields else {name: value for name, value in agent.items() if name in fields}


def _agent(service: Service) -> dict[str, Any]:
    return {
        "id": service.uuid, "agent_type": "Network agent", "binary": AGENT, "host": service.host, "topic": "network",
        "alive": service.up, "admin_state_up": not service.disabled, "availability_zone": ZONE, "configurations": {},
        "description": None, "heartbeat_timestamp": str(service.updated_at or "")[:19], "resources_synced": None,
    }
