"""Says what is done and how long it took."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def step(what: str) -> Iterator[None]:
    """Announce a step, and its time when it is done (on standard error)."""
    terminal = sys.stderr.isatty()
    begun = time.monotonic()
    if terminal:
        print(f"  \033[2m…\033[0m {what}", end="", file=sys.stderr, flush=True)
    try:
        yield
    except BaseException:
        print(f"{chr(13) if terminal else ''}  \033[31m✗\033[0m {what}", file=sys.stderr, flush=True)
        raise
    print(f"{chr(13) if terminal else ''}  \033[32m✓\033[0m {what} \033[2m({time.monotonic() - begun:.1f} s)\033[0m", file=sys.stderr, flush=True)
