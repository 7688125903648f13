"""Host aggregates: named sets of hosts with metadata. The one with the key `availability_zone` makes its hosts a zone."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

ZONE_KEY = "availability_zone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """A set of hosts. A host may be in many aggregates, but in one availability zone only."""

    id: int
    uuid: str
    name: str
    hosts: tuple[str, ...] = ()
    metadata: dict[str, str] = field(default_factory=dict)
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def availability_zone(self) -> str | None:
        """The zone which its hosts are in, if it makes one."""
        return self.metadata.get(ZONE_KEY)
