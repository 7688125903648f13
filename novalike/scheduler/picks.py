"""Hosts which this scheduler has picked but not claimed yet.

Requests that are placed at the same moment look at the same snapshot; without knowing of each other they would all find the
same host best. Picks only change who is preferred: whether a server fits is for the claim to say.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from novalike.hardware.capacity import Amounts
from novalike.scheduler.host_state import HostState


class Picks:
    """What is about to be claimed on each host. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._amounts: dict[int, list[Amounts]] = {}

    @contextmanager
    def on(self, node_id: int, amounts: Amounts) -> Iterator[None]:
        """Count these amounts on a host for as long as its claim is under way."""
        with self._lock:
            self._amounts.setdefault(node_id, []).append(amounts)
        try:
            yield
        finally:
            with self._lock:
                waiting = self._amounts[node_id]
                waiting.remove(amounts)
                if not waiting:
                    del self._amounts[node_id]

    def added(self, hosts: Sequence[HostState]) -> Sequence[HostState]:
        """Answer the hosts as they will be once all picks are claimed; the very same sequence when there are none."""
        with self._lock:
            picked = {node_id: (sum(waiting, Amounts()), len(waiting)) for node_id, waiting in self._amounts.items()}
        if not picked:
            return hosts
        return tuple(
            replace(
                host, used=host.used + picked[host.node_id][0], instances=host.instances + picked[host.node_id][1],
                io_ops=host.io_ops + picked[host.node_id][1],
            )
            if host.node_id in picked else host for host in hosts
        )
