"""The Compute API as one WSGI application: `/` (versions), `/v2.1` and the relaxed `/v2` over the same routes."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

from webob import Request, Response

from novalike.api.http.application import CONTEXT_KEY, Application, Route
from novalike.api.openstack import aliases, compute, not_built, versions
from novalike.api.openstack.dialect import ComputeDialect, looks_like_project
from novalike.api.services import ApiServices
from novalike.context import RequestContext

#: Served here and not by a route: not a project id.
_ROOT_WORDS = frozenset({"versions"})


def routes(services: ApiServices) -> tuple[Route, ...]:
    """Answer the routes of every resource: each module of `compute/` lists its own by `routes(services)`.

    After them come what is not built, and the old name of /servers.
    """
    found: list[Route] = []
    for module in sorted(info.name for info in pkgutil.iter_modules(compute.__path__)):
        found.extend(importlib.import_module(f"{compute.__name__}.{module}").routes(services))
    found.extend(not_built.routes(tuple(found)))
    found.extend(aliases.routes(tuple(found)))
    return tuple(found)


def application(services: ApiServices) -> ComputeApi:
    """Build the Compute API. It expects the authentication middleware around it, which leaves the caller's context in the
    WSGI environment and lets requests without a token pass: version documents are public, all else answers 401 here.

    Raises ValueError when a route names an unknown policy rule.
    """
    prefix = services.conf.api.compute_link_prefix
    table = routes(services)
    words = frozenset(route.path.split("/")[1] for route in table) | _ROOT_WORDS
    parts = {
        name: Application(
            f"compute {name}", table, enforcer=services.enforcer, relaxed=name == "v2", exact=True,
            dialect=ComputeDialect(words, legacy=name == "v2", identity_url=services.conf.endpoints.identity),
            link_prefix=f"{prefix.rstrip('/')}/{name}" if prefix else None,
        ) for name in versions.VERSIONS
    }
    return ComputeApi(parts, prefix, words)


class ComputeApi:
    """Sends a request to the version its path names, and answers the version documents itself."""

    def __init__(self, parts: dict[str, Application], link_prefix: str | None, words: frozenset[str]) -> None:
        self.parts = parts
        self._words = words
        self._link_prefix = link_prefix.rstrip("/") if link_prefix else None

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        name, slash, rest = environ.get("PATH_INFO", "").lstrip("/").partition("/")
        part = self.parts.get(name)
        if part is not None and not self._asks_version(rest.strip("/")):
            environ["SCRIPT_NAME"] = f"{environ.get('SCRIPT_NAME', '')}/{name}"
            environ["PATH_INFO"] = f"/{rest}"
            return part(environ, start_response)
        request = Request(environ)
        base = self._link_prefix or request.application_url.rstrip("/")
        response = self._root(request, base, name, slash, rest)
        context = environ.get(CONTEXT_KEY) or RequestContext()
        response.headers["X-Compute-Request-Id"] = response.headers["X-OpenStack-Request-Id"] = context.request_id
        return response(environ, start_response)

    def _root(self, request: Request, base: str, name: str, slash: str, rest: str) -> Response:
        if not name:
            return versions.index(base)
        if name not in self.parts:
            try:
                return versions.choices(request, base)
            except UnicodeDecodeError:
                return Response(status=404)
        if not slash:
            return Response(status=302, location=f"{base}/{name}/")
        _, _, wanted = rest.strip("/").partition("versions/")
        found = versions.named(wanted) if wanted else name
        return versions.show(found, base) if found else Response(status=404)

    def _asks_version(self, rest: str) -> bool:
        """Tell whether the path below a version asks for its document: nothing, a project id alone, or versions/{id}."""
        return rest.startswith("versions/") or ("/" not in rest and rest not in self._words and looks_like_project(rest))
