"""Serves a WSGI application on a free loopback port by our own HTTP server, for clients which want a real socket."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from novalike.api.http.server import HttpServer, Limits


@contextlib.contextmanager
def serve(app: Any) -> Iterator[str]:
    """Answer the URL under which `app` is served while the block runs."""
    server = HttpServer(app, "127.0.0.1", 0, Limits(grace=1, idle=5, threads=8, access_log=False))
    server.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.stop()
