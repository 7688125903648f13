"""POST /servers/{id}/action: rebuild, rescue, unrescue, changePassword."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import orjson
from webob import Response

from novalike.api.http.application import Request, Route
from novalike.api.http.schema import is_uuid
from novalike.api.openstack.schemas import server_actions as schemas
from novalike.api.openstack.schemas import servers as server_schemas
from novalike.api.openstack.schemas.names import boolean
from novalike.api.openstack.server_body import access_addresses
from novalike.api.openstack.views import servers as views
from novalike.api.operations import lifecycle
from novalike.api.operations import rebuild as rebuilds
from novalike.api.operations import rescue as rescues
from novalike.api.operations.rebuild import RebuildServer
from novalike.api.operations.servers import Servers
from novalike.api.services import ApiServices
from novalike.db import hosts, instance_lists
from novalike.exception import Invalid, NotFound
from novalike.objects.instance import Instance
from novalike.objects.secret import Secret

_PATH = "/servers/{id}/action"
_API = "os_compute_api"
_COMPUTE = "novalike-compute"
#: Key of the body -> field of the server.
_FIELDS = {
    "description": "description", "hostname": "hostname", "user_data": "user_data", "metadata": "metadata",
}


class _Actions:
    def __init__(self, services: ApiServices) -> None:
        self._services = services
        self._servers = Servers(services)

    def _instance(self, request: Request) -> Instance:
        return self._servers.get(request.context, request.path_args["id"])

    def rebuild(self, request: Request) -> Response:
        instance = self._instance(request)
        password, changes = rebuilds.rebuild(self._services, request.context, instance, _requested(request))
        server = self._shown(request, instance.uuid, changes)
        if self._services.conf.api.enable_instance_password:
            server["adminPass"] = password.reveal()
        response = Response(status=202, content_type="application/json", charset=None, body=orjson.dumps({"server": server}))
        response.headers["Location"] = server["links"][0]["href"]
        return response

    def _shown(self, request: Request, uuid: str, changes: dict[str, Any]) -> dict[str, Any]:
        """Answer the server as it will be: its row changes with its disks."""
        with self._servers.cell_of(uuid).read() as session:
            shown = instance_lists.show(session, uuid)
            if shown is None:
                raise NotFound(f"Instance {uuid} could not be found.")
            row, volumes = shown
            statuses: dict[str, str] = {}
            if row.host and views.wants_host_status(request):
                found = hosts.services_on(session, {row.host}, _COMPUTE, down_after=self._services.conf.service_down_time)
                statuses = {service.host: views.host_status(service) for service in found}
        columns = {name: changes.get(name, getattr(row, name)) for name in instance_lists.SHOWN}
        document = {**row.document, **{name: value for name, value in changes.items() if name not in columns}}
        will_be = SimpleNamespace(**{**columns, "document": document})
        server = views.ServerView(request, updated=True).render(will_be, volumes={uuid: volumes}, statuses=statuses)  # type: ignore[arg-type]
        server.pop("OS-EXT-SRV-ATTR:user_data", None)
        if request.version >= (2, 54):
            server["key_name"] = will_be.key_name
        if request.version >= (2, 57):
            server["user_data"] = document.get("user_data")
        return server

    def rescue(self, request: Request) -> dict[str, Any]:
        body: dict[str, Any] = request.body_value["rescue"] or {}
        password = rescues.rescue(
            self._services, request.context, self._instance(request), body.get("rescue_image_ref"),
            Secret(body["adminPass"]) if body.get("adminPass") else None, volumes_allowed=request.version >= (2, 87),
        )
        return {"adminPass": password.reveal()} if self._services.conf.api.enable_instance_password else {}

    def unrescue(self, request: Request) -> None:
        lifecycle.act(self._services, request.context, self._instance(request), "unrescue", pass_lock=request.context.is_admin)

    def change_password(self, request: Request) -> None:
        password = Secret(request.body_value["changePassword"]["adminPass"])
        rescues.change_password(self._services, request.context, self._instance(request), password)


def _requested(request: Request) -> RebuildServer:
    body: dict[str, Any] = request.body_value["rebuild"]
    if body.get("trusted_image_certificates"):
        request.authorize(f"{_API}:servers:rebuild:trusted_certs")
    image_id = body["imageRef"].rstrip("/").rpartition("/")[2]
    if not is_uuid(image_id):
        raise Invalid("Invalid imageRef provided.")
    changes = {field: body[key] for key, field in _FIELDS.items() if key in body} | access_addresses(body)
    if "name" in body:
        changes["display_name"] = body["name"].strip()
    return RebuildServer(
        image_id=image_id, changes=changes, key="key_name" in body, key_name=body.get("key_name"),
        files=tuple((file["path"], file["contents"]) for file in body.get("personality", ())),
        admin_password=Secret(body["adminPass"]) if body.get("adminPass") else None,
        auto_disk_config=body["OS-DCF:diskConfig"] == "AUTO" if "OS-DCF:diskConfig" in body else None,
        trusted_certificates=tuple(body["trusted_image_certificates"]) if body.get("trusted_image_certificates") else None,
        preserve_ephemeral=boolean(body.get("preserve_ephemeral", False)),
        zero_disk_allowed=request.allowed(f"{_API}:servers:create:zero_disk_flavor"), volumes_allowed=request.version >= (2, 93),
    )


def routes(services: ApiServices) -> tuple[Route, ...]:
    """Answer the routes of actions which give a server other disks or another password."""
    of = _Actions(services)

    def action(word: str, handler: Any, rule: str, body: Any, *, status: int = 202) -> Route:
        return Route(
            method="POST", path=_PATH, action=word, handler=handler, rule=f"{_API}:{rule}", body=body, status=status,
        )
    return (
        action("rebuild", of.rebuild, "servers:rebuild", server_schemas.REBUILD),
        action("rescue", of.rescue, "os-rescue", schemas.RESCUE, status=200),
        action("unrescue", of.unrescue, "os-unrescue", schemas.UNRESCUE),
        action("changePassword", of.change_password, "os-admin-password", schemas.CHANGE_PASSWORD),
    )
