"""What an import does, or would do: counted by kind, with the reasons for what is left."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

COLUMNS = ("what", "in_nova", "new", "here", "left", "why")
#: Names of things which are shown of each reason, and remarks about single things.
_EXAMPLES, _REMARKS = 3, 20


class Left(Exception):  # no error: the caller counts it and goes on
    """A thing is not taken over; the text says why. `matters`: somebody has to do something about it."""

    def __init__(self, reason: str, *, matters: bool = True) -> None:
        super().__init__(reason)
        self.reason, self.matters = reason, matters


@dataclass
class Kind:
    """Things of one kind: how many Nova has, are new here, were here before; why others are left, with examples."""

    what: str
    new: int = 0
    here: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    matters: bool = False

    def leave(self, name: str, left: Left, *, count: int = 1) -> None:
        """Count something which is not taken over."""
        self.reasons[left.reason] += count
        if name and len(self.examples.setdefault(left.reason, [])) < _EXAMPLES:
            self.examples[left.reason].append(name)
        self.matters = self.matters or left.matters

    @property
    def left(self) -> int:
        """How many are not taken over."""
        return sum(self.reasons.values())

    def why(self) -> str:
        """Answer the reasons and remarks, the most frequent first."""
        words = []
        for reason, count in self.reasons.most_common():
            examples = self.examples.get(reason, [])
            more = ", ..." if count > len(examples) else ""
            words.append(f"{count} {reason}" + (f" ({', '.join(examples)}{more})" if examples else ""))
        further = len(self.remarks) - _REMARKS
        return "; ".join([*words, *self.remarks[:_REMARKS], *([f"and {further} remarks more"] if further > 0 else [])])


class Plan:
    """All kinds, in the order in which they were first looked at."""

    def __init__(self) -> None:
        self._kinds: dict[str, Kind] = {}

    def of(self, what: str) -> Kind:
        """Answer the account of one kind, made at first use."""
        return self._kinds.setdefault(what, Kind(what))

    @property
    def matters(self) -> bool:
        """Whether something is left which somebody has to look at."""
        return any(kind.matters for kind in self._kinds.values())

    def rows(self) -> list[dict[str, Any]]:
        """Answer the table which is shown."""
        return [
            {"what": kind.what, "in_nova": kind.new + kind.here + kind.left, "new": kind.new, "here": kind.here, "left": kind.left, "why": kind.why()}
            for kind in self._kinds.values()
        ]
