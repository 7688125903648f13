"""Times as most of the Compute API shows them."""

from __future__ import annotations

from datetime import datetime


def iso(moment: datetime | None) -> str | None:
    """Answer a naive UTC time as 2026-01-31T12:00:00.000000: microseconds always, no zone."""
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%S.%f")
