"""Flavors: the sizes in which servers come."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Flavor:
    """A size. Servers keep an embedded copy, so that deleting or changing a flavor never changes them."""

    flavorid: str                 # the id which users see
    name: str
    vcpus: int
    memory_mb: int
    root_gb: int
    ephemeral_gb: int = 0
    swap_mb: int = 0
    rxtx_factor: float = 1.0
    is_public: bool = True
    disabled: bool = False
    description: str | None = None
    extra_specs: dict[str, str] = field(default_factory=dict)
    id: int | None = None         # database id, kept for sorting and paging only
    created_at: datetime | None = None
    updated_at: datetime | None = None
