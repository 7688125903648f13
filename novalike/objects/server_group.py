"""Server groups: servers which shall be together, or apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerGroup:
    """A group of a project's servers and its policy: affinity, anti-affinity, or soft forms of both."""

    uuid: str
    name: str
    project_id: str
    user_id: str
    policy: str
    rules: dict[str, int] = field(default_factory=dict)   # max_server_per_host, for anti-affinity
    members: tuple[str, ...] = ()                          # uuids of its servers which still exist
    id: int | None = None
    created_at: datetime | None = None
