"""How long servers ran, for reports of usage."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerRun:
    """One server's life as far as usage is concerned. Memory in MiB, disk (root and ephemeral) in GiB, times naive UTC."""

    uuid: str
    name: str
    project_id: str
    vm_state: str
    flavor_name: str
    vcpus: int
    memory_mb: int
    local_gb: int
    launched_at: datetime
    terminated_at: datetime | None = None

    def hours(self, start: datetime, stop: datetime) -> float:
        """Answer for how many hours of a period it ran."""
        ended = stop if self.terminated_at is None else min(self.terminated_at, stop)
        return max(0.0, (ended - max(self.launched_at, start)).total_seconds() / 3600)
