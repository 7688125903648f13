"""Green threads or native ones, decided in the first line of an entry point and invisible everywhere else.

`NOVALIKE_CONCURRENCY=eventlet` (the default) patches the standard library; `threads` leaves it alone. All other code uses
`threading`, `queue` and `time`. Calls into C libraries which block (libvirt) go through `native()`.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

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
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")      # eventlet warns of its own retirement whenever it is imported or patches
            if wanted == "eventlet":
                import eventlet

                eventlet.monkey_patch()
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
