"""What operators can set of the pure core, as plain values: filters and weighers get these when they are built."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Nova's options of the same names, with Nova's defaults. `section` is for operators' own plugins."""

    host_subset_size: int = 1
    shuffle_best_same_weighed_hosts: bool = False
    image_properties_default_architecture: str | None = None
    ram_weight_multiplier: float = 1.0
    cpu_weight_multiplier: float = 1.0
    disk_weight_multiplier: float = 1.0
    build_failure_weight_multiplier: float = 1000000.0
    soft_affinity_weight_multiplier: float = 1.0
    soft_anti_affinity_weight_multiplier: float = 1.0
    section: Any = None

    @classmethod
    def of(cls, section: Any) -> Options:
        """Read them from a configuration section, or from anything with attributes of these names."""
        names = [field.name for field in fields(cls) if field.name != "section"]
        return cls(section=section, **{name: getattr(section, name) for name in names})
