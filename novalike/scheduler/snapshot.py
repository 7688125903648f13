"""All hosts of a cell at one moment: a sequence which never changes, and from which the next one is made cheaply."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, overload

from novalike.scheduler.host_state import HostState

if TYPE_CHECKING:
    from novalike.scheduler.columns import Columns

#: From so many hosts on, columns are faster than asking host by host, and worth the 0.1 s and 20 MB of importing numpy.
BIG = 200


class Snapshot(Sequence[HostState]):
    """Hosts in the order of their ids. Two snapshots are equal only if they are the same object."""

    __slots__ = ("_columns", "_places", "_states")

    def __init__(
        self, states: Iterable[HostState] = (), *, places: dict[int, int] | None = None, columns: Columns | None = None,
    ) -> None:
        """`places` says that the states are in order already, and where each is; `columns` are theirs."""
        self._states = tuple(states) if places is not None else tuple(sorted(states, key=lambda state: state.node_id))
        self._places = places if places is not None else {state.node_id: place for place, state in enumerate(self._states)}
        self._columns = columns

    def find(self, node_id: int) -> HostState | None:
        """Answer the compute node with this id."""
        place = self._places.get(node_id)
        return None if place is None else self._states[place]

    def replaced(self, states: Mapping[int, HostState | None]) -> Snapshot:
        """Answer a snapshot in which these compute nodes, by id, are so; None: gone. The very same when nothing differs."""
        places = self._places
        changed: dict[int, HostState] = {}
        others = False
        for node_id, state in states.items():
            place = places.get(node_id)
            if place is not None and state is not None:
                if self._states[place] is not state:
                    changed[place] = state
            elif place is not None or state is not None:
                others = True
        if others:
            return self._with_others(states)
        if not changed:
            return self
        listed = list(self._states)
        for place, state in changed.items():
            listed[place] = state
        now = tuple(listed)
        return Snapshot(now, places=places, columns=None if self._columns is None else self._columns.replaced(now, changed))

    @property
    def columns(self) -> Columns:
        """The same hosts as columns: made once, then taken along from snapshot to snapshot."""
        if self._columns is None:
            # Imported when it pays, not at the start of a small cloud.
            from novalike.scheduler.columns import Columns

            self._columns = Columns(self._states)
        return self._columns

    def _with_others(self, states: Mapping[int, HostState | None]) -> Snapshot:
        known = {state.node_id: state for state in self._states}
        known.update((node_id, state) for node_id, state in states.items() if state is not None)
        now = tuple(known[node_id] for node_id in sorted(known) if states.get(node_id, known) is not None)
        places = {state.node_id: place for place, state in enumerate(now)}
        columns = self._columns
        if columns is not None:
            columns = columns.rearranged(now, [self._places.get(state.node_id, -1) for state in now])
        return Snapshot(now, places=places, columns=columns)

    def __len__(self) -> int:
        return len(self._states)

    @overload
    def __getitem__(self, index: int) -> HostState: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[HostState, ...]: ...
    def __getitem__(self, index: int | slice) -> HostState | tuple[HostState, ...]:
        return self._states[index]

    def __iter__(self) -> Iterator[HostState]:
        return iter(self._states)
