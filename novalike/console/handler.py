"""One connection to a proxy: its page as files, and WebSockets as consoles."""

from __future__ import annotations

import logging
import socket
import time
from http.server import SimpleHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

from websockify.websocketserver import WebSocketRequestHandlerMixIn

from novalike import context
from novalike.console import gate
from novalike.console.proxy import Proxy
from novalike.console.session import Session
from novalike.console.websocket import BrowserSocket
from novalike.exception import NovalikeError
from novalike.objects.console import ConsoleRoute, ConsoleToken

LOG = logging.getLogger(__name__)

#: Seconds in which a guest's console must take a connection.
CONNECT_TIMEOUT = 5.0


class Handler(WebSocketRequestHandlerMixIn, SimpleHTTPRequestHandler):  # type: ignore[misc]  # websockify has no types
    """Speaks HTTP on one connection. Tokens stand in URLs, so URLs are never logged."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "novalike", ""
    timeout = 60                                         # seconds for a request to arrive
    SocketClass = BrowserSocket

    def __init__(self, request: socket.socket, address: Any, proxy: Proxy) -> None:
        self._proxy = proxy
        super().__init__(request, address, None, directory=proxy.web or "/nonexistent")  # type: ignore[arg-type]

    def handle_upgrade(self) -> None:
        """Let a WebSocket in, or answer 4xx or 5xx."""
        context.current.set(context.service_context())
        try:
            token = self._admit()
            guest = _connect(self._proxy.route(token))
        except NovalikeError as error:
            LOG.info("%s may not see a console: %s %s", self.client_address[0], error, error.details)
            self.close_connection = True
            self.send_error(error.code, str(error))
            return
        except OSError as error:
            LOG.warning("A guest's console does not answer: %s", error)
            self.close_connection = True
            self.send_error(502, "The console does not answer.")
            return
        with guest:
            self._join(token, guest)

    def _admit(self) -> ConsoleToken:
        proxy, headers = self._proxy, self.headers
        secret = gate.token_in(self.path, headers.get("Cookie"))
        token = gate.check(proxy.tokens.find(secret), proxy.kinds)
        gate.check_origin(headers.get("Origin"), headers.get("Host"), token.address.access_url_base, proxy.allowed_origins)
        return token

    def _join(self, token: ConsoleToken, guest: socket.socket) -> None:
        browser = BrowserSocket(self)
        self.close_connection = True                     # no request can follow
        try:
            browser.accept(self.request, self.headers)
        except Exception as error:                       # websockify raises nothing more exact
            self.send_error(400, str(error))
            return
        begun = time.monotonic()
        LOG.info("%s sees the %s console of instance %s", self.client_address[0], token.console_type, token.instance_uuid)
        self._proxy.sessions.run(Session(token, browser, guest))
        LOG.info(
            "%s saw the %s console of instance %s for %d s", self.client_address[0], token.console_type, token.instance_uuid,
            time.monotonic() - begun,
        )

    def do_GET(self) -> None:
        """Answer a file of the page."""
        if self._proxy.web is None:
            self.send_error(404)
        else:
            super().do_GET()

    def do_HEAD(self) -> None:
        """Answer a file's headers."""
        if self._proxy.web is None:
            self.send_error(404)
        else:
            super().do_HEAD()

    def list_directory(self, path: Any) -> None:
        """Answer 404: folders are not shown."""
        self.send_error(404)

    def end_headers(self) -> None:
        """Add what every answer has: the page's URL holds a token, which nobody else shall learn from a Referer."""
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        """Log a request without its query."""
        LOG.debug("%s %s %s: %s", self.client_address[0], self.command, urlsplit(self.path).path, int(code))

    def log_error(self, format: str, *arguments: Any) -> None:
        """Log a refusal by its number only: its text may hold the URL."""
        LOG.debug("%s: refused: %s", self.client_address[0], arguments[0] if arguments else format)


def _connect(route: ConsoleRoute) -> socket.socket:
    guest = socket.create_connection((route.host, route.port), timeout=CONNECT_TIMEOUT)
    try:
        guest.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        guest.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if route.ticket is not None:
            guest.sendall(route.ticket.reveal().encode() + b"\n")
    except BaseException:
        guest.close()
        raise
    return guest
