"""Domains and projects."""

from __future__ import annotations

from typing import Any

from novalike.api.http.application import Request
from novalike.api.identity import schemas
from novalike.api.identity.collection import Collection, home_domain, new_id, rest
from novalike.db import identity as db
from novalike.exception import Forbidden, Invalid, NotBuilt
from novalike.objects.identity import Domain, Project

_FIELDS = ("name", "description", "enabled", "domain_id", "parent_id", "is_domain", "tags")


class Domains(Collection):
    kind, one, many, bodies = Domain, "domain", "domains", schemas.DOMAIN
    filters = ("name", "enabled")

    def made(self, request: Request, given: dict[str, Any]) -> Domain:
        return Domain(id=new_id(), name=given["name"], description=given.get("description"), enabled=given.get("enabled", True))

    def changes(self, request: Request, item: Domain, given: dict[str, Any]) -> dict[str, Any]:
        given.pop("tags", None)
        return given | _ending_tokens(self, item, given)

    def check_delete(self, request: Request, item: Domain) -> None:
        if item.enabled:
            raise Forbidden("Cannot delete a domain that is enabled, please disable it first.")

    def remove(self, item: Domain) -> None:
        def remove(session: Any) -> None:
            db.remove_domain_contents(session, item.id)
            db.remove(session, Domain, item.id)
        self.identity.write(remove)


class Projects(Collection):
    kind, one, many, bodies = Project, "project", "projects", schemas.PROJECT
    filters = ("name", "enabled", "domain_id", "parent_id")

    def target_by_id(self, request: Request) -> dict[str, Any]:
        return {"project_id": request.path_args["id"]}

    def index(self, request: Request) -> dict[str, Any]:
        shown = super().index(request)
        if request.GET.get("is_domain", "false").lower() in {"true", "1"}:
            shown["projects"] = []               # domains are no projects here
        return shown

    def made(self, request: Request, given: dict[str, Any]) -> Project:
        if given.get("is_domain"):
            raise NotBuilt("Domains are made by POST /v3/domains; a project cannot act as one.")
        parent = given.get("parent_id")
        domain = given.get("domain_id")
        if parent and self.identity.read(db.find, Domain, parent) is None:
            above = self.identity.read(db.get, Project, parent)
            domain = domain or above.domain_id
            if domain != above.domain_id:
                raise Invalid("Invalid input for field 'parent_id': it is in another domain.")
        domain = domain or parent or home_domain(request.context)
        self.identity.read(db.get, Domain, domain)
        return Project(
            id=new_id(), name=given["name"], domain_id=domain, parent_id=parent or domain, description=given.get("description"),
            enabled=given.get("enabled", True), tags=given.get("tags", []), extra=rest(given, *_FIELDS),
        )

    def changes(self, request: Request, item: Project, given: dict[str, Any]) -> dict[str, Any]:
        if given.pop("parent_id", item.parent_id) != item.parent_id:
            raise Forbidden("Changing a project's parent is not allowed.")
        if given.pop("is_domain", False):
            raise Invalid("Invalid input for field 'is_domain': it cannot be changed.")
        changed: dict[str, Any] = {name: given[name] for name in ("name", "description", "enabled", "tags") if name in given}
        more = rest(given, *_FIELDS)
        if more:
            changed["extra"] = {**item.extra, **more}
        return changed | _ending_tokens(self, item, given)

    def check_delete(self, request: Request, item: Project) -> None:
        if self.identity.read(db.listing, Project, parent_id=item.id, limit=1):
            raise Forbidden(f"Cannot delete project {item.id} since it is not a leaf in the hierarchy.")


def _ending_tokens(collection: Collection, item: Domain | Project, given: dict[str, Any]) -> dict[str, Any]:
    """Disabling ends tokens for good: enabling again does not bring them back."""
    disabled = item.enabled and given.get("enabled") is False
    return {"tokens_valid_since": collection.identity.tokens.now() + 1} if disabled else {}
