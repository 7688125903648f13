"""One user at one console, and all those of a proxy."""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

from novalike.console.gate import Tokens
from novalike.objects.console import ConsoleToken

if TYPE_CHECKING:
    from novalike.console.websocket import BrowserSocket

LOG = logging.getLogger(__name__)

#: Most bytes of one message, and of what a browser sent and the guest has not taken.
LIMIT = 1 << 20
_PIECE = 65536
#: WebSocket's close codes.
NORMAL, GOING_AWAY, POLICY, TOO_BIG, FAILED = 1000, 1001, 1008, 1009, 1011


class TooMuch(Exception):
    """The browser sent a message longer than LIMIT."""


class Session:
    """Joins a browser and a guest until either ends, or `end` is called. Each side waits for the other when it is slow."""

    def __init__(self, token: ConsoleToken, browser: BrowserSocket, guest: socket.socket) -> None:
        self.token = token
        self._browser, self._guest = browser, guest
        self._to_guest = b""
        self._more = True                                # the browser may have sent what no selector tells of
        self._over: tuple[int, str] | None = None

    def end(self, code: int, reason: str) -> None:
        """End it, from any thread."""
        self._over = self._over or (code, reason)
        with contextlib.suppress(OSError):
            self._guest.shutdown(socket.SHUT_RDWR)       # wakes run()

    def run(self) -> None:
        """Work until the end, and tell the browser why it came."""
        self._browser.setblocking(False)
        self._guest.setblocking(False)
        try:
            with selectors.DefaultSelector() as selector:
                while self._over is None:
                    self._turn(selector)
        except TooMuch:
            self._over = TOO_BIG, "The message is too long."
        except OSError as error:
            LOG.debug("A console of instance %s broke: %s", self.token.instance_uuid, error)
            self._over = self._over or (FAILED, "The connection to the console broke.")
        assert self._over is not None
        self._browser.end(*self._over)

    def _turn(self, selector: selectors.BaseSelector) -> None:
        if self._more and not self._to_guest:
            self._read_browser()
            if self._over is not None:
                return
        waits = self._browser.unsent
        browser = (0 if self._to_guest else selectors.EVENT_READ) | (selectors.EVENT_WRITE if waits else 0)
        guest = (0 if waits else selectors.EVENT_READ) | (selectors.EVENT_WRITE if self._to_guest else 0)
        _watch(selector, self._browser, browser)
        _watch(selector, self._guest, guest)
        for key, events in selector.select():
            if key.fileobj is self._guest:
                self._serve_guest(events)
            elif events & selectors.EVENT_WRITE:
                self._browser.flush()
            else:
                self._more = True

    def _read_browser(self) -> None:
        try:
            while len(self._to_guest) < LIMIT:
                message = self._browser.take()
                if message is None:
                    self._over = self._over or (NORMAL, "")
                    return
                self._to_guest += message
        except BlockingIOError:
            self._more = False

    def _serve_guest(self, events: int) -> None:
        with contextlib.suppress(BlockingIOError):
            if events & selectors.EVENT_WRITE and self._to_guest:
                self._to_guest = self._to_guest[self._guest.send(self._to_guest):]
        with contextlib.suppress(BlockingIOError):
            if events & selectors.EVENT_READ:
                piece = self._guest.recv(_PIECE)
                if piece:
                    self._browser.put(piece)
                else:
                    self._over = self._over or (NORMAL, "The console was closed.")


class Sessions:
    """The sessions of one proxy."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._live: set[Session] = set()
        self._lock = threading.Lock()

    def run(self, session: Session) -> None:
        """Run a session to its end."""
        with self._lock:
            self._live.add(session)
        try:
            session.run()
        finally:
            with self._lock:
                self._live.discard(session)

    def live(self) -> tuple[Session, ...]:
        """Answer those which run now."""
        with self._lock:
            return tuple(self._live)

    def check(self) -> None:
        """End the sessions whose tokens were revoked, or whose servers are gone or moved. Raises Unavailable."""
        live = self.live()
        if not live:
            return
        standing = self._tokens.standing({session.token for session in live})
        fallen = [session for session in live if session.token not in standing]
        for session in fallen:
            LOG.info("A console of instance %s ends: its token does not hold any more", session.token.instance_uuid)
        _end(fallen, POLICY, "The console is not yours any more.")

    def end(self) -> None:
        """End them all, as the proxy stops."""
        _end(self.live(), GOING_AWAY, "The proxy stops.")


def _end(sessions: Iterable[Session], code: int, reason: str) -> None:
    for session in sessions:
        session.end(code, reason)


def _watch(selector: selectors.BaseSelector, side: BrowserSocket | socket.socket, events: int) -> None:
    known = selector.get_map().get(side)
    if known is None:
        if events:
            selector.register(side, events)
    elif not events:
        selector.unregister(side)
    elif known.events != events:
        selector.modify(side, events)
