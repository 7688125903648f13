"""One HTTP API: its routes, in a table; checks that every dialect needs, once.

A request passes: find the route (404, 405), negotiate the version, check the policy rule (403), check query and body (400),
call the handler, render what it answers. Errors become faults in the dialect's own words at one place.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson
from routes import Mapper
from webob import Request as WebobRequest
from webob import Response

from novalike import context as context_module
from novalike.api.http import schema
from novalike.api.http.query import ANYTHING, Query
from novalike.api.http.schema import Object
from novalike.api.http.versions import Version, within
from novalike.context import RequestContext
from novalike.exception import Forbidden, Invalid, NotFound, NovalikeError, TooLarge, Unauthorized
from novalike.policy import Enforcer

LOG = logging.getLogger(__name__)

#: The rule of routes which need no authentication.
PUBLIC = "public"
#: The WSGI environment key under which the authentication middleware leaves the RequestContext.
CONTEXT_KEY = "novalike.context"


class Request(WebobRequest):  # type: ignore[misc]  # webob has no types
    """A request on its way to a handler. What is below was checked before the handler is called."""

    context: RequestContext
    version: Version
    path_args: dict[str, str]
    body_value: Any
    params_given: dict[str, list[str]]
    route: Route
    application: Application

    def param(self, name: str, default: str | None = None) -> str | None:
        """Answer the (last) value of a query parameter."""
        values = self.params_given.get(name)
        return values[-1] if values else default

    def authorize(self, rule: str, target: dict[str, Any] | None = None) -> None:
        """Raise Forbidden unless the caller passes a policy rule, on a target (default: its own project and user)."""
        self.application.enforcer.authorize(rule, self.context, target)

    def allowed(self, rule: str, target: dict[str, Any] | None = None) -> bool:
        """Tell whether the caller passes a policy rule."""
        return self.application.enforcer.allowed(rule, self.context, target)

    @property
    def base_url(self) -> str:
        """The URL under which the client reached this API, without a trailing slash; links start with it."""
        return self.application.base_url(self)


Handler = Callable[[Request], "Response | dict[str, Any] | bytes | None"]


@dataclass(frozen=True, kw_only=True)
class Route:
    """One operation. `action` is the word of an action body; `rule` a policy rule's name or PUBLIC."""

    method: str
    path: str
    handler: Handler
    rule: str
    status: int = 200
    body: Object | None = None
    query: Query = ANYTHING
    since: str | None = None
    until: str | None = None
    action: str | None = None
    stream: bool = False                         # the handler reads the body itself (uploads)
    relaxed: bool = False                        # body optional (empty means {})


class Dialect(Protocol):
    """What differs between APIs."""

    def fault(self, request: Request, code: int, message: str, error: Exception | None) -> Response:
        """Render an error."""
        ...

    def negotiate(self, request: Request) -> Version:
        """Answer the version asked for. Raises NovalikeError with code 400 or 406."""
        ...

    def finish(self, request: Request, response: Response) -> None:
        """Add the dialect's headers to any answer."""
        ...

    def locate(self, request: Request) -> str:
        """Answer the path to look up (a project id removed, say)."""
        ...


@dataclass(frozen=True)
class _Place:
    template: str
    by_method: dict[str, list[Route]] = field(default_factory=dict)


class Application:
    """A WSGI application from a table of routes.

    `relaxed` drops unknown keys of bodies instead of refusing them (the Compute API's /v2); with `exact` a path which ends in a
    slash names nothing, so that a client which forgot an id does not get at the whole collection. `any_media` reads every body as
    JSON, whatever its Content-Type says. Raises ValueError at construction when a route names a policy rule which does not exist.
    """

    def __init__(
        self, name: str, routes: Iterable[Route], *, dialect: Dialect, enforcer: Enforcer, max_body: int = 114688,
        link_prefix: str | None = None, relaxed: bool = False, exact: bool = False,
        any_media: bool = False,
    ) -> None:
        self.name = name
        self.routes = tuple(routes)
        self.dialect = dialect
        self.enforcer = enforcer
        self._max_body = max_body
        self._link_prefix = link_prefix.rstrip("/") if link_prefix else None
        self._relaxed = relaxed
        self._exact = exact
        self._any_media = any_media
        missing = sorted({r.rule for r in self.routes if r.rule != PUBLIC and not enforcer.knows(r.rule)})
        if missing:
            raise ValueError(f"{name}: routes without a policy rule: {', '.join(missing)}")
        self._mapper = Mapper(register=False)
        self._mapper.minimization = False
        self._places: dict[str, _Place] = {}
        for route in self.routes:
            place = self._places.setdefault(route.path, _Place(route.path))
            place.by_method.setdefault(route.method, []).append(route)
        for template in sorted(self._places, key=lambda t: [part.startswith("{") for part in t.split("/")]):
            self._mapper.connect(None, template, place=template)
        self._mapper.create_regs()

    def base_url(self, request: Request) -> str:
        """Answer the URL of this API as the client sees it."""
        return self._link_prefix or request.application_url.rstrip("/")

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        request = Request(environ)
        request.application = self
        response = self._respond(request)
        try:
            self.dialect.finish(request, response)
        except Exception:
            LOG.exception("finishing an answer of %s failed", self.name)
        return response(environ, start_response)

    def _respond(self, request: Request) -> Response:
        request.context = request.environ.get(CONTEXT_KEY) or RequestContext()
        token = context_module.current.set(request.context)
        try:
            return self._handle(request)
        except NovalikeError as error:
            if error.code >= 500:
                LOG.warning("%s %s: %s %s", request.method, request.path, error, error.details)
            return self.dialect.fault(request, error.code, str(error), error)
        except Exception as error:
            LOG.exception("%s %s failed", request.method, request.path)
            return self.dialect.fault(
                request, 500, "Unexpected API Error. Please report this with the request id, and with the log of the API.",
                error,
            )
        finally:
            context_module.current.reset(token)

    def _handle(self, request: Request) -> Response:
        request.version = self.dialect.negotiate(request)
        try:
            place, request.path_args = self._find(_located(self.dialect, request))
        except NotFound:
            self._authenticate(request)
            raise
        method = "GET" if request.method == "HEAD" else request.method
        candidates = place.by_method.get(method)
        if candidates is None:
            self._authenticate(request)
            raise MethodNotAllowed(place.by_method)
        if any(route.rule != PUBLIC for route in candidates):
            self._authenticate(request)
        live = [r for r in candidates if within(request.version, r.since, r.until)]
        if any(r.action for r in candidates):
            route, request.body_value = self._action(request, candidates, live)
        elif not live:
            raise NotFound("The resource could not be found.")
        else:
            route, request.body_value = live[0], None
        request.route = route
        if route.rule != PUBLIC:
            self.enforcer.authorize(route.rule, request.context)
        request.params_given = route.query.parse(_query(request), request.version)
        if route.body is not None:
            if route.action is None and not route.stream:
                request.body_value = self._body(request, required=not route.relaxed)
            if self._relaxed:
                request.body_value = schema.known_only(route.body.at(request.version), request.body_value)
            schema.check(route.body, request.version, request.body_value)
        return self._render(route, route.handler(request))

    @staticmethod
    def _authenticate(request: Request) -> None:
        if request.context.user_id is None:
            raise Unauthorized("The request you have made requires authentication.")

    def _find(self, path: str) -> tuple[_Place, dict[str, str]]:
        found = self._mapper.match(path if path == "/" or self._exact else path.rstrip("/") or "/")
        if not found:
            raise NotFound("The resource could not be found.")
        return self._places[found.pop("place")], {k: v for k, v in found.items() if k not in {"controller", "action"}}

    def _action(self, request: Request, candidates: list[Route], live: list[Route]) -> tuple[Route, Any]:
        body = self._body(request, required=True)
        if len(body) != 1:
            raise Invalid("Malformed request body: too many body keys." if body else "Malformed request body: no action given.")
        word = next(iter(body))
        route = next((r for r in live if r.action == word), None)
        if route is None and any(r.action == word for r in candidates):
            raise NotFound("The resource could not be found.")
        if route is None:
            raise NotFoundAction(f"There is no such action: {word[:255]}")
        return route, body

    def _body(self, request: Request, *, required: bool) -> Any:
        if request.content_length is not None and request.content_length > self._max_body:
            raise TooLarge("Request is too large.")
        kind = (request.content_type or "").lower()
        if not self._any_media and kind and kind != "application/json" and not re.fullmatch(r"application/[\w.+-]*json[\w.+-]*", kind) and request.content_length:
            raise UnsupportedMedia(f"Unsupported Content-Type {kind[:100]}")
        raw = request.body_file.read(self._max_body + 1) if request.content_length is None else request.body
        if len(raw) > self._max_body:
            raise TooLarge("Request is too large.")
        if not raw:
            if required:
                raise Invalid("Malformed request body: it is empty.")
            return {}
        try:
            value = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            raise Invalid("Malformed request body: it is not JSON.") from error
        if not isinstance(value, dict):
            if required or value is not None:
                raise Invalid("Malformed request body: it must be a JSON object.")
            return {}
        if b"\\u0000" in raw and _has_nul(value):
            raise Invalid("Malformed request body: a text contains a NUL character.")
        return value

    @staticmethod
    def _render(route: Route, answer: Response | dict[str, Any] | list[Any] | bytes | None) -> Response:
        if isinstance(answer, Response):
            if not answer.has_body:
                answer.headers.pop("Content-Type", None)
            return answer
        response = Response(status=route.status)
        if answer is None:
            response.headers.pop("Content-Type", None)
            response.content_length = 0 if route.status != 204 else None
            return response
        response.content_type = "application/json"
        response.charset = None
        response.body = answer if isinstance(answer, bytes) else orjson.dumps(answer, default=str)
        return response


class MethodNotAllowed(NovalikeError):
    """The method is not allowed for this resource."""

    code = 405

    def __init__(self, methods: Iterable[str]) -> None:
        super().__init__("The method is not allowed for this resource.")
        self.allow = ", ".join(sorted(methods))


class UnsupportedMedia(NovalikeError):
    """The body's content type is not supported."""

    code = 415


class NotFoundAction(Invalid):
    """There is no such action word: 400, as Nova answers it."""


def _query(request: Request) -> Any:
    try:
        given = request.GET
    except UnicodeDecodeError as error:
        raise Invalid("Query string is not UTF-8 encoded.") from error
    if any("\0" in name or "\0" in value for name, value in given.items()):
        raise Invalid("Query string contains a NUL character.")
    return given


def _located(dialect: Dialect, request: Request) -> str:
    try:
        path = dialect.locate(request)
    except UnicodeDecodeError as error:
        raise Invalid("The URL's path is not UTF-8 encoded.") from error
    if "\0" in path:
        raise NotFound("The resource could not be found.")
    return path


def _has_nul(value: Any) -> bool:
    """Tell whether any text or key inside holds a NUL, which PostgreSQL refuses to store."""
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any("\0" in key or _has_nul(inner) for key, inner in value.items())
    return isinstance(value, list) and any(_has_nul(inner) for inner in value)


def authorized_only(context: RequestContext) -> None:
    """Raise Forbidden for a caller without a project."""
    if context.project_id is None:
        raise Forbidden("A project scope is required.")
