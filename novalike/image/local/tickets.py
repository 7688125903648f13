"""Tickets: a signed permission to fetch, or to send, one image's bytes, for a hypervisor which has no token."""

from __future__ import annotations

import hashlib
import hmac

from novalike.clock import Clock
from novalike.db import keys
from novalike.db.engine import Database

HEADER = "X-Image-Ticket"
#: What a ticket is good for; one for the one is none for the other.
READ, UPLOAD = "read", "upload"


class Tickets:
    """Issues and checks tickets; the key is shared by all API processes. `lifetime` in seconds."""

    def __init__(self, database: Database, clock: Clock, *, lifetime: int) -> None:
        self._database = database
        self._clock = clock
        self._lifetime = lifetime
        self._secret: bytes | None = None

    def issue(self, image_id: str, purpose: str = READ) -> str:
        """Answer a ticket for reading (or filling) this image, good for `lifetime` from now."""
        expires = str(int(self._clock.time()) + self._lifetime)
        return f"{expires}.{self._signature(purpose, image_id, expires)}"

    def holds(self, ticket: str, image_id: str, purpose: str = READ) -> bool:
        """Tell whether a ticket allows to read (or fill) this image now."""
        expires, dot, signature = ticket.partition(".")
        if not dot or not expires.isascii() or not expires.isdecimal() or len(expires) > 12:
            return False
        genuine = hmac.compare_digest(self._signature(purpose, image_id, expires).encode(), signature.encode(errors="replace"))
        return genuine and int(expires) > self._clock.time()

    def _signature(self, purpose: str, image_id: str, expires: str) -> str:
        if self._secret is None:
            self._secret = keys.key(self._database, "image_ticket")
        return hmac.new(self._secret, f"{purpose} {image_id} {expires}".encode(), hashlib.sha256).hexdigest()
