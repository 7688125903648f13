"""List, show, create (one or many), update and delete: the same for every resource, from its table of attributes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol
from urllib.parse import urlencode

from novalike.api.http.application import Request, Route
from novalike.api.http.query import INTEGER, TEXT, Parameter, Query
from novalike.api.http.schema import Field, Object
from novalike.api.network.attributes import FLAG, Attribute, filter_value, flag
from novalike.api.network.attributes import INTEGER as NUMBER
from novalike.context import RequestContext
from novalike.db.network_listing import Listing
from novalike.network import errors
from novalike.network.local.store import scope

MAX_LIMIT = 1000
_TIMES = frozenset({"created_at", "updated_at"})
#: Filters by tags: all of them, any of them, not all, not any.
_TAGS = {"tags": "all", "tags-any": "any", "not-tags": "not all", "not-tags-any": "not any"}
_PAGING = {"limit": INTEGER, "marker": TEXT, "page_reverse": TEXT, "sort_key": TEXT, "sort_dir": TEXT, "fields": TEXT}


class Service(Protocol):
    """What a part of network.local offers for one kind of thing."""

    def create(self, ctxt: RequestContext, given: list[dict[str, Any]]) -> list[Any]: ...
    def get(self, ctxt: RequestContext, key: str) -> Any: ...
    def update(self, ctxt: RequestContext, key: str, changes: dict[str, Any]) -> Any: ...
    def delete(self, ctxt: RequestContext, key: str) -> None: ...


class Collection:
    """The operations of one resource.

    `list_page(request, listing)` answers one page. `extra(request, thing)` adds what no attribute's line can say.
    `more_filters` are further query parameters which `list_page` reads by itself.
    """

    def __init__(
        self, one: str, many: str, attributes: Iterable[Attribute], service: Service | Any, *, path: str | None = None,
        list_page: Callable[[Request, Listing], list[Any]], extra: Callable[[Request, Any], dict[str, Any]] | None = None,
        more_filters: tuple[str, ...] = (), can_update: bool = True,
    ) -> None:
        self._one, self._many = one, many
        self._path = f"/v2.0/{path or many}"
        self._attributes = tuple(attributes)
        self._service = service
        self._list_page = list_page
        self._extra = extra
        self._more_filters = more_filters
        self._can_update = can_update
        self._by_name = {attribute.name: attribute for attribute in self._attributes}

    def routes(self) -> list[Route]:
        """Answer the resource's routes."""
        one = f"{self._path}/{{id}}"
        showing = Query({"fields": Parameter(TEXT)})
        creating = Object({
            self._one: Field(self._body("create")), self._many: Field({"type": "array", "items": self._body("create"), "minItems": 1, "maxItems": 1000}),
        }, rules={"minProperties": 1, "maxProperties": 1})
        routes = [
            Route(method="GET", path=self._path, handler=self.index, rule=f"get_{self._one}", query=self._query()),
            Route(method="POST", path=self._path, handler=self.create, rule=f"create_{self._one}", status=201, body=creating),
            Route(method="GET", path=one, handler=self.show, rule=f"get_{self._one}", query=showing),
            Route(method="DELETE", path=one, handler=self.delete, rule=f"delete_{self._one}", status=204),
        ]
        if self._can_update:
            body = Object({self._one: Field(self._body("update"), required=True)})
            routes.append(Route(method="PUT", path=one, handler=self.update, rule=f"update_{self._one}", body=body))
        return routes

    def _body(self, operation: str) -> Object:
        return Object({
            attribute.name: Field(attribute.schema, required=attribute.required and operation == "create")
            for attribute in self._attributes if getattr(attribute, operation)
        })

    def _query(self) -> Query:
        known = [a.name for a in self._attributes if a.stored is not None]
        return Query({name: Parameter(TEXT) for name in (*known, *_TAGS, *self._more_filters)} | {n: Parameter(s) for n, s in _PAGING.items()})

    def index(self, request: Request) -> dict[str, Any]:
        """List."""
        listing = self._listing(request)
        things = self._list_page(request, listing)
        answer: dict[str, Any] = {self._many: [self.render(request, thing) for thing in things]}
        if things and len(things) == listing.limit:
            answer[f"{self._many}_links"] = [{"rel": "next", "href": self._next(request, things[-1].id)}]
        return answer

    def _next(self, request: Request, marker: str) -> str:
        pairs = [(name, value) for name, values in request.params_given.items() if name != "marker" for value in values]
        return f"{request.base_url}{self._path}?{urlencode([*pairs, ('marker', marker)])}"

    def _listing(self, request: Request) -> Listing:
        filters: dict[str, tuple[Any, ...]] = {}
        for name, values in request.params_given.items():
            attribute = self._by_name.get(name)
            if name in _TIMES:                   # shown by the second, stored by the microsecond: none would match
                raise errors.InvalidInput(f"'{name}' is no attribute to filter by.")
            if attribute is not None and attribute.stored is not None:
                filters[attribute.stored] = tuple(filter_value(attribute.schema, value) for value in values)
        keys = request.params_given.get("sort_key", [])
        directions = request.params_given.get("sort_dir", [])
        if directions and len(directions) != len(keys):
            raise errors.InvalidInput("The number of sort_keys and sort_dirs must be same")
        sort = []
        for name, direction in zip(keys, directions or ["asc"] * len(keys), strict=True):
            attribute = self._by_name.get(name)
            if attribute is None or attribute.stored is None or direction not in {"asc", "desc"}:
                raise errors.InvalidInput(f"'{name}' ({direction}) is no attribute to sort by.")
            sort.append((attribute.stored, direction == "desc"))
        limit = int(request.param("limit") or 0)
        return Listing(
            project_id=scope(request.context), filters=filters, sort=tuple(sort), marker=request.param("marker"),
            limit=min(limit, MAX_LIMIT) if limit else MAX_LIMIT,
            tags=tuple(
                (how, words) for name, how in _TAGS.items()
                if (words := tuple(word for value in request.params_given.get(name, ()) for word in value.split(",") if word))
            ),
            reverse=flag(request.param("page_reverse", "")),
        )

    def show(self, request: Request) -> dict[str, Any]:
        """Show one."""
        return {self._one: self.render(request, self._service.get(request.context, request.path_args["id"]))}

    def create(self, request: Request) -> dict[str, Any]:
        """Create one, or all of several or none of them."""
        if self._one in request.body_value:
            made = self._service.create(request.context, [self._given(request, request.body_value[self._one], new=True)])
            return {self._one: self.render(request, made[0])}
        given = [self._given(request, body, new=True) for body in request.body_value[self._many]]
        return {self._many: [self.render(request, thing) for thing in self._service.create(request.context, given)]}

    def update(self, request: Request) -> dict[str, Any]:
        """Change one."""
        changes = self._given(request, request.body_value[self._one], new=False)
        return {self._one: self.render(request, self._service.update(request.context, request.path_args["id"], changes))}

    def delete(self, request: Request) -> None:
        """Delete one."""
        self._service.delete(request.context, request.path_args["id"])

    def _given(self, request: Request, body: dict[str, Any], *, new: bool) -> dict[str, Any]:
        given: dict[str, Any] = {}
        for name, value in body.items():
            attribute = self._by_name[name]
            converted = self._converted(attribute, value)
            if attribute.rule is not None and (converted or not new):
                request.authorize(attribute.rule)
            if attribute.of in given and given[attribute.of] != converted:
                raise errors.InvalidInput(f"'{name}' contradicts another attribute of the same meaning.")
            given[attribute.of] = converted
        return given

    @staticmethod
    def _converted(attribute: Attribute, value: Any) -> Any:
        if value is not None and attribute.schema is FLAG:
            return flag(value)
        if value is not None and attribute.schema is NUMBER:
            return int(value)
        return attribute.read(value)

    def render(self, request: Request, thing: Any) -> dict[str, Any]:
        """Answer what a client sees of a thing."""
        view = {
            attribute.name: attribute.show(getattr(thing, attribute.of)) for attribute in self._attributes
            if attribute.shown and (attribute.seen is None or request.allowed(attribute.seen))
        }
        if hasattr(thing, "tags"):
            view["tags"] = list(thing.tags)
        if self._extra is not None:
            view |= self._extra(request, thing)
        fields = request.params_given.get("fields")
        return view if not fields else {name: value for name, value in view.items() if name in fields}
