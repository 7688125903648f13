"""/servers: create, list, show, change and delete."""

from __future__ import annotations

from typing import Any

import orjson
from webob import Response

from novalike.api.http.application import Request, Route
from novalike.api.openstack import paging, server_filters
from novalike.api.openstack.links import links
from novalike.api.openstack.schemas import servers as schemas
from novalike.api.openstack.schemas.names import boolean
from novalike.api.openstack.server_body import access_addresses, requested
from novalike.api.openstack.views import servers as views
from novalike.api.operations import delete as deletes
from novalike.api.operations import zones
from novalike.api.operations.create import Creator
from novalike.api.operations.servers import Servers
from novalike.api.services import ApiServices
from novalike.db import hosts, instance_lists, server_groups, tasks
from novalike.db.instance_lists import ServerRecord
from novalike.exception import Conflict, NotFound
from novalike.objects.instance import Instance
from novalike.objects.tasks import Task

_BASE = "os_compute_api:servers"
_COMPUTE = "novalike-compute"
#: On a server at which a durable task works: what it is, its step, and since and until when that may run.
TASK_HEADER = "X-Novalike-Task"


class _Servers:
    def __init__(self, services: ApiServices) -> None:
        self._services = services
        self._servers = Servers(services)
        self._creator = Creator(services)
        self._max_limit = services.conf.api.max_limit

    def index(self, request: Request) -> dict[str, Any]:
        order, found = self._page(request, brief=True)
        return self._answer(request, [views.brief(request, record) for record in found], found, order.limit)

    def detail(self, request: Request) -> dict[str, Any]:
        order, found = self._page(request, brief=False)
        view = views.ServerView(request, listed=True)
        uuids = [record.uuid for record in found]
        volumes: dict[str, Any] = {}
        statuses: dict[str, str] = {}
        if found:
            wants_status = views.wants_host_status(request)
            for database in self._services.cells:
                with database.read() as session:
                    volumes.update(instance_lists.volumes(session, uuids))
                    if wants_status:
                        statuses.update(self._statuses(session, {record.host for record in found if record.host}))
        shown = [view.render(record, volumes=volumes, statuses=statuses) for record in found]
        return self._answer(request, shown, found, order.limit)

    def _page(self, request: Request, *, brief: bool) -> tuple[instance_lists.Order, list[ServerRecord]]:
        order = server_filters.order(request, self._max_limit)
        filters = server_filters.read(request, all_tenants_rule=f"{_BASE}:{'index' if brief else 'detail'}:get_all_tenants")
        if filters is None:
            return order, []
        return order, instance_lists.page(self._services.cells, filters, order, brief=brief)

    @staticmethod
    def _answer(request: Request, shown: list[dict[str, Any]], found: list[ServerRecord], limit: int) -> dict[str, Any]:
        answer: dict[str, Any] = {"servers": shown}
        paging.add_next(request, answer, "servers", shown, limit, found[-1].uuid if found else None)
        return answer

    def _statuses(self, session: Any, names: set[str]) -> dict[str, str]:
        found = hosts.services_on(session, names, _COMPUTE, down_after=self._services.conf.service_down_time)
        return {service.host: views.host_status(service) for service in found}

    def show(self, request: Request) -> Response:
        shown, task = self._shown(request, request.path_args["id"], views.ServerView(request))
        response = Response(content_type="application/json", charset=None, body=orjson.dumps({"server": shown}))
        if task is not None:
            response.headers[TASK_HEADER] = views.task(task)
        return response

    def _shown(self, request: Request, uuid: str, view: views.ServerView) -> tuple[dict[str, Any], Task | None]:
        """Answer a server, and the durable task which works on it."""
        context = request.context
        if not 0 < len(uuid) <= 36:
            raise NotFound(f"Instance {uuid[:255]} could not be found.")
        with self._servers.cell_of(uuid).read() as session:
            found = instance_lists.show(session, uuid, project_id=None if context.is_admin else context.project_id or "")
            if found is None:
                raise NotFound(f"Instance {uuid} could not be found.")
            record, volumes = found
            task = tasks.of_instance(session, uuid) if record.task_state is not None else None
            statuses = self._statuses(session, {record.host}) if record.host and views.wants_host_status(request) else {}
        shown = view.render(record, volumes={uuid: volumes}, statuses=statuses)
        # A server remembers the group it was made for; whether that is still there, only the group tells.
        shared = self._services.cells.shared
        if shown.get("server_groups") and shared.fetch(server_groups.find, shown["server_groups"][0]) is None:
            shown["server_groups"] = []
        return shown, task

    def create(self, request: Request) -> Response:
        wanted = requested(request)
        created = self._creator.create(request.context, wanted)
        if boolean(request.body_value["server"].get("return_reservation_id", False)):
            return Response(
                status=202, content_type="application/json", charset=None,
                body=orjson.dumps({"reservation_id": created.reservation_id}),
            )
        first = created.instances[0]
        shown: dict[str, Any] = {
            "id": first.uuid, "links": links(request, "servers", first.uuid),
            "OS-DCF:diskConfig": "AUTO" if first.auto_disk_config else "MANUAL",
            "security_groups": [{"name": name} for name in first.security_groups],
        }
        if self._services.conf.api.enable_instance_password:
            shown["adminPass"] = created.admin_password.reveal()
        response = Response(status=202, content_type="application/json", charset=None, body=orjson.dumps({"server": shown}))
        response.headers["Location"] = shown["links"][0]["href"]
        return response

    def update(self, request: Request) -> dict[str, Any]:
        body: dict[str, Any] = request.body_value["server"]
        uuid = request.path_args["id"]
        before = self._servers.get(request.context, uuid)
        changes: dict[str, Any] = {
            field: body[name] for name, field in (
                ("name", "display_name"), ("description", "description"), ("hostname", "hostname"),
            ) if name in body
        } | access_addresses(body)
        if "OS-DCF:diskConfig" in body:
            changes["auto_disk_config"] = body["OS-DCF:diskConfig"] == "AUTO"
        if "pinned_availability_zone" in body:
            changes["requested_zone"] = self._pinned(before, body["pinned_availability_zone"])
        self._servers.change(request.context, uuid, lambda _: changes)
        return {"server": self._shown(request, uuid, views.ServerView(request, updated=True))[0]}

    def _pinned(self, instance: Instance, zone: str | None) -> str | None:
        if zone is not None:
            zones.check(self._services, self._services.cells.for_new_instance(), zones.Destination(zone=zone))
            if zone != instance.availability_zone:
                raise Conflict(f"Server {instance.uuid} is in another availability zone and cannot be pinned to {zone}.")
        return zone

    def delete(self, request: Request) -> None:
        instance = self._servers.get(request.context, request.path_args["id"])
        deletes.delete(self._services, request.context, instance, pass_lock=request.context.is_admin)


def routes(services: ApiServices) -> tuple[Route, ...]:
    """Answer the routes of servers."""
    of = _Servers(services)
    return (
        Route(method="GET", path="/servers", handler=of.index, rule=f"{_BASE}:index", query=schemas.LIST),
        Route(method="GET", path="/servers/detail", handler=of.detail, rule=f"{_BASE}:detail", query=schemas.LIST),
        Route(method="POST", path="/servers", handler=of.create, rule=f"{_BASE}:create", body=schemas.CREATE, status=202),
        Route(method="GET", path="/servers/{id}", handler=of.show, rule=f"{_BASE}:show", query=schemas.NOTHING),
        Route(method="PUT", path="/servers/{id}", handler=of.update, rule=f"{_BASE}:update", body=schemas.UPDATE),
        Route(method="DELETE", path="/servers/{id}", handler=of.delete, rule=f"{_BASE}:delete", status=204),
    )
