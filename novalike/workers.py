"""A bounded pool of threads with a queue, which is green under eventlet (concurrent.futures' C queue would block the hub)."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable

LOG = logging.getLogger(__name__)


class Workers:
    """Runs functions on at most `size` threads, which are started as they are needed."""

    def __init__(self, name: str, size: int) -> None:
        self._name = name
        self._size = size
        self._queue: queue.Queue[Callable[[], None] | None] = queue.Queue()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._pending = 0                        # functions which wait or run: more of them than threads, and one is started
        self._stopped = False

    def submit(self, function: Callable[[], None]) -> None:
        """Have a function run soon; its errors are logged. Dropped after stop()."""
        with self._lock:
            if self._stopped:
                return
            self._queue.put(function)
            self._pending += 1
            if len(self._threads) < min(self._pending, self._size):
                thread = threading.Thread(target=self._work, name=f"{self._name}-{len(self._threads)}", daemon=True)
                self._threads.append(thread)
                thread.start()

    def stop(self, timeout: float) -> bool:
        """Take no more work and wait for what runs; False when some still runs after `timeout` seconds."""
        with self._lock:
            self._stopped = True
            threads = list(self._threads)
        for _ in threads:
            self._queue.put(None)
        give_up = time.monotonic() + timeout
        for thread in threads:
            thread.join(max(0.0, give_up - time.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    @property
    def pending(self) -> int:
        """How many functions wait or run."""
        return self._pending

    def _work(self) -> None:
        while True:
            function = self._queue.get()
            if function is None:
                return
            try:
                function()
            except Exception:
                LOG.exception("work of %s failed", self._name)
            finally:
                with self._lock:
                    self._pending -= 1
