"""A browser's side of a session: websockify's WebSocket over a socket which never blocks."""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import Any

from websockify import websocket

from novalike.console.session import LIMIT, TooMuch

_BINARY, _PONG = 0x2, 0xA


class BrowserSocket(websocket.WebSocket):  # type: ignore[misc]  # websockify has no types
    """Sends by queueing: `put` adds a message, `flush` sends what fits, `unsent` tells whether something is left.

    websockify's own `sendmsg` repeats a whole message when TLS asks to wait in its middle, so it is not used.
    """

    def __init__(self, handler: Any) -> None:
        super().__init__()
        self._handler = handler

    # While accepting, answers go through the HTTP handler.
    def send_response(self, code: int, message: str | None = None) -> None:
        self._handler.send_response(code, message)

    def send_header(self, keyword: str, value: str) -> None:
        self._handler.send_header(keyword, value)

    def end_headers(self) -> None:
        self._handler.end_headers()

    def select_subprotocol(self, protocols: list[str]) -> str:
        """Answer `binary` where it is offered; old clients insist on it."""
        return "binary" if "binary" in protocols else ""

    def handle_ping(self, data: bytes) -> None:
        with contextlib.suppress(ssl.SSLWantWriteError):
            self._sendmsg(_PONG, data)

    @property
    def unsent(self) -> bool:
        """Whether something waits to be sent."""
        return bool(self._send_buffer)

    def put(self, message: bytes) -> None:
        """Queue a message and send what fits."""
        with contextlib.suppress(ssl.SSLWantWriteError):
            self._sendmsg(_BINARY, message)

    def flush(self) -> None:
        """Send what fits."""
        with contextlib.suppress(ssl.SSLWantWriteError):
            self._flush()

    def take(self) -> bytes | None:
        """Answer the next message; None when the browser ended the session. Raises BlockingIOError when there is none yet,
        TooMuch, and OSError for a broken connection."""
        try:
            message: bytes | None = self.recvmsg()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
            if len(self._recv_buffer) + len(self._partial_msg) > LIMIT:
                raise TooMuch from error
            raise BlockingIOError from error
        return message

    def end(self, code: int, reason: str) -> None:
        """Say why the session is over, as far as the browser still listens."""
        with contextlib.suppress(OSError):
            if self.socket is not None:
                self.socket.settimeout(2)
                self.shutdown(socket.SHUT_RDWR, code, reason)
