"""One order at a time per instance, whatever the number of threads."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from novalike.workers import Workers


class Lanes:
    """One lane per key: functions of the same key run one after the other, those of different keys side by side.

    A waiting function holds no thread. Each names the workers which run it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._empty = threading.Condition(self._lock)
        self._lanes: dict[str, deque[tuple[Workers, Callable[[], None]]]] = {}

    def submit(self, key: str, workers: Workers, function: Callable[[], None]) -> None:
        """Run `function` by `workers` after all that was submitted for `key` before."""
        with self._lock:
            lane = self._lanes.get(key)
            if lane is not None:
                lane.append((workers, function))
                return
            self._lanes[key] = deque()
        self._start(key, workers, function)

    def busy(self, key: str) -> bool:
        """Answer whether anything runs or waits for this key."""
        with self._lock:
            return key in self._lanes

    def wait(self, timeout: float) -> bool:
        """Wait until nothing runs or waits, at most `timeout` seconds; answer whether that came to be."""
        until = time.monotonic() + timeout       # real seconds: threads are real, whatever the injected clock says
        with self._lock:
            while self._lanes:
                left = until - time.monotonic()
                if left <= 0:
                    return False
                self._empty.wait(left)
            return True

    def _start(self, key: str, workers: Workers, function: Callable[[], None]) -> None:
        def run() -> None:
            try:
                function()
            finally:
                self._next(key)
        workers.submit(run)

    def _next(self, key: str) -> None:
        with self._lock:
            lane = self._lanes[key]
            if not lane:
                del self._lanes[key]
                if not self._lanes:
                    self._empty.notify_all()
                return
            workers, function = lane.popleft()
        self._start(key, workers, function)
