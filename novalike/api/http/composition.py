"""From a paste file to WSGI applications.

A paste file holds text only, and names factories: those are here. What they build upon, the ApiServices, waits in a registry
under a key which `load` passes along, for as long as the file is being read.

    [app:compute_api]
    paste.app_factory = novalike.api.http.composition:application
    module = novalike.api.openstack.app

`module` is one of ours with `application(services)`. `local = image` says that the API exists only where that service is
local: elsewhere its place answers 404, and clients find the remote one in the catalog.
"""

from __future__ import annotations

import importlib
import itertools
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import orjson
from paste.deploy import loadapp

from novalike.api.http.middleware import ProxyHeaders, SizeLimit
from novalike.api.middleware.auth import auth_filter
from novalike.api.middleware.request_id import RequestId
from novalike.api.services import ApiServices

LOG = logging.getLogger(__name__)

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]
Filter = Callable[[Application], Application]

_KEY = "services"
_numbers = itertools.count()
_registry: dict[str, ApiServices] = {}


def load(path: Path, name: str, services: ApiServices) -> Application:
    """Answer the application (or pipeline, or composite) which a paste file calls `name`.

    Raises LookupError when the file does not define it, and ValueError when a route names an unknown policy rule.
    """
    key = str(next(_numbers))
    _registry[key] = services
    try:
        return loadapp(f"config:{path.resolve()}", name=name, global_conf={_KEY: key})  # type: ignore[no-any-return]
    finally:
        del _registry[key]


def _services(settings: dict[str, str]) -> ApiServices:
    return _registry[settings[_KEY]]


def application(settings: dict[str, str], *, module: str, local: str | None = None) -> Application:
    """Paste app factory: the API of a module of ours."""
    services = _services(settings)
    if local is not None and local not in services.local:
        return not_here
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        LOG.warning("%s is not built: its place answers 404", module)
        return not_here
    return found.application(services)  # type: ignore[no-any-return]


def prefixes(loader: Any, settings: dict[str, str], **paths: str) -> Application:
    """Paste composite factory: several applications under path prefixes of one port. `/` lists them."""
    return Prefixes({path.rstrip("/"): loader.get_app(name, global_conf=settings) for path, name in paths.items()})


def request_id(_settings: dict[str, str], *, headers: str = "X-Openstack-Request-Id") -> Filter:
    """Paste filter factory: gives every request an id."""
    return lambda inner: RequestId(inner, headers=tuple(headers.split()))


def authentication(settings: dict[str, str], *, service_type: str) -> Filter:
    """Paste filter factory: finds out who asks."""
    services = _services(settings)
    return lambda inner: auth_filter(inner, services, service_type=service_type)


def size_limit(settings: dict[str, str]) -> Filter:
    """Paste filter factory: bounds bodies by [oslo_middleware] max_request_body_size."""
    limit = _services(settings).conf.oslo_middleware.max_request_body_size
    return lambda inner: SizeLimit(inner, limit)


def proxy_headers(settings: dict[str, str]) -> Filter:
    """Paste filter factory: believes a proxy's headers, if [oslo_middleware] enable_proxy_headers_parsing says so."""
    return ProxyHeaders if _services(settings).conf.oslo_middleware.enable_proxy_headers_parsing else lambda inner: inner


class Prefixes:
    """Sends a request to the application whose prefix its path starts with."""

    def __init__(self, applications: dict[str, Application]) -> None:
        self._applications = applications
        self._index = orjson.dumps({"apis": [
            {"name": path.lstrip("/"), "path": f"{path}/"} for path in sorted(self._applications)
        ]})

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        first, slash, rest = path.lstrip("/").partition("/")
        inner = self._applications.get(f"/{first}")
        if inner is not None:
            environ["SCRIPT_NAME"] = f"{environ.get('SCRIPT_NAME', '')}/{first}"
            environ["PATH_INFO"] = f"{slash}{rest}"
            return inner(environ, start_response)
        if not path.strip("/"):
            start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(self._index)))])
            return [self._index]
        return not_here(environ, start_response)


def not_here(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """WSGI application of a place where there is nothing."""
    text = b'{"message": "There is nothing here."}'
    start_response("404 Not Found", [("Content-Type", "application/json"), ("Content-Length", str(len(text)))])
    return [text]
