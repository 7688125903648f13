"""What operators can set of the pure core, as plain values: filters and weighers get these when they are built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Nova's options of the same names, with Nova's defaults. `section` is for operators' own plugins.

    Those which begin with `metrics_` are of [metrics], the others of [filter_scheduler]; name=number lists are mappings here.
    """

    host_subset_size: int = 1
    shuffle_best_same_weighed_hosts: bool = False
    image_properties_default_architecture: str | None = None
    max_io_ops_per_host: int = 8
    max_instances_per_host: int = 50
    isolated_images: Sequence[str] = ()
    isolated_hosts: Sequence[str] = ()
    restrict_isolated_hosts_to_isolated_images: bool = True
    aggregate_image_properties_isolation_namespace: str | None = None
    aggregate_image_properties_isolation_separator: str = "."
    ram_weight_multiplier: float = 1.0
    cpu_weight_multiplier: float = 1.0
    disk_weight_multiplier: float = 1.0
    io_ops_weight_multiplier: float = -1.0
    num_instances_weight_multiplier: float = 0.0
    hypervisor_version_weight_multiplier: float = 1.0
    image_props_weight_multiplier: float = 0.0
    image_properties_weights: Mapping[str, float] = field(default_factory=dict)
    pci_weight_multiplier: float = 1.0
    build_failure_weight_multiplier: float = 1000000.0
    soft_affinity_weight_multiplier: float = 1.0
    soft_anti_affinity_weight_multiplier: float = 1.0
    metrics_weight_multiplier: float = 1.0
    metrics_weights: Mapping[str, float] = field(default_factory=dict)
    metrics_required: bool = True
    metrics_weight_of_unavailable: float = -10000.0
    section: Any = None

    @classmethod
    def of(cls, section: Any, metrics: Any) -> Options:
        """Read them from the two configuration sections. Raises ValueError for a list that is not name=number."""
        apart = {"section", "image_properties_weights"} | {field.name for field in fields(cls) if field.name.startswith("metrics_")}
        names = [field.name for field in fields(cls) if field.name not in apart]
        return cls(
            section=section, **{name: getattr(section, name) for name in names},
            image_properties_weights=_numbers("image_props_weight_setting", section.image_props_weight_setting),
            metrics_weight_multiplier=metrics.weight_multiplier, metrics_required=metrics.required,
            metrics_weights=_numbers("[metrics]weight_setting", metrics.weight_setting),
            metrics_weight_of_unavailable=metrics.weight_of_unavailable,
        )


def _numbers(option: str, pairs: Sequence[str]) -> dict[str, float]:
    found = {}
    for pair in pairs:
        name, _, number = pair.partition("=")
        try:
            found[name.strip()] = float(number)
        except ValueError:
            raise ValueError(f"{option}: {pair!r} is not of the form name=number") from None
    return found
