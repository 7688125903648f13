"""How much of vCPUs, memory and disk a host can promise, and what is missing when a server does not fit.

The scheduler's filters and the claim transaction use the same arithmetic, so that they never disagree. Memory in MiB, disk
in GiB.
"""

from __future__ import annotations

from dataclasses import dataclass

from novalike.objects.flavor import Flavor
from novalike.objects.host import Inventory


@dataclass(frozen=True, slots=True)
class Amounts:
    """vCPUs, memory and disk of something."""

    vcpus: int = 0
    memory_mb: int = 0
    disk_gb: int = 0

    def __add__(self, other: Amounts) -> Amounts:
        return Amounts(self.vcpus + other.vcpus, self.memory_mb + other.memory_mb, self.disk_gb + other.disk_gb)


@dataclass(frozen=True, slots=True)
class Ratios:
    """How often a resource may be promised, where a host does not say itself. Nova's defaults."""

    cpu: float = 4.0
    ram: float = 1.0
    disk: float = 1.0


@dataclass(frozen=True, slots=True)
class Capacity:
    """`limit` is what all servers together may take; `largest` what a single one may: never more than there really is."""

    limit: Amounts
    largest: Amounts


@dataclass(frozen=True, slots=True)
class Shortage:
    """One resource that does not suffice; `missing` is in the resource's unit."""

    resource: str                                # vcpus, memory_mb or disk_gb
    wanted: int
    missing: int


def demand(flavor: Flavor, *, root_volume: bool = False) -> Amounts:
    """Answer what a server of this flavor takes of a host. Swap counts as disk, rounded up; a root volume takes none."""
    disk = flavor.ephemeral_gb + -(-flavor.swap_mb // 1024) + (0 if root_volume else flavor.root_gb)
    return Amounts(flavor.vcpus, flavor.memory_mb, disk)


def capacity(inventory: Inventory, defaults: Ratios) -> Capacity:
    """Answer what a host can promise: (total - reserved) x ratio, rounded down, as Placement counts it."""
    def ratio(own: float | None, default: float) -> float:
        return default if own is None else own

    def limit(total: int, reserved: int, factor: float) -> int:
        # 1e-6: 100 x 1.1 is 110, whatever binary fractions say.
        return max(0, int((total - reserved) * factor + 1e-6))

    return Capacity(
        limit=Amounts(
            limit(inventory.vcpus, inventory.reserved_vcpus, ratio(inventory.cpu_allocation_ratio, defaults.cpu)),
            limit(inventory.memory_mb, inventory.reserved_memory_mb, ratio(inventory.ram_allocation_ratio, defaults.ram)),
            limit(inventory.local_gb, inventory.reserved_disk_gb, ratio(inventory.disk_allocation_ratio, defaults.disk)),
        ),
        largest=Amounts(inventory.vcpus, inventory.memory_mb, inventory.local_gb),
    )


def missing(wanted: int, used: int, limit: int, largest: int) -> int:
    """Answer how much of one resource is missing, at most `wanted`: 0 when it fits. Wanting nothing always fits."""
    if wanted <= 0:
        return 0
    return min(wanted, max(0, wanted - min(limit - used, largest)))


def shortages(wanted: Amounts, used: Amounts, has: Capacity) -> tuple[Shortage, ...]:
    """Answer the resources which do not suffice for `wanted` beside what is used; empty when it fits."""
    return tuple(
        Shortage(name, amount, lacking)
        for name in ("vcpus", "memory_mb", "disk_gb")
        if (lacking := missing(
            amount := getattr(wanted, name), getattr(used, name), getattr(has.limit, name), getattr(has.largest, name),
        ))
    )
