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


#: The flavors which clouds used to come with (Nova made them until Newton), and a smaller one for guests like ours.
USUAL = tuple(
    Flavor(flavorid=str(number), name=name, vcpus=vcpus, memory_mb=memory_mb, root_gb=root_gb)
    for number, (name, vcpus, memory_mb, root_gb) in enumerate((
        ("m1.nano", 1, 128, 1), ("m1.tiny", 1, 512, 1), ("m1.small", 1, 2048, 20), ("m1.medium", 2, 4096, 40),
        ("m1.large", 4, 8192, 80), ("m1.xlarge", 8, 16384, 160),
    ))
)
