"""Names of servers: host names made from display names, and one name each when several are created at once."""

from __future__ import annotations

import hashlib
import re
import secrets
import string

_LONGEST_LABEL = 63
_ALPHABET = string.ascii_lowercase + string.digits


def hostname(display_name: str, uuid: str) -> str:
    """Answer a host name (one DNS label) like a display name; `Server-<uuid>` when nothing of that can be in one."""
    text = display_name.encode("latin-1", "ignore").decode("latin-1")
    text = re.sub(r"[^a-zA-Z0-9-]+", "", re.sub(r"[ _.]", "-", text)).lower().strip("-")
    return text[:_LONGEST_LABEL].strip("-") or f"Server-{uuid}"


def numbered(name: str, index: int, count: int) -> str:
    """Answer the name of the index-th (from 0) of `count` servers created at once: `name-1` and so on."""
    if count == 1:
        return name
    suffix = f"-{index + 1}"
    return name[:255 - len(suffix)] + suffix


def reservation_id() -> str:
    """Answer a fresh reservation id, `r-` and eight letters or digits."""
    return "r-" + "".join(secrets.choice(_ALPHABET) for _ in range(8))


def derived_password(length: int, seed: bytes) -> str:
    """Answer the password which this seed (64 secret random bytes) stands for, made like those of `password`."""
    groups = ("23456789", "ABCDEFGHJKLMNPQRSTUVWXYZ", "abcdefghijkmnopqrstuvwxyz")
    letters = "".join(groups)
    number = int.from_bytes(hashlib.shake_256(seed).digest(64 + 2 * length))
    drawn: list[str] = []
    for position in range(length):
        choices = groups[position] if position < len(groups) else letters
        number, index = divmod(number, len(choices))
        number, place = divmod(number, len(drawn) + 1)
        drawn.insert(place, choices[index])
    return "".join(drawn)


def password(length: int) -> str:
    """Answer a random password with digits, small and capital letters, none of which look alike."""
    groups = ("23456789", "ABCDEFGHJKLMNPQRSTUVWXYZ", "abcdefghijkmnopqrstuvwxyz")
    drawn = [secrets.choice(group) for group in groups[:length]]
    drawn += [secrets.choice("".join(groups)) for _ in range(length - len(drawn))]
    secrets.SystemRandom().shuffle(drawn)
    return "".join(drawn)
