"""Hosts which this scheduler has picked but not claimed yet.

Requests that are placed at the same moment look at the same snapshot; without knowing of each other they would all find the
same host best. Picks only change who is preferred: whether a server fits is for the claim to say.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from novalike.hardware.capacity import Amounts
from novalike.scheduler.host_state import HostState
from novalike.scheduler.snapshot import Snapshot


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

    def added(self, hosts: Snapshot) -> Snapshot:
        """Answer the hosts as they will be once all picks are claimed; the very same snapshot when there are none."""
        with self._lock:
            picked = {node_id: (sum(waiting, Amounts()), len(waiting)) for node_id, waiting in self._amounts.items()}
        later: dict[int, HostState | None] = {}
        for node_id, (amounts, count) in picked.items():
            host = hosts.find(node_id)
            if host is not None:
                later[node_id] = replace(
                    host, used=host.used + amounts, instances=host.instances + count, io_ops=host.io_ops + count,
                )
        return hosts.replaced(later)
