"""What the scheduler knows of one hypervisor: a frozen value."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

from novalike.hardware import fitting
from novalike.hardware.capacity import Amounts, Capacity, Ratios
from novalike.objects.host import Inventory

NOTHING = Amounts()
ONCE = Ratios(1.0, 1.0, 1.0)
#: What a filter or weigher may need beyond what every host's state has: only what some plugin in use names is read.
IO_OPS, METRICS, FLAVORS, IMAGE_PROPERTIES, HINTED_HOSTS = "io_ops", "metrics", "flavors", "image_properties", "hinted_hosts"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HostState:
    """A hypervisor at one moment. `used` is the sum of the claims on it; reserved amounts and ratios are in `capacity`.

    `metadata` holds, for each metadata key of the host's aggregates, all values which they give it. `owing`: the host has
    to clean up after an earlier server before it gets new work. Two states are the same only if they are the same object:
    an unchanged host keeps its object from one snapshot to the next.

    What stands last is only there when a plugin needs it: how many servers are being built, moved, saved and the like, what
    monitors measure, the ids of the servers' flavors, and how many servers have each image property (as (name, value)).
    """

    node_id: int
    uuid: str
    host: str
    node: str
    inventory: Inventory
    capacity: Capacity
    used: Amounts = NOTHING
    ratios: Ratios = ONCE
    free: fitting.Free = fitting.NOTHING         # NUMA cells and PCI devices
    instances: int = 0
    build_failures: int = 0
    availability_zone: str = ""
    metadata: Mapping[str, frozenset[str]] = field(default_factory=dict)
    up: bool = True
    disabled: bool = False
    owing: bool = False
    io_ops: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)
    flavors: frozenset[str] = frozenset()
    image_properties: Mapping[tuple[str, str], int] = field(default_factory=dict)

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


def aggregates_of(host: HostState) -> Hashable:
    """Answer what a host's aggregates say of it, as something that can be compared and looked up."""
    return frozenset(host.metadata.items())
