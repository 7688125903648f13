"""What the scheduler knows of one hypervisor: a frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from novalike.hardware.capacity import Amounts, Capacity
from novalike.objects.host import Inventory

NOTHING = Amounts()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HostState:
    """A hypervisor at one moment. `used` is the sum of the claims on it; reserved amounts and ratios are in `capacity`.

    `metadata` holds, for each metadata key of the host's aggregates, all values which they give it. `owing`: the host has
    to clean up after an earlier server before it gets new work. Two states are the same only if they are the same object:
    an unchanged host keeps its object from one snapshot to the next.
    """

    node_id: int
    uuid: str
    host: str
    node: str
    inventory: Inventory
    capacity: Capacity
    used: Amounts = NOTHING
    instances: int = 0
    build_failures: int = 0
    availability_zone: str = ""
    metadata: Mapping[str, frozenset[str]] = field(default_factory=dict)
    up: bool = True
    disabled: bool = False
    owing: bool = False

    @property
    def free_vcpus(self) -> int:
        """How many vCPUs can still be promised, overcommit included."""
        return self.capacity.limit.vcpus - self.used.vcpus

    @property
    def free_ram_mb(self) -> int:
        """Memory which nobody was promised, without overcommit: negative on a host which promised more than it has."""
        return self.inventory.memory_mb - self.inventory.reserved_memory_mb - self.used.memory_mb

    @property
    def free_disk_gb(self) -> int:
        """Disk which nobody was promised, without overcommit."""
        return self.inventory.local_gb - self.inventory.reserved_disk_gb - self.used.disk_gb
