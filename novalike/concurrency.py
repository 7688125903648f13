"""Green threads or native ones, decided in the first line of an entry point and invisible everywhere else.

`NOVALIKE_CONCURRENCY=eventlet` (the default) patches the standard library; `threads` leaves it alone. All other code uses
`threading`, `queue` and `time`. Calls into C libraries which block (libvirt) go through `native()`.
"""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import threading
import warnings
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")
MODES = ("eventlet", "threads")
_mode: str | None = None


def setup() -> str:
    """Patch the standard library if so configured and answer the mode. Call before importing anything else of ours.

    Raises ValueError for an unknown mode. Calling again changes nothing.
    """
    global _mode
    if _mode is None:
        wanted = os.environ.get("NOVALIKE_CONCURRENCY", "eventlet")
        if wanted not in MODES:
            raise ValueError(f"NOVALIKE_CONCURRENCY is {wanted!r}; it must be one of {', '.join(MODES)}")
        # eventlet's own resolver costs a fifth of a second and 8 MB at each start and does not follow nsswitch.conf; Nova
        # does without it as well. A look-up of a name blocks the hub for as long as the C library takes.
        os.environ.setdefault("EVENTLET_NO_GREENDNS", "yes")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")      # eventlet warns of its own retirement whenever it is imported or patches
            if wanted == "eventlet":
                import eventlet

                eventlet.monkey_patch()
                # Its subprocesses time out by the exception of another copy of that module, which no `except` would catch.
                eventlet.patcher.original("subprocess").TimeoutExpired = subprocess.TimeoutExpired
            else:
                # oslo.messaging imports oslo.service, which picks eventlet unless told otherwise before that.
                from oslo_service import backend

                backend.init_backend(backend.BackendType.THREADING)
        _mode = wanted
    return _mode


def mode() -> str:
    """Answer `eventlet` or `threads`; `threads` when `setup` was never called (a library user, an unpatched test)."""
    return _mode or "threads"


def native(function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Run a call which blocks in C in a native thread, so that green threads go on; a plain call in threads mode."""
    if mode() == "threads":
        return function(*args, **kwargs)
    from eventlet import tpool

    return tpool.execute(function, *args, **kwargs)  # type: ignore[no-any-return]


def native_thread(function: Callable[[], None], *, name: str) -> None:
    """Run a function for ever in a native daemon thread, in both modes.

    In eventlet mode it must not touch locks, logging or anything else which green threads share: `NativeQueue.put` is the
    one way back.
    """
    thread = threading.Thread
    if mode() == "eventlet":
        from eventlet import patcher

        thread = patcher.original("threading").Thread
    thread(target=function, name=name, daemon=True).start()


class NativeQueue(Generic[T]):
    """Items from native threads (callbacks of C libraries) for one green or native thread which waits for them.

    Under eventlet an ordinary queue would wake the reader in the wrong thread's hub; here a pipe wakes it.
    """

    def __init__(self) -> None:
        self._green = mode() == "eventlet"
        if not self._green:
            self._queue: queue.Queue[T] = queue.Queue()
            return
        from eventlet import patcher

        self._os = patcher.original("os")                # the patched os.write would wait in a hub of the native thread
        self._items: deque[T] = deque()
        self._reader, self._writer = self._os.pipe()
        self._os.set_blocking(self._reader, False)
        self._os.set_blocking(self._writer, False)

    def put(self, item: T) -> None:
        """Add an item; from any thread, never waits."""
        if not self._green:
            self._queue.put(item)
            return
        self._items.append(item)
        with contextlib.suppress(BlockingIOError):       # then the pipe is full of wake-ups already
            self._os.write(self._writer, b"!")

    def get(self, timeout: float | None = None) -> T | None:
        """Wait for the next item; None when `timeout` seconds passed. Only one thread may wait at a time."""
        if not self._green:
            try:
                return self._queue.get(timeout=timeout)
            except queue.Empty:
                return None
        from eventlet import Timeout, hubs

        while not self._items:
            try:
                hubs.trampoline(self._reader, read=True, timeout=timeout, timeout_exc=Timeout)
            except Timeout:
                return None
            with contextlib.suppress(BlockingIOError):
                self._os.read(self._reader, 65536)
        return self._items.popleft()

    def close(self) -> None:
        """Give the pipe back. Nobody may put or get afterwards."""
        if self._green:
            self._os.close(self._reader)
            self._os.close(self._writer)
