"""The catalog's regions, services and endpoints."""

from __future__ import annotations

from typing import Any

from novalike.api.http.application import Request, Route
from novalike.api.identity import schemas
from novalike.api.identity.collection import Collection, new_id
from novalike.db import identity as db
from novalike.exception import Conflict, Invalid
from novalike.objects.identity import Endpoint, Region, ServiceEntry


class Regions(Collection):
    kind, one, many, bodies = Region, "region", "regions", schemas.REGION
    filters = ("parent_region_id",)

    def routes(self) -> list[Route]:
        path = "/v3/regions/{id}"
        return [*super().routes(), Route(method="PUT", path=path, handler=self.create_named, rule="identity:create_region", body=schemas.REGION[0], status=201)]

    def create_named(self, request: Request) -> dict[str, Any]:
        """Make a region whose id the path names."""
        wanted, given = request.path_args["id"], request.body_value["region"]
        if given.get("id") not in {None, wanted}:
            raise Invalid("Invalid input for field 'id': the region's id in the body is not that of the URL.")
        if len(wanted) > 255:
            raise Invalid("Invalid input for field 'id': it is longer than 255 characters.")
        given["id"] = wanted
        return self.create(request)

    def made(self, request: Request, given: dict[str, Any]) -> Region:
        self._check_parent(given.get("parent_region_id"))
        return Region(id=given.get("id") or new_id(), description=given.get("description"), parent_region_id=given.get("parent_region_id"))

    def changes(self, request: Request, item: Region, given: dict[str, Any]) -> dict[str, Any]:
        parent = given.get("parent_region_id")
        self._check_parent(parent)
        while parent is not None:
            if parent == item.id:
                raise Invalid("Invalid input for field 'parent_region_id': a region cannot be above itself.")
            parent = self.identity.read(db.get, Region, parent).parent_region_id
        return given

    def check_delete(self, request: Request, item: Region) -> None:
        endpoints: Any = self.identity.read(db.listing, Endpoint, region_id=item.id, limit=1)
        if endpoints or self.identity.read(db.listing, Region, parent_region_id=item.id, limit=1):
            raise Conflict(f"Unable to delete region {item.id} because it or its child regions have associated endpoints.")

    def _check_parent(self, parent: str | None) -> None:
        if parent is not None:
            self.identity.read(db.get, Region, parent)


class Services(Collection):
    kind, one, many, bodies = ServiceEntry, "service", "services", schemas.SERVICE
    filters = ("name", "type")

    def made(self, request: Request, given: dict[str, Any]) -> ServiceEntry:
        return ServiceEntry(
            id=new_id(), type=given["type"], name=given.get("name"), description=given.get("description"),
            enabled=given.get("enabled", True),
        )


class Endpoints(Collection):
    kind, one, many, bodies = Endpoint, "endpoint", "endpoints", schemas.ENDPOINT
    filters = ("interface", "service_id", "region_id")

    def made(self, request: Request, given: dict[str, Any]) -> Endpoint:
        checked = self._checked(given)
        return Endpoint(
            id=new_id(), service_id=checked["service_id"], interface=checked["interface"], url=checked["url"],
            region_id=checked.get("region_id"), name=checked.get("name"), enabled=checked.get("enabled", True),
        )

    def changes(self, request: Request, item: Endpoint, given: dict[str, Any]) -> dict[str, Any]:
        return self._checked(given)

    def _checked(self, given: dict[str, Any]) -> dict[str, Any]:
        region = given.pop("region", None)       # the old name of region_id
        given.pop("description", None)
        if region is not None and given.get("region_id") is None:
            given["region_id"] = region
            if self.identity.read(db.find, Region, region) is None:      # as Keystone does for those who use the old name
                self.identity.write(db.add, Region(id=region))
        if given.get("region_id") is not None and self.identity.read(db.find, Region, given["region_id"]) is None:
            raise Invalid(f"Invalid input for field 'region_id': there is no region {given['region_id'][:255]}.")
        if "service_id" in given and self.identity.read(db.find, ServiceEntry, given["service_id"]) is None:
            raise Invalid(f"Invalid input for field 'service_id': there is no service {given['service_id'][:255]}.")
        return given
