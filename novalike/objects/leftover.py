"""What a checker finds wrong."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

#: In these words a server without a mapping is found.
NO_MAPPING = "has no mapping"


@dataclass(frozen=True, slots=True)
class Leftover:
    """One thing that is wrong: its kind (claim, task, port ...), what it is about (a uuid or host), and the matter in words.

    `repair` says what `novalike-manage placement repair` would do about it; None: nothing, for it mends itself within
    minutes, or somebody has to look.
    """

    kind: str
    subject: str
    text: str
    repair: str | None = None

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}: {self.text}"


class Result(StrEnum):
    """What became of a leftover which was to be repaired."""

    REPAIRED = "repaired"
    GONE = "no longer so"
    LEFT = "left alone"
