"""Serves one WSGI application on one address: eventlet's server with green threads, cheroot with native ones.

Both keep connections alive, accept chunked uploads, stream answers, bound the size of headers, and stop gracefully: the
listening socket closes first, idle connections are closed, requests under way are finished.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from novalike import concurrency, context
from novalike.api.http.application import CONTEXT_KEY

LOG = logging.getLogger(__name__)
ACCESS = logging.getLogger("novalike.api.http.access")

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Of one HTTP server; `idle` in seconds (0: for ever), `grace` for how long a stop waits for requests under way."""

    connections: int = 1000
    threads: int = 32
    idle: int = 900
    keep_alive: bool = True
    header_line: int = 16384
    backlog: int = 128
    grace: int = 60
    access_log: bool = True


def limits(conf: Any) -> Limits:
    """Answer the limits which [wsgi] sets."""
    wsgi = conf.wsgi
    return Limits(
        connections=wsgi.default_pool_size, threads=wsgi.threads, idle=wsgi.client_socket_timeout, keep_alive=wsgi.keep_alive,
        header_line=wsgi.max_header_line, backlog=wsgi.backlog, grace=conf.graceful_shutdown_timeout, access_log=wsgi.access_log,
    )


class HttpServer:
    """A part for service.Runner. Binds in the constructor, so that a port taken is an error at once; `port` 0 finds a free one."""

    def __init__(self, application: Application, host: str, port: int, limits: Limits, *, name: str = "http") -> None:
        self.name = name
        self._limits = limits
        self._socket = _listen(host, port, limits.backlog)
        self.host, self.port = self._socket.getsockname()[:2]
        green = concurrency.mode() == "eventlet"
        self._server: Any = (_Green if green else _Native)(self._socket, _Recorded(application, limits.access_log), limits)

    def start(self) -> None:
        """Answer requests from now on; until then clients wait in the backlog."""
        self._server.start()
        LOG.info("%s answers on %s:%s", self.name, self.host, self.port)

    def stop(self) -> None:
        """Accept nothing more, and wait (at most `grace` seconds) for requests under way."""
        self._server.stop()
        self._socket.close()


def _listen(host: str, port: int, backlog: int) -> socket.socket:
    family, kind, protocol, _name, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        # Small answers are not held back until the client acknowledged the last one; accepted sockets inherit it.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.bind(address)
        listener.listen(backlog)
    except BaseException:
        listener.close()
        raise
    return listener


class _Green:
    def __init__(self, listener: socket.socket, application: Application, limits: Limits) -> None:
        import eventlet
        from eventlet import wsgi

        # Module-wide in eventlet, as oslo.service sets it too.
        wsgi.MAX_HEADER_LINE, wsgi.MAX_TOTAL_HEADER_SIZE = limits.header_line, 8 * limits.header_line
        self._eventlet, self._wsgi = eventlet, wsgi
        self._socket, self._application, self._limits = listener, application, limits
        self._pool = eventlet.GreenPool(limits.connections)
        self._thread: Any = None

    def start(self) -> None:
        limits = self._limits
        # Its own duplicate: eventlet closes what it serves.
        self._thread = self._eventlet.spawn(
            self._wsgi.server, self._socket.dup(), self._application, custom_pool=self._pool, log=LOG, log_output=False,
            keepalive=(limits.idle or True) if limits.keep_alive else False, socket_timeout=limits.idle or None,
            url_length_limit=limits.header_line, debug=False, minimum_chunk_size=1,      # pieces go out as they come
        )

    def stop(self) -> None:
        if self._thread is None:
            return
        # Ends the accept loop; its end closes idle connections and waits for the others.
        self._thread.kill()
        with self._eventlet.Timeout(self._limits.grace, False):
            try:
                self._thread.wait()
            except self._eventlet.greenlet.GreenletExit:
                return
            return
        LOG.warning("Requests still run after %s s; leaving them", self._limits.grace)


class _Native:
    def __init__(self, listener: socket.socket, application: Application, limits: Limits) -> None:
        from cheroot import wsgi

        self._server: Any = wsgi.Server(
            listener.getsockname()[:2], application, numthreads=min(8, limits.threads), max=limits.threads,
            request_queue_size=limits.backlog, timeout=limits.idle or 10**8, shutdown_timeout=limits.grace,
            server_name="novalike",
        )
        self._server.max_request_header_size = 8 * limits.header_line
        self._server.keep_alive_conn_limit = limits.connections if limits.keep_alive else 0
        self._server.error_log = _cheroot_log    # type: ignore[method-assign, assignment]  # it is made for that
        self._listener = listener
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._server.bind = self._adopt          # prepare() binds; the socket is bound already
        self._server.prepare()
        self._thread = threading.Thread(target=self._server.serve, name="http", daemon=True)
        self._thread.start()

    def _adopt(self, *_arguments: Any) -> None:
        self._server.socket = self._listener.dup()

    def stop(self) -> None:
        if self._thread is not None:
            self._server.stop()
            self._thread.join(self._limits_grace())

    def _limits_grace(self) -> float:
        return float(self._server.shutdown_timeout)


def _cheroot_log(message: str = "", level: int = logging.INFO, traceback: bool = False) -> None:
    LOG.log(level, "%s", message, exc_info=traceback)


class _Recorded:
    """The application, with one log line per request, and chunked bodies marked as WSGI has it."""

    def __init__(self, application: Application, access_log: bool) -> None:
        self._application = application
        self._access_log = access_log

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked":
            environ["wsgi.input_terminated"] = True      # the server's input ends by itself: WebOb may read it
        if not (self._access_log and ACCESS.isEnabledFor(logging.INFO)):
            return self._answered(environ, start_response)
        started = time.monotonic()
        # Middleware shifts these while it routes.
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        status = "-"

        def remember(code: str, *arguments: Any) -> Any:
            nonlocal status
            status = code[:3]
            return start_response(code, *arguments)
        answer = self._answered(environ, remember)
        return _Counted(answer, lambda length: self._write(environ, path, status, length, time.monotonic() - started))

    def _answered(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        try:
            return self._application(environ, start_response)
        except Exception:
            LOG.exception("No application answered this request; its client gets a bare 500")     # the server itself says nothing
            raise

    @staticmethod
    def _write(environ: dict[str, Any], path: str, status: str, length: int, seconds: float) -> None:
        # The query is left out: it may hold what only its sender should read.
        token = context.current.set(environ.get(CONTEXT_KEY))
        ACCESS.info(
            '%s "%s %s" status: %s len: %d time: %.4f', environ.get("REMOTE_ADDR", "-"), environ.get("REQUEST_METHOD"),
            path.encode("latin-1", "replace").decode("utf-8", "replace"), status, length, seconds,
        )
        context.current.reset(token)


class _Counted:
    """An answer which tells how long it was when the server is done with it."""

    def __init__(self, answer: Iterable[bytes], done: Callable[[int], None]) -> None:
        self._answer = answer
        self._done = done
        self._length = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._answer:
            self._length += len(piece)
            yield piece

    def close(self) -> None:
        """As WSGI wants: called once, also when the client went away."""
        try:
            close = getattr(self._answer, "close", None)
            if close is not None:
                close()
        finally:
            self._done(self._length)
