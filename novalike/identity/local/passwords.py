"""Passwords as bcrypt hashes. Hashing takes a good part of a second on purpose, in a native thread."""

from __future__ import annotations

import base64
import hashlib

import bcrypt

from novalike import concurrency

#: bcrypt reads no more; longer passwords are hashed down first, so that every character counts.
_LONGEST = 72


def hashed(password: str, *, rounds: int) -> str:
    """Answer what to store for a password."""
    return concurrency.native(bcrypt.hashpw, _fitting(password), bcrypt.gensalt(rounds)).decode()


def matches(password: str, stored: str | None, *, rounds: int) -> bool:
    """Tell whether a password is the stored one. Without a stored one it takes as long, and the answer is False."""
    if stored is None:
        concurrency.native(bcrypt.hashpw, _fitting(password), bcrypt.gensalt(rounds))
        return False
    return concurrency.native(bcrypt.checkpw, _fitting(password), stored.encode())


def _fitting(password: str) -> bytes:
    raw = password.encode()
    if len(raw) <= _LONGEST and b"\0" not in raw:
        return raw
    return base64.b64encode(hashlib.sha256(raw).digest())
