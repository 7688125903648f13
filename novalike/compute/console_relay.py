"""Lets console proxies of other hosts in to guests' consoles, which themselves listen on loopback only.

A ticket, which the proxy gets over RPC, opens one connection within seconds. The proxy connects, sends the ticket and a line
feed, and from then on both sides speak to each other. Wrong tickets end the connection without an answer.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import socket
import threading

from novalike.clock import Clock
from novalike.objects.console import ConsoleRoute
from novalike.objects.secret import Secret

LOG = logging.getLogger(__name__)

#: Seconds in which a ticket must be used, and a caller must have sent it.
TICKET_LIFE = 20.0
PATIENCE = 5.0
#: Tickets which wait at most, and connections at a time.
MOST_TICKETS, MOST_CONNECTIONS = 1000, 200
_TICKET_LENGTH = 43                                      # of token_urlsafe(32)
_PIECE = 65536


class ConsoleRelay:
    """Listens on one address from `start` to `stop`. `port` 0 finds a free one."""

    def __init__(self, host: str, port: int, clock: Clock) -> None:
        self.host, self.port = host, port
        self._clock = clock
        self._tickets: dict[str, tuple[float, str, int]] = {}        # ticket -> end of its life, where to
        self._lock = threading.Lock()
        self._room = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self._listener: socket.socket | None = None
        self._stopping = False

    def start(self) -> None:
        """Listen. Raises OSError when the address is taken."""
        family = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)[0][0]
        self._listener = socket.create_server((self.host, self.port), family=family, backlog=64)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, args=(self._listener,), name="console relay", daemon=True).start()
        LOG.info("Console proxies of other hosts come in at %s:%s", self.host, self.port)

    def stop(self) -> None:
        """Listen no more. Connections end with the process."""
        self._stopping = True
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)        # wakes who waits in accept
            self._listener.close()

    def admit(self, host: str, port: int) -> ConsoleRoute:
        """Answer a way for one connection to a console which listens there."""
        ticket = secrets.token_urlsafe(32)
        now = self._clock.monotonic()
        with self._lock:
            self._tickets = {key: value for key, value in self._tickets.items() if value[0] > now}
            while len(self._tickets) >= MOST_TICKETS:
                self._tickets.pop(next(iter(self._tickets)))
            self._tickets[ticket] = (now + TICKET_LIFE, host, port)
        return ConsoleRoute(host=self.host, port=self.port, ticket=Secret(ticket))

    def _serve(self, listener: socket.socket) -> None:
        while not self._stopping:
            try:
                caller, _address = listener.accept()
            except OSError as error:
                if self._stopping:
                    return
                LOG.warning("The console relay could not accept a connection: %s", error)
                self._clock.sleep(0.5)                   # out of file descriptors, most likely
                continue
            if self._room.acquire(blocking=False):
                threading.Thread(target=self._connected, args=(caller,), name="console relay connection", daemon=True).start()
            else:
                caller.close()

    def _connected(self, caller: socket.socket) -> None:
        try:
            with caller:
                self._relay(caller)
        except OSError as error:
            LOG.debug("A relayed console ended: %s", error)
        finally:
            self._room.release()

    def _relay(self, caller: socket.socket) -> None:
        caller.settimeout(PATIENCE)
        where = self._redeem(_line(caller))
        if where is None:
            LOG.warning("Somebody without a valid ticket called the console relay")
            return
        with socket.create_connection(where, timeout=PATIENCE) as guest:
            for side in (caller, guest):
                side.settimeout(None)
                side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            back = threading.Thread(target=_copy, args=(guest, caller), name="console relay back", daemon=True)
            back.start()
            _copy(caller, guest)
            back.join()

    def _redeem(self, ticket: str) -> tuple[str, int] | None:
        with self._lock:
            end, host, port = self._tickets.pop(ticket, (0.0, "", 0))
        return (host, port) if end > self._clock.monotonic() else None


def _line(caller: socket.socket) -> str:
    """Read a ticket and its line feed, and not a byte more."""
    found = b""
    while len(found) <= _TICKET_LENGTH:
        piece = caller.recv(_TICKET_LENGTH + 1 - len(found))
        if not piece:
            break
        found += piece
    return found[:-1].decode("ascii", "replace") if found.endswith(b"\n") else ""


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Send on what comes until either side ends, then end both."""
    try:
        while piece := source.recv(_PIECE):
            target.sendall(piece)
    except OSError as error:
        LOG.debug("A relayed console broke: %s", error)
    for side in (source, target):
        with contextlib.suppress(OSError):
            side.shutdown(socket.SHUT_RDWR)
