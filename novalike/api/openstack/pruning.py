"""Answers by version: build the newest, with what older ones had, then drop what the asked version does not know."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from novalike.api.http.versions import Version, within

Span = tuple[str | None, str | None]             # first and last version of a key


class Keys:
    """The keys of an answer which not every version has; others always stay.

        FLAVOR = Keys({"description": ("2.55", None), "rxtx_factor": (None, "2.101")})
    """

    def __init__(self, spans: Mapping[str, Span]) -> None:
        self._spans = dict(spans)
        self._dropped = lru_cache(maxsize=256)(self._unknown_at)

    def prune(self, answer: dict[str, Any], version: Version) -> dict[str, Any]:
        """Remove what the version does not know, in place, and answer the same object."""
        for name in self._dropped(version):
            answer.pop(name, None)
        return answer

    def _unknown_at(self, version: Version) -> tuple[str, ...]:
        return tuple(name for name, (since, until) in self._spans.items() if not within(version, since, until))
