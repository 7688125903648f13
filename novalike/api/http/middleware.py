"""What stands before every API, whatever its dialect: size of bodies, and what a trusted proxy tells."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


class SizeLimit:
    """Refuses bodies longer than `limit` bytes with 413: at once when the length is declared, else when it is passed."""

    def __init__(self, application: Application, limit: int) -> None:
        self._application = application
        self._limit = limit

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        declared = environ.get("CONTENT_LENGTH") or ""
        if declared.isdigit() and int(declared) > self._limit:
            text = b"Request is too large.\n"
            # The body is not read: the connection cannot serve another request.
            start_response("413 Request Entity Too Large", [
                ("Content-Type", "text/plain"), ("Content-Length", str(len(text))), ("Connection", "close"),
            ])
            return [text]
        return self._application(environ, start_response)


class ProxyHeaders:
    """Takes scheme, host, prefix and client address from Forwarded or X-Forwarded-* headers (of the nearest proxy).

    Only where the operator says that a proxy sets them: otherwise any client could.
    """

    def __init__(self, application: Application) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        forwarded = environ.get("HTTP_FORWARDED", "")
        pairs = dict(part.strip().partition("=")[::2] for part in forwarded.split(",")[0].split(";") if "=" in part)
        told = {name.lower(): value.strip('"') for name, value in pairs.items()}
        proto = told.get("proto") or _first(environ, "HTTP_X_FORWARDED_PROTO")
        if proto in ("http", "https"):
            environ["wsgi.url_scheme"] = proto
        host = told.get("host") or _first(environ, "HTTP_X_FORWARDED_HOST")
        if host:
            environ["HTTP_HOST"] = host
        prefix = environ.get("HTTP_X_FORWARDED_PREFIX", "").rstrip("/")
        if prefix.startswith("/"):
            environ["SCRIPT_NAME"] = prefix + environ.get("SCRIPT_NAME", "")
        client = told.get("for") or _first(environ, "HTTP_X_FORWARDED_FOR")
        if client:
            environ["REMOTE_ADDR"] = client
        return self._application(environ, start_response)


def _first(environ: dict[str, Any], name: str) -> str:
    return str(environ.get(name, "")).split(",")[0].strip()
