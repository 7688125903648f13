"""What stands before every API, whatever its dialect: size of bodies, and what a trusted proxy tells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from novalike.exception import TooLarge

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
        if not declared:
            environ["wsgi.input"] = _Bounded(environ["wsgi.input"], self._limit)
        return self._application(environ, start_response)


class _Bounded:
    """A body of unknown length (chunked). Raises TooLarge to its reader once it is longer than `limit` bytes."""

    def __init__(self, body: Any, limit: int) -> None:
        self._body = body
        self._left = limit

    def read(self, size: int = -1) -> bytes:
        """Answer up to `size` bytes; negative: all."""
        return self._counted(self._body.read(self._left + 1 if size is None or size < 0 else min(size, self._left + 1)))

    def readline(self, size: int = -1) -> bytes:
        """Answer the next line, or `size` bytes of it."""
        return self._counted(self._body.readline(self._left + 1 if size is None or size < 0 else min(size, self._left + 1)))

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")

    def _counted(self, piece: bytes) -> bytes:
        self._left -= len(piece)
        if self._left < 0:
            raise TooLarge("Request is too large.")
        return piece


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
