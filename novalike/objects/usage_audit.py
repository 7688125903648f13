"""The audit of usage at the end of a period."""

from __future__ import annotations

from dataclasses import dataclass

RUNNING, DONE = "RUNNING", "DONE"


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageAudit:
    """What became of it on one host."""

    host: str
    state: str
    instances: int = 0
    errors: int = 0
    message: str = ""
