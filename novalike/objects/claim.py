"""What an instance holds of a hypervisor."""

from __future__ import annotations

from dataclasses import dataclass, field

from novalike.objects.hardware import Hardware


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claim. `role` is instance, or migration while a resize holds a second host. Memory in MiB, disk in GiB."""

    instance_uuid: str
    role: str
    epoch: int
    compute_node_id: int
    host: str
    node: str
    vcpus: int
    memory_mb: int
    disk_gb: int
    resources: dict[str, int] = field(default_factory=dict)   # custom ones, by class
    hardware: Hardware | None = None             # exactly which CPUs, pages and devices
