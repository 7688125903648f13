"""The five operations which every kind of thing of the identity API has; each kind says what is its own."""

from __future__ import annotations

from typing import Any, ClassVar

from novalike.api.http.application import Request, Route
from novalike.api.http.query import INTEGER, TEXT, Parameter, Query
from novalike.api.http.schema import Object
from novalike.api.identity import views
from novalike.context import RequestContext
from novalike.db import identity as db
from novalike.exception import Invalid
from novalike.identity.local.bootstrap import DEFAULT_DOMAIN
from novalike.identity.local.service import LocalIdentity, new_id


class Collection:
    """`one` and `many` are the words of paths, bodies and rules; `filters` the fields by which a list may be narrowed."""

    kind: ClassVar[Any]
    one: ClassVar[str]
    many: ClassVar[str]
    bodies: ClassVar[tuple[Object, Object]]
    filters: ClassVar[tuple[str, ...]] = ()

    def __init__(self, identity: LocalIdentity) -> None:
        self.identity = identity

    def routes(self) -> list[Route]:
        """Answer the routes."""
        path, one = f"/v3/{self.many}", f"/v3/{self.many}/{{id}}"
        query = Query({name: Parameter(TEXT) for name in (*self.filters, "marker")} | {"limit": Parameter(INTEGER)})
        create, change = self.bodies
        return [
            Route(method="GET", path=path, handler=self.index, rule=f"identity:list_{self.many}", query=query),
            Route(method="POST", path=path, handler=self.create, rule=f"identity:create_{self.one}", body=create, status=201),
            Route(method="GET", path=one, handler=self.show, rule=f"identity:get_{self.one}"),
            Route(method="PATCH", path=one, handler=self.update, rule=f"identity:update_{self.one}", body=change),
            Route(method="DELETE", path=one, handler=self.delete, rule=f"identity:delete_{self.one}", status=204),
        ]

    # What a kind has of its own.

    def made(self, request: Request, given: dict[str, Any]) -> Any:
        """Answer the thing to store."""
        raise NotImplementedError

    def changes(self, request: Request, item: Any, given: dict[str, Any]) -> dict[str, Any]:
        """Answer the fields to set."""
        return dict(given)

    def check_delete(self, request: Request, item: Any) -> None:
        """Raise when it may not be deleted now."""

    def remove(self, item: Any) -> None:
        """Delete it."""
        self.identity.write(db.remove, self.kind, item.id)

    def target(self, item: Any) -> dict[str, Any]:
        """Answer what the policy rule is checked on."""
        return {}

    # The operations.

    def view(self, request: Request, item: Any) -> dict[str, Any]:
        shown: dict[str, Any] = getattr(views, self.one)(request, item)
        return shown

    def index(self, request: Request) -> dict[str, Any]:
        equal: dict[str, Any] = {}
        for name in self.filters:
            text = request.param(name)
            if text is not None:
                equal[name] = flag(text) if name == "enabled" else text
        limit = int(request.param("limit") or 0) or None
        limit = min(limit, 1000) if limit else None
        found = self.identity.read(db.listing, self.kind, limit=limit, marker=request.param("marker"), **equal)
        more = found[-1].id if limit and len(found) == limit else None
        return views.page(request, self.many, [self.view(request, item) for item in found], marker=more)

    def find(self, request: Request) -> Any:
        return self.identity.read(db.get, self.kind, request.path_args["id"])

    def show(self, request: Request) -> dict[str, Any]:
        request.authorize(request.route.rule, self.target_by_id(request))
        return {self.one: self.view(request, self.find(request))}

    def target_by_id(self, request: Request) -> dict[str, Any] | None:
        """Answer the policy target of a path's id, known before it is looked up: a stranger learns not even whether it
        exists.
        """
        return None

    def create(self, request: Request) -> dict[str, Any]:
        item = self.made(request, clean(request.body_value[self.one]))
        return {self.one: self.view(request, self.identity.write(db.add, item))}

    def update(self, request: Request) -> dict[str, Any]:
        item = self.find(request)
        given = clean(request.body_value[self.one])
        if given.pop("id", item.id) not in {None, item.id}:
            raise Invalid(f"Cannot change the id of a {self.one}.")
        if "domain_id" in given and hasattr(item, "domain_id") and given.pop("domain_id") != item.domain_id:
            raise Invalid(f"Invalid input for field 'domain_id': a {self.one} cannot move to another domain.")
        changed = self.identity.write(db.change, self.kind, item.id, **self.changes(request, item, given))
        return {self.one: self.view(request, changed)}

    def delete(self, request: Request) -> None:
        item = self.find(request)
        self.check_delete(request, item)
        self.remove(item)


def clean(given: dict[str, Any]) -> dict[str, Any]:
    """Answer a body without what only answers carry."""
    return {name: value for name, value in given.items() if name not in {"links", "options"}}


def flag(text: str) -> bool:
    """Read a flag of a query string: given without a value it is true."""
    return text.lower() not in {"0", "false", "no", "off"}


def home_domain(context: RequestContext) -> str:
    """Answer the domain in which the caller's new things stand when it names none."""
    return context.domain_id or context.project_domain_id or context.user_domain_id or DEFAULT_DOMAIN


def rest(given: dict[str, Any], *known: str) -> dict[str, Any]:
    """Answer the keys which are not ours."""
    return {name: value for name, value in given.items() if name not in {*known, "id"}}


__all__ = ["Collection", "clean", "flag", "home_domain", "new_id", "rest"]
