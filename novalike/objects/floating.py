"""Networks and floating addresses as compute's API showed them until 2.35."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedNetwork:
    """A network which a project sees."""

    id: str
    name: str
    project_id: str = ""
    mtu: int | None = None
    created_at: datetime | str | None = None
    updated_at: datetime | str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FloatingAddress:
    """A floating address of a project; `pool` is the name of its external network, `port_id` what it leads to."""

    id: str
    address: str
    pool: str
    fixed_address: str | None = None
    port_id: str | None = None
    server: str | None = None
