"""What the scheduler decided, and why: for operators."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """How many hosts were removed for one reason, by which filter (or the claim), and the first few of them."""

    by: str
    reason: str
    count: int
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A host which could take the server, and its weight."""

    host: str
    node: str
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One attempt to place a server. `host` None: there was none, and `summary` says why as the user read it.

    `best` are the first few that passed; the chosen one may be another where a race was lost (`lost` times). The removals'
    counts and `passed` add up to `considered`, but for hosts which the claim refused: they passed.
    """

    request_id: str
    epoch: int
    role: str
    driver: str
    flavor: str
    vcpus: int
    memory_mb: int
    disk_gb: int
    considered: int
    passed: int
    removed: tuple[Removal, ...]
    best: tuple[Candidate, ...] = ()
    host: str | None = None
    zone: str | None = None                      # which was asked for
    custom: dict[str, int] = field(default_factory=dict)
    lost: int = 0
    nearest: str | None = None
    summary: str | None = None
    at: int = 0                                  # epoch milliseconds, of the database
