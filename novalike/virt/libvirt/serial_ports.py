"""Gives out TCP ports for guests' serial ports."""

from __future__ import annotations

import contextlib
import random
import socket
import threading

from novalike.clock import Clock
from novalike.exception import BuildFailed

#: Seconds for which a port that was given out is not given out again: QEMU has bound it by then, or never will.
_RESERVED = 600.0


class SerialPorts:
    """Gives out ports of one address for guests' serial ports: free ones, and none twice within ten minutes."""

    def __init__(self, host: str, port_range: str, clock: Clock) -> None:
        first, _, end = port_range.partition(":")
        self.host = host
        self._range = range(int(first), int(end))
        self._clock = clock
        self._lock = threading.Lock()
        self._given: dict[int, float] = {}

    def take(self, count: int) -> tuple[int, ...]:
        """Answer so many free ports. Raises BuildFailed when there are not as many."""
        found: list[int] = []
        with self._lock:
            now = self._clock.monotonic()
            self._given = {port: until for port, until in self._given.items() if until > now}
            # In any order: several daemons behind one address (a lab) would else always try the same.
            for port in random.sample(self._range, len(self._range)):
                if len(found) == count:
                    break
                if port not in self._given and self._free(port):
                    self._given[port] = now + _RESERVED
                    found.append(port)
        if len(found) < count:
            raise BuildFailed("The host has no free port left for the server's serial console.")
        return tuple(found)

    def _free(self, port: int) -> bool:
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)      # as QEMU does
            probe.bind((self.host, port))
            return True
        return False
