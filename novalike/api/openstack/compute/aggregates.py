"""/os-aggregates: named sets of hosts; one with the metadata key availability_zone makes its hosts a zone."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from novalike.api.http.application import Request, Route
from novalike.api.openstack.schemas import aggregates as schemas
from novalike.api.openstack.schemas.names import MAX_INT
from novalike.api.openstack.views import aggregates as views
from novalike.api.operations import image_caching, resource_notices
from novalike.api.operations.hosts import Hosts
from novalike.api.services import ApiServices
from novalike.db import aggregates
from novalike.exception import Conflict, Invalid, NotFound
from novalike.objects.aggregate import ZONE_KEY, Aggregate

_RULE = "os_compute_api:os-aggregates"


class _Aggregates:
    def __init__(self, services: ApiServices) -> None:
        self._services = services
        self._database = services.cells.shared
        self._clock = services.clock
        self._hosts = Hosts(services)
        self._default_zone = services.conf.default_availability_zone

    def index(self, request: Request) -> dict[str, Any]:
        with self._database.read() as session:
            found = aggregates.list_aggregates(session)
        return {"aggregates": [views.full(request.version, aggregate) for aggregate in found]}

    def show(self, request: Request) -> dict[str, Any]:
        return _answer(request, self._get(request))

    def create(self, request: Request) -> dict[str, Any]:
        wanted = request.body_value["aggregate"]
        zone = wanted.get("availability_zone")
        _refuse_malformed(zone)
        made = self._database.write(
            aggregates.create_aggregate, name=wanted["name"], availability_zone=zone, now=self._clock.now(),
        )
        resource_notices.aggregate(self._services, request.context, "create", made, made)
        return {"aggregate": views.created(request.version, made)}

    def update(self, request: Request) -> dict[str, Any]:
        wanted, current = request.body_value["aggregate"], self._get(request)
        zone = wanted.get("availability_zone")
        _refuse_malformed(zone)
        if "availability_zone" in wanted:
            self._refuse_zone_change(current, zone)
        now = self._clock.now()

        def change(session: Session) -> Aggregate:
            changed = aggregates.update_aggregate(session, current.id, name=wanted.get("name"), availability_zone=zone, now=now)
            if "availability_zone" in wanted and zone is None:
                changed = aggregates.set_metadata(session, current.id, {ZONE_KEY: None}, now=now)
            return changed

        action = "update_metadata" if "availability_zone" in wanted and "name" not in wanted else "update_prop"
        return self._changed(request, action, current, self._database.write(change))

    def delete(self, request: Request) -> None:
        current = self._get(request) if self._services.notifier.enabled else None
        self._database.write(aggregates.delete_aggregate, _number(request))
        if current is not None:
            resource_notices.aggregate(self._services, request.context, "delete", current, current)

    def _changed(self, request: Request, action: str, before: Aggregate, after: Aggregate, **changes: Any) -> dict[str, Any]:
        resource_notices.aggregate(self._services, request.context, action, before, after, **changes)
        return _answer(request, after)

    def add_host(self, request: Request) -> dict[str, Any]:
        host, current = request.body_value["add_host"]["host"], self._get(request)
        service = self._hosts.compute_service(host)
        zone = current.availability_zone
        if zone is not None and zone != service.availability_zone and self._hosts.occupied([host]):
            raise Conflict(
                f"Cannot add host to aggregate {current.id}. Reason: host {host} has servers, which would change their "
                f"availability zone.",
            )
        changed = self._database.write(aggregates.add_host, current.id, host, now=self._clock.now())
        return self._changed(request, "add_host", current, changed, host_name=host)

    def remove_host(self, request: Request) -> dict[str, Any]:
        host, current = request.body_value["remove_host"]["host"], self._get(request)
        zone = current.availability_zone
        if host in current.hosts and zone not in {None, self._default_zone} and self._hosts.occupied([host]):
            raise Conflict(
                f"Cannot remove host from aggregate {current.id}. Reason: host {host} has servers, which would change their "
                f"availability zone.",
            )
        changed = self._database.write(aggregates.remove_host, current.id, host, now=self._clock.now())
        return self._changed(request, "remove_host", current, changed, host_name=host)

    def set_metadata(self, request: Request) -> dict[str, Any]:
        changes, current = request.body_value["set_metadata"]["metadata"], self._get(request)
        if ZONE_KEY in changes:
            _refuse_malformed(changes[ZONE_KEY])
            self._refuse_zone_change(current, changes[ZONE_KEY])
        changed = self._database.write(aggregates.set_metadata, current.id, changes, now=self._clock.now())
        return self._changed(request, "update_metadata", current, changed, meta_data=changes)

    def images(self, request: Request) -> None:
        image_ids = [one["id"] for one in request.body_value["cache"]]
        if len(set(image_ids)) < len(image_ids):
            raise Invalid("Duplicate images in request")
        image_caching.ask(self._services, request.context, self._get(request).hosts, image_ids)

    def _get(self, request: Request) -> Aggregate:
        with self._database.read() as session:
            return aggregates.get_aggregate(session, _number(request))

    def _refuse_zone_change(self, aggregate: Aggregate, zone: str | None) -> None:
        """Raise Invalid when servers would wake up in another zone than the one they were placed in."""
        if (zone or self._default_zone) == (aggregate.availability_zone or self._default_zone):
            return
        if self._hosts.occupied(aggregate.hosts):
            raise Invalid(
                f"Cannot update aggregate {aggregate.id}. Reason: one or more hosts contain instances in this zone, so "
                f"availability_zone cannot change.",
            )


def _number(request: Request) -> int:
    text = request.path_args["id"]
    if not text.removeprefix("-").isdecimal():
        raise Invalid(f"Invalid aggregate id {text[:255]}: it must be an integer.")
    if len(text) > 10 or not 0 <= int(text) <= MAX_INT:
        raise NotFound(f"Aggregate {text[:255]} could not be found.")
    return int(text)


def _refuse_malformed(zone: str | None) -> None:
    # A colon separates zone, host and node where servers ask for a zone.
    if zone is not None and (":" in zone or not zone):
        raise Invalid(f"Invalid input for field/attribute availability_zone. Value: {zone}. It must not contain ':'")


def _answer(request: Request, aggregate: Aggregate) -> dict[str, Any]:
    return {"aggregate": views.full(request.version, aggregate)}


def routes(services: ApiServices) -> tuple[Route, ...]:
    """Answer the routes of aggregates."""
    of, path = _Aggregates(services), "/os-aggregates"
    one = f"{path}/{{id}}"
    action: dict[str, Any] = {"method": "POST", "path": f"{one}/action"}
    return (
        Route(method="GET", path=path, handler=of.index, rule=f"{_RULE}:index", query=schemas.NO_QUERY),
        Route(method="POST", path=path, handler=of.create, rule=f"{_RULE}:create", body=schemas.CREATE),
        Route(method="GET", path=one, handler=of.show, rule=f"{_RULE}:show", query=schemas.NO_QUERY),
        Route(method="PUT", path=one, handler=of.update, rule=f"{_RULE}:update", body=schemas.UPDATE),
        Route(method="DELETE", path=one, handler=of.delete, rule=f"{_RULE}:delete"),
        Route(
            method="POST", path=f"{one}/images", handler=of.images, rule="compute:aggregates:images", body=schemas.IMAGES, status=202,
            since="2.81",
        ),
        Route(**action, action="add_host", handler=of.add_host, rule=f"{_RULE}:add_host", body=schemas.ADD_HOST),
        Route(**action, action="remove_host", handler=of.remove_host, rule=f"{_RULE}:remove_host", body=schemas.REMOVE_HOST),
        Route(
            **action, action="set_metadata", handler=of.set_metadata, rule=f"{_RULE}:set_metadata", body=schemas.SET_METADATA,
        ),
    )
