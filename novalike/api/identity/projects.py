"""Domains and projects."""

from __future__ import annotations

from typing import Any

from novalike.api.http import schema
from novalike.api.http.application import Request, Route
from novalike.api.identity import schemas, views
from novalike.api.identity.collection import Collection, home_domain, new_id, rest
from novalike.db import identity as db
from novalike.exception import Forbidden, Invalid, NotBuilt, NotFound
from novalike.objects.identity import Domain, Project

_FIELDS = ("name", "description", "enabled", "domain_id", "parent_id", "is_domain", "tags")


class Domains(Collection):
    kind, one, many, bodies = Domain, "domain", "domains", schemas.DOMAIN
    filters = ("name", "enabled")

    def target_by_id(self, request: Request) -> dict[str, Any]:
        """Answer the caller's own project where the domain is that of the caller's project or user: everybody may look at those."""
        own = {request.context.project_domain_id, request.context.user_domain_id, request.context.domain_id}
        return {"project_id": request.context.project_id if request.path_args["id"] in own else ""}

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

    def routes(self) -> list[Route]:
        many = "/v3/projects/{id}/tags"
        one = f"{many}/{{tag}}"
        return [
            *super().routes(),
            Route(method="GET", path=many, handler=self.tags, rule="identity:list_project_tags"),
            Route(method="PUT", path=many, handler=self.replace_tags, rule="identity:update_project_tags", body=schemas.PROJECT_TAGS),
            Route(method="DELETE", path=many, handler=self.clear_tags, rule="identity:delete_project_tags", status=204),
            Route(method="GET", path=one, handler=self.has_tag, rule="identity:get_project_tag", status=204),
            Route(method="PUT", path=one, handler=self.add_tag, rule="identity:create_project_tag", status=201),
            Route(method="DELETE", path=one, handler=self.remove_tag, rule="identity:delete_project_tag", status=204),
        ]

    def tags(self, request: Request) -> dict[str, Any]:
        """List a project's tags."""
        return {"tags": self._own(request).tags, "links": {"self": views.link(request, "projects", request.path_args["id"], "tags")}}

    def replace_tags(self, request: Request) -> dict[str, Any]:
        """Give a project these tags and no others."""
        self._set_tags(request, request.body_value["tags"])
        return self.tags(request)

    def clear_tags(self, request: Request) -> None:
        """Take all tags off a project."""
        self._set_tags(request, [])

    def has_tag(self, request: Request) -> None:
        """Tell whether a project has a tag."""
        if request.path_args["tag"] not in self._own(request).tags:
            raise NotFound(f"Could not find project tag: {request.path_args['tag'][:255]}.")

    def add_tag(self, request: Request) -> None:
        """Put a tag on a project."""
        tag, present = request.path_args["tag"], self._own(request).tags
        if tag not in present:
            wanted = {"tags": [*present, tag]}
            schema.check(schemas.PROJECT_TAGS, request.version, wanted)
            self._set_tags(request, wanted["tags"])

    def remove_tag(self, request: Request) -> None:
        """Take a tag off a project."""
        self.has_tag(request)
        self._set_tags(request, [tag for tag in self._own(request).tags if tag != request.path_args["tag"]])

    def _own(self, request: Request) -> Project:
        request.authorize(request.route.rule, self.target_by_id(request))
        found: Project = self.find(request)
        return found

    def _set_tags(self, request: Request, tags: list[str]) -> None:
        self.identity.write(db.change, Project, self._own(request).id, tags=sorted(tags))

    def check_delete(self, request: Request, item: Project) -> None:
        if self.identity.read(db.listing, Project, parent_id=item.id, limit=1):
            raise Forbidden(f"Cannot delete project {item.id} since it is not a leaf in the hierarchy.")


def _ending_tokens(collection: Collection, item: Domain | Project, given: dict[str, Any]) -> dict[str, Any]:
    """Disabling ends tokens for good: enabling again does not bring them back."""
    disabled = item.enabled and given.get("enabled") is False
    return {"tokens_valid_since": collection.identity.tokens.now() + 1} if disabled else {}
