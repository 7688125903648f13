"""Hosts as columns: one numpy array for each thing that is looked at, so that one operation judges ten thousand hosts.

A column is named by the function which reads it of a host; it is read of all hosts when somebody first asks, and of changed
hosts only from then on. Nothing here changes after it was handed out: what differs is copied.

This module alone imports numpy. Filters and weighers use operators of the arrays which they are given.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from novalike.scheduler.host_state import HostState

#: One truth for each host; one number for each host.
Mask: TypeAlias = "npt.NDArray[np.bool_]"
Numbers: TypeAlias = "npt.NDArray[np.float64]"
#: Hosts which are rejected for a reason.
Rejected: TypeAlias = tuple[str, Mask]
ReadNumber: TypeAlias = Callable[[HostState], float]
ReadKey: TypeAlias = Callable[[HostState], Hashable]

#: More columns than any set of plugins has: extra specs and queries may name facts without end.
MOST = 200


@dataclass(frozen=True, slots=True)
class Kinds:
    """Hosts by what they have in common: `codes` says of each host of which kind it is, `examples` has a host of each kind.

    Examples may be outdated but for that which makes the kind.
    """

    codes: npt.NDArray[np.int32]
    examples: tuple[HostState, ...]
    known: Mapping[Hashable, int]
    cache: dict[Any, Any]                        # what was found out of the examples, and stays true as long as they do

    def numbers(self, function: ReadNumber) -> Numbers | float:
        """Answer a number for each host, asking each kind once, ever; a single number when it is the same for all.

        `function` must look at nothing but the kind.
        """
        found = self.cache.get(function)
        if found is None:
            found = self.cache[function] = _one_or_all([function(one) for one in self.examples])
        return found if isinstance(found, float) else cast("Numbers", found[self.codes])

    def spread(self, numbers: Sequence[float]) -> Numbers | float:
        """Answer a number for each host from one for each example; a single number when it is the same for all."""
        found = _one_or_all(numbers)
        return found if isinstance(found, float) else found[self.codes]

    def rejected(self, function: Callable[[HostState], str | None]) -> list[Rejected]:
        """Answer who is rejected, asking each kind once."""
        by_reason: dict[str, list[int]] = {}
        for code, example in enumerate(self.examples):
            reason = function(example)
            if reason is not None:
                by_reason.setdefault(reason, []).append(code)
        answer = []
        for reason, codes in by_reason.items():
            of_kind = np.zeros(len(self.examples), dtype=np.bool_)
            of_kind[codes] = True
            answer.append((reason, of_kind[self.codes]))
        return answer


class Columns:
    """The columns of one snapshot."""

    __slots__ = ("_columns", "_named", "states")

    def __init__(self, states: tuple[HostState, ...]) -> None:
        self.states = states
        self._columns: dict[Any, Any] = {}
        self._named: dict[str, list[int]] | None = None

    def numbers(self, read: ReadNumber) -> Numbers:
        """Answer a number of each host; `read` must be the same function each time. Not to be changed."""
        found = self._columns.get(read)
        if found is None:
            found = self._add(read, np.array([read(state) for state in self.states], dtype=np.float64))
        return cast("Numbers", found)

    def flags(self, read: Callable[[HostState], bool]) -> Mask:
        """Answer a truth of each host; `read` must be the same function each time. Not to be changed."""
        found = self._columns.get(read)
        if found is None:
            found = self._add(read, np.array([read(state) for state in self.states], dtype=np.bool_))
        return cast("Mask", found)

    def kinds(self, read: ReadKey) -> Kinds:
        """Answer the hosts by a part of them (which can be hashed); `read` must be the same function each time."""
        found = self._columns.get(read)
        if found is None:
            found = self._add(read, _kinds(read, self.states))
        return cast("Kinds", found)

    def none(self) -> Mask:
        """Answer a mask without any host, which may be changed."""
        return np.zeros(len(self.states), dtype=np.bool_)

    def zeros(self) -> Numbers:
        """Answer 0 for each host, which may be changed."""
        return np.zeros(len(self.states), dtype=np.float64)

    def places(self, host: str) -> Sequence[int]:
        """Answer where in the snapshot the compute nodes of a host are."""
        if self._named is None:
            named: dict[str, list[int]] = {}
            for place, state in enumerate(self.states):
                named.setdefault(state.host, []).append(place)
            self._named = named
        return self._named.get(host, ())

    def named(self, hosts: Iterable[str]) -> Mask:
        """Answer a mask of the compute nodes of these hosts, which may be changed."""
        answer = self.none()
        for host in hosts:
            for place in self.places(host):
                answer[place] = True
        return answer

    def each(self, among: Mask, function: Callable[[HostState], str | None]) -> list[Rejected]:
        """Answer who is rejected, asking host by host those in the mask."""
        by_reason: dict[str, list[int]] = {}
        for place in np.flatnonzero(among).tolist():
            reason = function(self.states[place])
            if reason is not None:
                by_reason.setdefault(reason, []).append(place)
        answer = []
        for reason, places in by_reason.items():
            mask = self.none()
            mask[places] = True
            answer.append((reason, mask))
        return answer

    def replaced(self, states: tuple[HostState, ...], changed: Mapping[int, HostState]) -> Columns:
        """Answer the columns of a snapshot in which hosts at these places differ; what stays the same is shared."""
        answer = Columns(states)
        pairs = [(place, self.states[place], state) for place, state in changed.items()]
        if all(old.host == new.host for _, old, new in pairs):
            answer._named = self._named
        for read, column in tuple(self._columns.items()):
            differing = [(place, after) for place, old, new in pairs if read(old) != (after := read(new))]
            followed = _patched(column, differing, states)
            if followed is not None:
                answer._columns[read] = followed
        return answer

    def rearranged(self, states: tuple[HostState, ...], origins: Sequence[int]) -> Columns:
        """Answer the columns of another set of hosts: `origins` says where in this one each was, -1: nowhere."""
        answer = Columns(states)
        taken = np.array(origins, dtype=np.int64)
        differing = [
            (place, state) for place, (origin, state) in enumerate(zip(origins, states, strict=True))
            if origin < 0 or self.states[origin] is not state
        ]
        if not self.states:
            return answer
        for read, column in tuple(self._columns.items()):
            moved = (
                Kinds(column.codes[taken], column.examples, column.known, column.cache) if isinstance(column, Kinds) else column[taken]
            )
            followed = _patched(moved, [(place, read(state)) for place, state in differing], states)
            if followed is not None:
                answer._columns[read] = followed
        return answer

    def _add(self, read: Any, column: Any) -> Any:
        if len(self._columns) >= MOST:
            self._columns.clear()                # made again as they are asked for
        if isinstance(column, np.ndarray):
            column.setflags(write=False)
        self._columns[read] = column
        return column


def _kinds(read: ReadKey, states: Iterable[HostState]) -> Kinds:
    known: dict[Hashable, int] = {}
    examples: list[HostState] = []
    codes = []
    for state in states:
        key = read(state)
        code = known.get(key)
        if code is None:
            code = known[key] = len(examples)
            examples.append(state)
        codes.append(code)
    return Kinds(np.array(codes, dtype=np.int32), tuple(examples), known, {})


def _one_or_all(numbers: Sequence[float]) -> Numbers | float:
    first = float(numbers[0]) if numbers else 0.0
    return first if all(one == first for one in numbers) else np.array(numbers, dtype=np.float64)


def _patched(column: Any, differing: Collection[tuple[int, Any]], states: Sequence[HostState]) -> Any:
    """Answer a column with other values at some places; None: better read anew."""
    if not differing:
        return column
    if not isinstance(column, Kinds):
        copy = column.copy()
        for place, value in differing:
            copy[place] = value
        copy.setflags(write=False)
        return copy
    new = {key: states[place] for place, key in differing if key not in column.known}
    known, examples, cache = column.known, column.examples, column.cache
    if new:
        if len(examples) + len(new) > 2 * len(states) + 8:
            return None                          # most kinds are long gone
        known = {**known, **{key: len(examples) + number for number, key in enumerate(new)}}
        examples, cache = (*examples, *new.values()), {}
    codes = column.codes.copy()
    for place, key in differing:
        codes[place] = known[key]
    return Kinds(codes, examples, known, cache)


def has_form(plugin: object, columns: str) -> bool:
    """Answer whether a plugin's column form (a method of this name) may stand for its per-host form.

    A subclass which changes any method has to bring a column form of its own: the inherited one knows nothing of the change.
    """
    kind: Any = type(plugin)
    return _has_form(kind, columns)


@lru_cache(maxsize=256)
def _has_form(kind: Any, columns: str) -> bool:
    for one in kind.__mro__:
        own = vars(one)
        if columns in own or one.__module__.startswith("novalike."):
            return True                          # of our own ones tests prove it
        if any(not name.startswith("__") and (callable(value) or hasattr(value, "__get__")) for name, value in own.items()):
            return False
    return False
