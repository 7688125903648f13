"""Lists of CPUs as text, such as "0-3,^2,8"."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from novalike.exception import Invalid

_PART = re.compile(r"(\^?)\s*(\d{1,6})(?:\s*-\s*(\d{1,6}))?")
#: More CPUs than any host has: a range beyond is a mistake, or an attack.
LIMIT = 65536


@lru_cache(maxsize=4096)
def parse(text: str) -> frozenset[int]:
    """Answer the CPUs of a list of numbers, ranges, and exclusions (^). Raises Invalid."""
    chosen: set[int] = set()
    excluded: set[int] = set()
    for part in text.split(","):
        if not part.strip():
            continue
        match = _PART.fullmatch(part.strip())
        if match is None or int(match[3] or match[2]) >= LIMIT:
            raise Invalid(f"Invalid inclusion expression {part.strip()[:80]!r}")
        first, last = int(match[2]), int(match[3] or match[2])
        if last < first:
            raise Invalid(f"Invalid range expression {part.strip()[:80]!r}")
        (excluded if match[1] else chosen).update(range(first, last + 1))
    return frozenset(chosen - excluded)


def text(cpus: Iterable[int]) -> str:
    """Answer CPUs as a list of ranges, in order."""
    ranges: list[list[int]] = []
    for cpu in sorted(set(cpus)):
        if ranges and cpu == ranges[-1][1] + 1:
            ranges[-1][1] = cpu
        else:
            ranges.append([cpu, cpu])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)
