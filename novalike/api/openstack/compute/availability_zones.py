"""/os-availability-zone: where servers can be asked to be."""

from __future__ import annotations

from typing import Any

from novalike.api.http.application import Request, Route
from novalike.api.openstack.schemas import services as schemas
from novalike.api.openstack.views.services import shown_binary
from novalike.api.openstack.views.times import iso
from novalike.api.operations.hosts import Hosts
from novalike.api.services import ApiServices
from novalike.objects.host import Service

_RULE = "os_compute_api:os-availability-zone"


class _Zones:
    def __init__(self, services: ApiServices) -> None:
        self._hosts = Hosts(services)
        self._internal = services.conf.internal_service_availability_zone

    def index(self, _request: Request) -> dict[str, Any]:
        """Answer the zones. One is available as long as any of its services is enabled."""
        zones = {zone: members for zone, members in self._zones().items() if zone != self._internal}
        return {"availabilityZoneInfo": [_zone(zone, members, with_hosts=False) for zone, members in zones.items()]}

    def detail(self, _request: Request) -> dict[str, Any]:
        return {"availabilityZoneInfo": [_zone(zone, members, with_hosts=True) for zone, members in self._zones().items()]}

    def _zones(self) -> dict[str, list[Service]]:
        zones: dict[str, list[Service]] = {}
        for service in sorted(self._hosts.list_services(), key=lambda one: (one.availability_zone, one.host, one.binary)):
            zones.setdefault(service.availability_zone, []).append(service)
        return zones


def _zone(name: str, members: list[Service], *, with_hosts: bool) -> dict[str, Any]:
    enabled = [service for service in members if not service.disabled]
    hosts: dict[str, dict[str, Any]] | None = None
    if with_hosts and enabled:
        hosts = {}
        for service in enabled:
            hosts.setdefault(service.host, {})[shown_binary(service.binary)] = {
                "active": True, "available": service.up, "updated_at": iso(service.updated_at),
            }
    return {"zoneName": name, "zoneState": {"available": bool(enabled)}, "hosts": hosts}


def routes(services: ApiServices) -> tuple[Route, ...]:
    """Answer the routes of availability zones."""
    of, path = _Zones(services), "/os-availability-zone"
    return (
        Route(method="GET", path=path, handler=of.index, rule=f"{_RULE}:list", query=schemas.NO_QUERY),
        Route(method="GET", path=f"{path}/detail", handler=of.detail, rule=f"{_RULE}:detail", query=schemas.NO_QUERY),
    )
