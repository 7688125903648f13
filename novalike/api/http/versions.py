"""Microversions as pairs of numbers."""

from __future__ import annotations

Version = tuple[int, int]


def parse(text: str) -> Version:
    """Turn "2.53" into (2, 53). Raises ValueError for anything else."""
    major, dot, minor = text.partition(".")
    if not dot or not major.isdecimal() or not minor.isdecimal() or (len(minor) > 1 and minor[0] == "0"):
        raise ValueError(f"{text!r} is not a version")
    return int(major), int(minor)


def within(version: Version, since: str | None, until: str | None) -> bool:
    """Tell whether `since` <= version <= `until` (None: no limit)."""
    return (since is None or version >= parse(since)) and (until is None or version <= parse(until))
