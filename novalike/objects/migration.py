"""Moves of servers between hosts, as they are recorded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One move: `migration_type` is migration, resize, live-migration or evacuation; flavors are database ids, as Nova shows them."""

    id: int
    uuid: str
    instance_uuid: str
    migration_type: str
    status: str
    project_id: str
    user_id: str
    source_host: str | None = None
    source_node: str | None = None
    dest_host: str | None = None
    dest_node: str | None = None
    dest_address: str | None = None
    old_flavor_id: int | None = None
    new_flavor_id: int | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
