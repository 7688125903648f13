"""/os-hosts: the hosts of daemons, as administrators saw them until 2.42 (os-services and os-hypervisors since).

Enabling and disabling is done on the compute service. No driver of ours empties hosts or switches them on and off.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from novalike.api.http.application import Request, Route
from novalike.api.openstack.schemas import hosts as schemas
from novalike.api.openstack.views import services as service_views
from novalike.api.operations import resource_notices
from novalike.api.operations.hosts import Hosts
from novalike.api.services import ApiServices
from novalike.exception import Invalid, NotBuilt, NotFound
from novalike.hardware.capacity import Amounts
from novalike.objects.host import Service

_PATH, _RULE, _LAST = "/os-hosts", "os_compute_api:os-hosts", "2.42"
#: Daemons which only answer requests are no hosts of anything.
_HIDDEN = ("novalike-api", "nova-osapi_compute", "nova-metadata")


class _OldHosts:
    def __init__(self, services: ApiServices) -> None:
        self._services = services
        self._hosts = Hosts(services)

    def index(self, request: Request) -> dict[str, Any]:
        zone = request.param("zone")
        return {"hosts": [
            {"host_name": one.host, "service": one.topic, "zone": one.availability_zone}
            for one in self._hosts.list_services()
            if not one.disabled and not one.binary.startswith(_HIDDEN) and zone in (None, "", one.availability_zone)
        ]}

    def show(self, request: Request) -> dict[str, Any]:
        host = request.path_args["id"]
        node, projects = self._hosts.of_host(host)
        has = node.inventory
        held = sum(projects.values(), Amounts())
        rows = {
            "(total)": Amounts(has.vcpus, has.memory_mb, has.local_gb),
            "(used_now)": Amounts(node.vcpus_used, node.memory_mb_used, node.local_gb_used), "(used_max)": held, **projects,
        }
        return {"host": [
            {"resource": {"host": host, "project": project, "cpu": of.vcpus, "memory_mb": of.memory_mb, "disk_gb": of.disk_gb}}
            for project, of in rows.items()
        ]}

    def update(self, request: Request) -> dict[str, Any]:
        body = request.body_value
        service = self._existing(request)
        if "maintenance_mode" in body:
            raise NotBuilt("Virt driver does not implement host maintenance mode.")
        changed = self._hosts.update_service(service.uuid, disabled=body["status"].lower() == "disable")
        resource_notices.service(self._services, request.context, "update", changed, service_views.shown_binary(changed.binary))
        return {"host": service.host, "status": service_views.status(changed)}

    def power(self, request: Request) -> None:
        service = self._existing(request)
        if not service.up:
            raise Invalid(f"Compute service of {service.host} is unavailable at this time.")
        raise NotBuilt("Virt driver does not implement host power management.")

    def _existing(self, request: Request) -> Service:
        host = request.path_args["id"]
        try:
            return self._hosts.compute_service(host)
        except NotFound:
            raise NotFound(f"Host {host[:255]} could not be found.") from None


def routes(services: ApiServices) -> tuple[Route, ...]:
    """Answer the routes of hosts."""
    of, one = _OldHosts(services), f"{_PATH}/{{id}}"

    def get(path: str, handler: Callable[[Request], Any], rule: str) -> Route:
        return Route(method="GET", path=path, handler=handler, rule=f"{_RULE}:{rule}", until=_LAST)
    return (
        Route(method="GET", path=_PATH, handler=of.index, rule=f"{_RULE}:list", query=schemas.LIST_QUERY, until=_LAST),
        get(one, of.show, "show"),
        Route(method="PUT", path=one, handler=of.update, rule=f"{_RULE}:update", body=schemas.UPDATE, until=_LAST),
        get(f"{one}/reboot", of.power, "reboot"), get(f"{one}/shutdown", of.power, "shutdown"),
        get(f"{one}/startup", of.power, "start"),
    )
