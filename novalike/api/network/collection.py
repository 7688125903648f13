"""List, show, create (one or many), update and delete: the same for every resource, from its table of attributes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import urlencode

from novalike.api.http.application import Request, Route
from novalike.api.http.query import TEXT, Parameter, Query
from novalike.api.network.attributes import FLAG, VARIES, Attribute, filter_value, flag, is_constant
from novalike.api.network.attributes import INTEGER as NUMBER
from novalike.api.network.wording import Body
from novalike.context import RequestContext
from novalike.db.network_listing import Listing
from novalike.exception import Invalid
from novalike.network import errors
from novalike.network.local.store import own, scope

MAX_LIMIT = 1000
_TIMES = frozenset({"created_at", "updated_at"})
#: Filters by tags: all of them, any of them, not all, not any.
_TAGS = {"tags": "all", "tags-any": "any", "not-tags": "not all", "not-tags-any": "not any"}
_PAGING = ("limit", "marker", "page_reverse", "sort_key", "sort_dir", "fields")
_SINCE = "changed_since"
#: (kind of thing, id, revision number) -> a context in which a change of it fails unless it has this revision.
Guard = Callable[[str, str, int], AbstractContextManager[None]]


_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z?")
_REVISION = re.compile(r"\s*revision_number=([0-9]{1,9})\s*")


class Service(Protocol):
    """What a part of network.local offers for one kind of thing."""

    def create(self, ctxt: RequestContext, given: list[dict[str, Any]]) -> list[Any]: ...
    def get(self, ctxt: RequestContext, key: str) -> Any: ...
    def update(self, ctxt: RequestContext, key: str, changes: dict[str, Any]) -> Any: ...
    def delete(self, ctxt: RequestContext, key: str) -> None: ...


class Collection:
    """The operations of one resource.

    `list_page(request, listing)` answers one page. `extra(request, things)` answers, for each, what no attribute's line
    can say.
    `more_filters` are further query parameters which `list_page` reads by itself. `guard` makes a change depend on a revision.
    """

    def __init__(
        self, one: str, many: str, attributes: Iterable[Attribute], service: Service | Any, *, path: str | None = None,
        list_page: Callable[[Request, Listing], list[Any]], extra: Callable[[Request, list[Any]], list[dict[str, Any]]] | None = None,
        more_filters: tuple[str, ...] = (), can_update: bool = True, guard: Guard | None = None,
    ) -> None:
        self._one, self._many = one, many
        self._kind = path or many
        self._guard = guard
        self._path = f"/v2.0/{path or many}"
        self._attributes = tuple(attributes)
        self._service = service
        self._list_page = list_page
        self._extra = extra
        self._more_filters = more_filters
        self._can_update = can_update
        self._creating = Body(one, many, self._attributes, "create")
        self._by_name = {attribute.name: attribute for attribute in self._attributes}

    def routes(self) -> list[Route]:
        """Answer the resource's routes."""
        one = f"{self._path}/{{id}}"
        showing = Query({"fields": Parameter(TEXT)})
        creating = self._creating
        routes = [
            Route(method="GET", path=self._path, handler=self.index, rule=f"get_{self._one}", query=self._query()),
            Route(method="POST", path=self._path, handler=self.create, rule=f"create_{self._one}", status=201, body=creating),
            Route(method="GET", path=one, handler=self.show, rule=f"get_{self._one}", query=showing),
            Route(method="DELETE", path=one, handler=self.delete, rule=f"delete_{self._one}", status=204),
        ]
        if self._can_update:
            body = Body(self._one, None, self._attributes, "update")
            routes.append(Route(method="PUT", path=one, handler=self.update, rule=f"update_{self._one}", body=body))
        return routes

    def _query(self) -> Query:
        known = [a.name for a in self._attributes if a.stored is not None or a.constant is not VARIES]
        return Query({name: Parameter(TEXT) for name in (*known, *_TAGS, *_PAGING, _SINCE, *self._more_filters)})

    def index(self, request: Request) -> dict[str, Any]:
        """List."""
        listing = self._listing(request)
        constants = ((a, request.params_given.get(a.name)) for a in self._attributes if a.constant is not VARIES)
        things = self._list_page(request, listing) if all(values is None or is_constant(a, values) for a, values in constants) else []
        answer: dict[str, Any] = {self._many: self.render(request, things)}
        links = self._links(request, listing, things)
        return answer | ({f"{self._many}_links": links} if links else {})

    def _links(self, request: Request, listing: Listing, things: list[Any]) -> list[dict[str, str]]:
        """Answer where the pages beside this one are. Who sets no limit is told only of a page after one that is full."""
        asked, full = bool(int(request.param("limit") or 0)), bool(things) and len(things) == listing.limit
        links = []
        if full or (asked and listing.reverse):
            links.append(self._link(request, "next", things[-1:]))
        if asked and (full or not listing.reverse):
            links.append(self._link(request, "previous", things[:1], ("page_reverse", "True")))
        return links

    def _link(self, request: Request, rel: str, at: list[Any], *more: tuple[str, str]) -> dict[str, str]:
        pairs = [(name, value) for name, values in request.params_given.items() if name not in {"marker", "page_reverse"} for value in values]
        pairs += [*(("marker", thing.id) for thing in at), *more]
        return {"rel": rel, "href": f"{request.base_url}{self._path}?{urlencode(pairs)}"}

    def _listing(self, request: Request) -> Listing:
        unknown = sorted(name[:255] for name in request.GET.keys() - request.params_given.keys())
        if unknown:
            raise Invalid(f"{unknown} is invalid attribute for filtering")
        filters: dict[str, tuple[Any, ...]] = {}
        for name, values in request.params_given.items():
            attribute = self._by_name.get(name)
            if name in _TIMES:                   # shown by the second, stored by the microsecond: none would match
                raise Invalid(f"['{name}'] is invalid attribute for filtering")
            if attribute is not None and attribute.stored is not None:
                wanted = tuple(filter_value(attribute.schema, value) for value in values)
                present = filters.get(attribute.stored)      # both project_id and tenant_id, say
                filters[attribute.stored] = wanted if present is None else tuple(value for value in wanted if value in present)
        limit = _limit(request)
        return Listing(
            project_id=scope(request.context), filters=filters, sort=self._sort(request), marker=request.param("marker"),
            limit=min(limit, MAX_LIMIT) if limit else MAX_LIMIT,
            tags=tuple(
                (how, words) for name, how in _TAGS.items()
                if (words := tuple(word for value in request.params_given.get(name, ()) for word in value.split(",") if word))
            ),
            reverse=flag(request.param("page_reverse", "")), since=_since(request),
        )

    def _sort(self, request: Request) -> tuple[tuple[str, bool], ...]:
        keys = request.params_given.get("sort_key", [])
        directions = request.params_given.get("sort_dir", [])
        if len(directions) != len(keys):
            raise Invalid("The number of sort_keys and sort_dirs must be same")
        columns = {name: self._by_name[name].stored for name in keys if name in self._by_name}
        absent = [name[:255] for name in keys if columns.get(name) is None]
        if absent:
            raise Invalid(f"{absent} is invalid attribute for sort_keys")
        odd = [direction[:255] for direction in directions if direction not in {"asc", "desc"}]
        if odd:
            raise Invalid(f"{odd} is invalid value for sort_dirs, valid value is 'asc' and 'desc'")
        return tuple((columns[name] or "", direction == "desc") for name, direction in zip(keys, directions, strict=True))

    def show(self, request: Request) -> dict[str, Any]:
        """Show one."""
        return {self._one: self.render(request, [self._service.get(request.context, request.path_args["id"])])[0]}

    def create(self, request: Request) -> dict[str, Any]:
        """Create one, or all of several or none of them."""
        if self._one in request.body_value:
            made = self._service.create(request.context, [self._given(request, request.body_value[self._one], new=True)])
            return {self._one: self.render(request, made[:1])[0]}
        given = [self._given(request, self._creating.unwrapped(body), new=True) for body in request.body_value[self._many]]
        return {self._many: self.render(request, self._service.create(request.context, given))}

    def update(self, request: Request) -> dict[str, Any]:
        """Change one."""
        changes = self._given(request, request.body_value[self._one], new=False)
        with self._as_expected(request):
            changed = self._service.update(request.context, request.path_args["id"], changes)
        return {self._one: self.render(request, [changed])[0]}

    def delete(self, request: Request) -> None:
        """Delete one."""
        with self._as_expected(request):
            self._service.delete(request.context, request.path_args["id"])

    def _as_expected(self, request: Request) -> AbstractContextManager[None]:
        """Answer the context in which a change fails unless the thing has the revision which the request's If-Match names."""
        wanted = request.headers.get("If-Match")
        if wanted is None or self._guard is None:
            return nullcontext()
        found = _REVISION.fullmatch(wanted)
        if found is None:
            raise Invalid(f"Invalid If-Match header '{wanted[:255]}': it must be revision_number=NUMBER")
        return self._guard(self._kind, request.path_args["id"], int(found[1]))

    def _given(self, request: Request, body: dict[str, Any], *, new: bool) -> dict[str, Any]:
        given: dict[str, Any] = {}
        _check_project(request, body)
        for name, value in body.items():
            attribute = self._by_name[name]
            converted = self._converted(attribute, value)
            if attribute.rule is not None and (converted or not new):
                request.authorize(attribute.rule)
            given[attribute.of] = converted
        return given

    @staticmethod
    def _converted(attribute: Attribute, value: Any) -> Any:
        if value is not None and attribute.schema is FLAG:
            return flag(value)
        if value is not None and attribute.schema is NUMBER:
            return int(value)
        return attribute.read(value)

    def render(self, request: Request, things: list[Any]) -> list[dict[str, Any]]:
        """Answer what a client sees of things."""
        shown = [a for a in self._attributes if a.shown and not a.computed and (a.seen is None or request.allowed(a.seen))]
        extras = [{}] * len(things) if self._extra is None else self._extra(request, things)
        fields = request.params_given.get("fields")
        return [_chosen(fields, {
            **{a.name: a.show(getattr(thing, a.of)) if a.constant is VARIES else a.constant for a in shown},
            **({"tags": list(thing.tags)} if hasattr(thing, "tags") else {}), **extra,
        }) for thing, extra in zip(things, extras, strict=True)]


def _chosen(fields: list[str] | None, view: dict[str, Any]) -> dict[str, Any]:
    return view if not fields else {name: value for name, value in view.items() if name in fields}


def _check_project(request: Request, body: dict[str, Any]) -> None:
    """Refuse what names another project than the caller's, unless an administrator does, or two of them."""
    named = {body[name] for name in ("project_id", "tenant_id") if name in body}
    if len(named) > 1:
        raise Invalid("'project_id' and 'tenant_id' do not match")
    if any(not own(request.context, project_id) for project_id in named):
        raise Invalid("Specifying 'project_id' or 'tenant_id' other than the authenticated project in request is not allowed for current user.")


def _limit(request: Request) -> int:
    given = request.param("limit") or "0"
    if not re.fullmatch(r"[0-9]{1,18}", given):
        raise errors.BadRequest("limit", f"Limit must be an integer 0 or greater and not '{given[:255]}'")
    return int(given)


def _since(request: Request) -> datetime | None:
    given = request.param(_SINCE)
    if given is None:
        return None
    try:
        if _MOMENT.fullmatch(given):
            return datetime.fromisoformat(given.removesuffix("Z"))
    except ValueError:                           # the 31st of February
        pass
    raise errors.InvalidInput(f"The input {_SINCE} must be in the following format: YYYY-MM-DDTHH:MM:SS[Z]")
