"""Sizes of memory pages: what flavors and images may ask for, and which one a cell has enough of. In KiB."""

from __future__ import annotations

import re
from collections.abc import Mapping

from novalike.exception import Invalid
from novalike.objects.hardware import ANY, LARGE, SMALL

_SIZE = re.compile(r"(\d{1,12})\s*(?:([kKMGT])(i)?)?(b|bit|B)?")
_POWERS = {"k": 1, "K": 1, "M": 2, "G": 3, "T": 4}


def wanted(flavor: str | None, image: str | None) -> str | int | None:
    """Answer the page size of a guest, of extra spec hw:mem_page_size and property hw_mem_page_size.

    Only where the flavor says large or any may the image choose. Raises Invalid.
    """
    if not flavor:
        if image:
            raise Invalid(f"Page size {image} forbidden against '<empty>'")
        return None
    size = _size(flavor)
    if not image:
        return size
    if size not in (ANY, LARGE):
        raise Invalid(f"Page size {image} forbidden against '{flavor}'")
    return _size(image)


def _size(text: str) -> str | int:
    if text in (ANY, LARGE, SMALL):
        return text
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise Invalid(f"Invalid memory page size '{text[:80]}'")
    number, prefix, _, unit = match.groups()
    if prefix is None and unit is None:
        size = int(number)                       # a bare number counts KiB
    else:
        size = int(number) * 1024 ** _POWERS.get(prefix or "", 0) // (8 if unit in ("b", "bit") else 1) // 1024
    if size <= 0:
        raise Invalid(f"Invalid memory page size '{text[:80]}'")
    return size


def choose(size: str | int, memory_mb: int, free: Mapping[int, int]) -> int | None:
    """Answer which size of page can hold this memory, wholly; None when none can. `free` counts pages by size, small ones too.

    `large` and `any` take the largest that does.
    """
    sizes = sorted(free)
    if size == SMALL:
        candidates = sizes[:1]
    elif size == LARGE:
        candidates = sizes[:0:-1]
    elif size == ANY:
        candidates = sizes[::-1]
    else:
        candidates = [one for one in sizes if one == size]
    return next((one for one in candidates if memory_mb * 1024 % one == 0 and memory_mb * 1024 <= free[one] * one), None)
