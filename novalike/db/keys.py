"""Secret keys which the processes of one cloud share: made by whoever needs one first, kept in GLOBAL."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from novalike.clock import Clock
from novalike.db.base import now_ms
from novalike.db.engine import Database
from novalike.db.models.keys import ServiceKeyLock, ServiceKeyRow


def listing(session: Session, purpose: str) -> list[str]:
    """Answer the keys of a purpose, newest first."""
    row = ServiceKeyRow
    return list(session.scalars(sa.select(row.key).where(row.purpose == purpose).order_by(row.id.desc())))


def add(session: Session, purpose: str, key: str, *, keep: int = 0) -> list[str]:
    """Add a key as the newest and answer all; with `keep` only so many newest ones stay."""
    row = ServiceKeyRow
    session.execute(sa.insert(row).values(purpose=purpose, key=key, created_at=now_ms()))
    if keep:
        ids = list(session.scalars(sa.select(row.id).where(row.purpose == purpose).order_by(row.id.desc())))
        session.execute(sa.delete(row).where(row.id.in_(ids[keep:])))
    return listing(session, purpose)


def ensure(session: Session, purpose: str, key: str) -> list[str]:
    """Answer the keys of a purpose, newest first; `key` is stored when there is none."""
    lock = sa.select(ServiceKeyLock.purpose).where(ServiceKeyLock.purpose == purpose).with_for_update()
    if session.scalar(lock) is None:
        try:
            with session.begin_nested():
                session.execute(sa.insert(ServiceKeyLock).values(purpose=purpose))
        except IntegrityError:                   # another process came first
            session.scalar(lock)
    return listing(session, purpose) or add(session, purpose, key)


def key(database: Database, purpose: str) -> bytes:
    """Answer the 32-byte key of a purpose which has one that never changes; the first caller makes it, all others get the same."""
    found = database.fetch(listing, purpose) or database.write(ensure, purpose, secrets.token_hex(32))
    return bytes.fromhex(found[0])


class KeyRing:
    """The keys of one purpose in this process. `make` answers a fresh key, for the first use ever."""

    def __init__(self, database: Database, purpose: str, make: Callable[[], str], clock: Clock) -> None:
        self._database = database
        self._purpose = purpose
        self._make = make
        self._clock = clock
        self._keys: tuple[str, ...] = ()
        self._loaded_at = 0.0
        self._lock = threading.Lock()

    def all(self) -> tuple[str, ...]:
        """Answer all keys, newest first."""
        return self._keys or self._load()

    def reload(self) -> bool:
        """Look for keys which another process added, at most once a second. Tells whether there are any."""
        if self._clock.monotonic() - self._loaded_at < 1.0:
            return False
        before = self._keys
        return self._load() != before

    def rotate(self, *, keep: int = 3) -> None:
        """Make a new newest key and keep only so many. Other processes notice when they meet what it signed."""
        with self._lock:
            self._keys = tuple(self._database.write(add, self._purpose, self._make(), keep=keep))

    def _load(self) -> tuple[str, ...]:
        with self._lock:
            found = self._database.fetch(listing, self._purpose)
            if not found:
                found = self._database.write(ensure, self._purpose, self._make())
            self._keys = tuple(found)
            self._loaded_at = self._clock.monotonic()
            return self._keys
