"""/servers/{server_id}/os-volume_attachments: a server's volumes."""

from __future__ import annotations

from typing import Any

from novalike.api.http.application import Request, Route
from novalike.api.openstack import paging
from novalike.api.openstack.schemas import devices as schemas
from novalike.api.openstack.schemas.names import boolean
from novalike.api.openstack.views import devices as views
from novalike.api.operations import devices
from novalike.api.operations.servers import Servers
from novalike.api.services import ApiServices
from novalike.exception import Conflict, Invalid
from novalike.objects.block_device import BlockDevice
from novalike.objects.instance import Instance
from novalike.objects.states import VmState

_BASE = "os_compute_api:os-volumes-attachments"
_PATH = "/servers/{server_id}/os-volume_attachments"
_SHELVED = frozenset({VmState.SHELVED, VmState.SHELVED_OFFLOADED})


class _Attachments:
    def __init__(self, services: ApiServices) -> None:
        self._services = services
        self._servers = Servers(services)
        self._max_limit = services.conf.api.max_limit

    def _instance(self, request: Request) -> Instance:
        return self._servers.get(request.context, request.path_args["server_id"])

    def _changeable(self, request: Request, action: str) -> Instance:
        """Answer the server whose volumes are to change; shelved ones have theirs changed since 2.20."""
        instance = self._instance(request)
        if request.version < (2, 20) and instance.vm_state in _SHELVED:
            raise Conflict(f"Cannot '{action}' instance {instance.uuid} while it is in vm_state {instance.vm_state}")
        return instance

    def index(self, request: Request) -> dict[str, Any]:
        instance = self._instance(request)
        found = devices.volumes_of(self._services, instance)
        start, most = int(request.param("offset") or 0), paging.limit(request, self._max_limit)
        return {"volumeAttachments": [views.volume(request, instance.uuid, device) for device in found[start:start + most]]}

    def show(self, request: Request) -> dict[str, Any]:
        instance = self._instance(request)
        device = devices.volume_of(self._services, instance, request.path_args["id"])
        return {"volumeAttachment": views.volume(request, instance.uuid, device)}

    def create(self, request: Request) -> dict[str, Any]:
        instance, device = self._attach(request)
        return {"volumeAttachment": views.volume(request, instance.uuid, device, attached=True)}

    def create_later(self, request: Request) -> None:
        self._attach(request)

    def _attach(self, request: Request) -> tuple[Instance, BlockDevice]:
        instance, body = self._changeable(request, "attach_volume"), request.body_value["volumeAttachment"]
        return instance, devices.attach_volume(
            self._services, request.context, instance, body["volumeId"], device_name=body.get("device"), tag=body.get("tag"),
            delete_on_termination=boolean(body.get("delete_on_termination", False)), multiattach=request.version >= (2, 60),
        )

    def swap(self, request: Request) -> None:
        devices.swap_volume(
            self._services, request.context, self._swapping(request), request.path_args["id"],
            request.body_value["volumeAttachment"]["volumeId"],
        )

    def _swapping(self, request: Request) -> Instance:
        """Answer the server; the volume service, which asks for this when it moves a volume, has none in its own project."""
        everywhere = "service" in request.context.roles
        return self._servers.get(request.context, request.path_args["server_id"], everywhere=everywhere)

    def update(self, request: Request) -> None:
        body, volume_id = request.body_value["volumeAttachment"], request.path_args["id"]
        swaps = body["volumeId"] != volume_id
        request.authorize(f"{_BASE}:{'swap' if swaps else 'update'}")
        instance = self._swapping(request) if swaps else self._instance(request)
        device = devices.volume_of(self._services, instance, volume_id)
        fixed = {"id": volume_id, "serverId": instance.uuid, "device": device.device_name, "tag": device.tag}
        for name, value in fixed.items():
            if name in body and body[name] != value:
                raise Invalid(f"The {name} property is not mutable")
        if "delete_on_termination" in body:
            devices.keep_or_delete(
                self._services, instance, volume_id, delete_on_termination=boolean(body["delete_on_termination"]),
            )
        if swaps:
            self.swap(request)

    def delete(self, request: Request) -> None:
        instance = self._changeable(request, "detach_volume")
        devices.detach_volume(self._services, request.context, instance, request.path_args["id"])


def routes(services: ApiServices) -> tuple[Route, ...]:
    """Answer the routes of servers' volumes."""
    of = _Attachments(services)
    one = f"{_PATH}/{{id}}"

    def create(handler: Any, **more: Any) -> Route:
        return Route(method="POST", path=_PATH, handler=handler, rule=f"{_BASE}:create", body=schemas.ATTACH_VOLUME, **more)

    def update(handler: Any, rule: str, **more: Any) -> Route:
        return Route(
            method="PUT", path=one, handler=handler, rule=f"{_BASE}:{rule}", body=schemas.UPDATE_VOLUME, status=202, **more,
        )
    return (
        Route(method="GET", path=_PATH, handler=of.index, rule=f"{_BASE}:index", query=schemas.LIST_VOLUMES),
        create(of.create, until="2.100"),
        create(of.create_later, since="2.101", status=202),
        Route(method="GET", path=one, handler=of.show, rule=f"{_BASE}:show"),
        update(of.swap, "swap", until="2.84"),
        update(of.update, "update_or_swap", since="2.85"),
        Route(method="DELETE", path=one, handler=of.delete, rule=f"{_BASE}:delete", status=202),
    )
