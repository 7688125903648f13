"""Where time comes from. Passed in, so that tests turn the hands themselves. Leases use the database's clock instead."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class Clock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Answer the time as naive UTC, as the database stores it."""
        return datetime.now(UTC).replace(tzinfo=None)

    def time(self) -> float:
        """Answer seconds since the Unix epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Answer seconds on a clock which never jumps."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let other work run for so many seconds."""
        time.sleep(seconds)


class ManualClock(Clock):
    """A clock for tests, which moves only when told to."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self._seconds = start

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._seconds, UTC).replace(tzinfo=None)

    def time(self) -> float:
        return self._seconds

    def monotonic(self) -> float:
        return self._seconds

    def sleep(self, seconds: float) -> None:
        self._seconds += seconds

    def advance(self, seconds: float) -> None:
        """Move the hands forward."""
        self._seconds += seconds
