"""How much of vCPUs, memory, disk and custom resources a host can promise, and what is missing when a server does not fit.

The scheduler's filters and the claim transaction use the same arithmetic, so that they never disagree. Memory in MiB, disk
in GiB, custom resources in units of their own.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from novalike.hardware import wishes
from novalike.objects.flavor import Flavor
from novalike.objects.hardware import Hardware
from novalike.objects.host import Inventory

LOG = logging.getLogger(__name__)

_NOTHING: dict[str, int] = {}


def _nothing() -> dict[str, int]:
    return _NOTHING


@dataclass(frozen=True, slots=True)
class Amounts:
    """vCPUs, memory and disk of something; other resources by the name of their class."""

    vcpus: int = 0
    memory_mb: int = 0
    disk_gb: int = 0
    custom: Mapping[str, int] = field(default_factory=_nothing)

    def __add__(self, other: Amounts) -> Amounts:
        return Amounts(
            self.vcpus + other.vcpus, self.memory_mb + other.memory_mb, self.disk_gb + other.disk_gb, summed(self.custom, other.custom),
        )


def summed(first: Mapping[str, int], second: Mapping[str, int]) -> Mapping[str, int]:
    """Answer custom amounts added up; one of the arguments when the other is empty."""
    if not first or not second:
        return first or second
    return {name: first.get(name, 0) + second.get(name, 0) for name in first.keys() | second.keys()}


@dataclass(frozen=True, slots=True)
class Ratios:
    """How often a resource may be promised, where a host does not say itself. Nova's defaults."""

    cpu: float = 4.0
    ram: float = 1.0
    disk: float = 1.0


@dataclass(frozen=True, slots=True)
class Overrides:
    """Ratios which a host's aggregates set: they win over its own. None: no aggregate sets it."""

    cpu: float | None = None
    ram: float | None = None
    disk: float | None = None


NO_OVERRIDES = Overrides()


def overrides(metadata: Mapping[str, frozenset[str]]) -> Overrides:
    """Answer the ratios in a host's aggregate metadata; of several the smallest. What is no positive number is ignored."""
    if not any(name in metadata for name in _RATIO_KEYS):
        return NO_OVERRIDES
    return Overrides(*(_smallest(name, metadata.get(name, frozenset())) for name in _RATIO_KEYS))


_RATIO_KEYS = ("cpu_allocation_ratio", "ram_allocation_ratio", "disk_allocation_ratio")


def _smallest(name: str, values: frozenset[str]) -> float | None:
    numbers = []
    for value in values:
        try:
            number = float(value)
        except ValueError:
            number = 0.0
        if number > 0:
            numbers.append(number)
        else:
            LOG.warning("aggregate metadata %s is not a positive number: %s", name, value)
    return min(numbers, default=None)


@dataclass(frozen=True, slots=True)
class Capacity:
    """`limit` is what all servers together may take; `largest` what a single one may: never more than there really is."""

    limit: Amounts
    largest: Amounts


@dataclass(frozen=True, slots=True)
class Shortage:
    """One resource that does not suffice; `missing` is in the resource's unit."""

    resource: str                                # vcpus, memory_mb, disk_gb, or the class of a custom resource
    wanted: int
    missing: int


def demand(flavor: Flavor, *, root_volume: bool = False, hardware: Hardware | None = None) -> Amounts:
    """Answer what a server of this flavor takes of a host. Swap counts as disk, rounded up; a root volume takes none.

    Extra specs `resources:VCPU`, `resources:MEMORY_MB` and `resources:DISK_GB` replace the flavor's own amounts. CPUs of its own
    in `hardware`, which was granted, are no VCPU but PCPU. (Before, the scheduler's spec says the same by its flavor.)
    """
    dedicated = sum(len(cell.pins) for cell in hardware.cells) if hardware is not None else 0
    if hardware is not None and dedicated:
        own_cpus = {"resources:VCPU": str(flavor.vcpus - dedicated), "resources:PCPU": str(dedicated + len(hardware.emulator_cpus))}
        flavor = replace(flavor, extra_specs={**flavor.extra_specs, **own_cpus})
    disk = flavor.ephemeral_gb + -(-flavor.swap_mb // 1024) + (0 if root_volume else flavor.root_gb)
    wanted = wishes.resources(flavor.extra_specs)
    if not wanted:
        return Amounts(flavor.vcpus, flavor.memory_mb, disk)
    own = {"VCPU": flavor.vcpus, "MEMORY_MB": flavor.memory_mb, "DISK_GB": disk} | wanted
    return Amounts(
        own.pop("VCPU"), own.pop("MEMORY_MB"), own.pop("DISK_GB"), {name: amount for name, amount in own.items() if amount},
    )


def capacity(inventory: Inventory, defaults: Ratios, aggregates: Overrides = NO_OVERRIDES) -> Capacity:
    """Answer what a host can promise: (total - reserved) x ratio, rounded down, as Placement counts it.

    A ratio of the host's aggregates wins over its own, and that over the default.
    """
    def limit(total: int, reserved: int, factor: float) -> int:
        # 1e-6: 100 x 1.1 is 110, whatever binary fractions say.
        return max(0, int((total - reserved) * factor + 1e-6))

    custom = inventory.resources
    ratios = ratios_of(inventory, defaults, aggregates)
    return Capacity(
        limit=Amounts(
            limit(inventory.vcpus, inventory.reserved_vcpus, ratios.cpu),
            limit(inventory.memory_mb, inventory.reserved_memory_mb, ratios.ram),
            limit(inventory.local_gb, inventory.reserved_disk_gb, ratios.disk),
            {name: limit(one.total, one.reserved, one.allocation_ratio) for name, one in custom.items()} if custom else _NOTHING,
        ),
        largest=Amounts(
            inventory.vcpus, inventory.memory_mb, inventory.local_gb,
            {name: one.total if one.max_unit is None else one.max_unit for name, one in custom.items()} if custom else _NOTHING,
        ),
    )


def ratios_of(inventory: Inventory, defaults: Ratios, aggregates: Overrides = NO_OVERRIDES) -> Ratios:
    """Answer how often a host promises what it has: as its aggregates say, else itself, else the default."""
    def ratio(override: float | None, own: float | None, default: float) -> float:
        return override if override is not None else default if own is None else own
    return Ratios(
        ratio(aggregates.cpu, inventory.cpu_allocation_ratio, defaults.cpu),
        ratio(aggregates.ram, inventory.ram_allocation_ratio, defaults.ram),
        ratio(aggregates.disk, inventory.disk_allocation_ratio, defaults.disk),
    )


def missing(wanted: int, used: int, limit: int, largest: int) -> int:
    """Answer how much of one resource is missing, at most `wanted`: 0 when it fits. Wanting nothing always fits."""
    if wanted <= 0:
        return 0
    return min(wanted, max(0, wanted - min(limit - used, largest)))


def shortages(wanted: Amounts, used: Amounts, has: Capacity) -> tuple[Shortage, ...]:
    """Answer the resources which do not suffice for `wanted` beside what is used; empty when it fits."""
    plain = tuple(
        Shortage(name, amount, lacking)
        for name in ("vcpus", "memory_mb", "disk_gb")
        if (lacking := missing(
            amount := getattr(wanted, name), getattr(used, name), getattr(has.limit, name), getattr(has.largest, name),
        ))
    )
    return plain + custom_shortages(wanted, used, has) if wanted.custom else plain


def custom_shortages(wanted: Amounts, used: Amounts, has: Capacity) -> tuple[Shortage, ...]:
    """Answer the custom resources which do not suffice, in the order of their names."""
    return tuple(
        Shortage(name, amount, lacking)
        for name, amount in sorted(wanted.custom.items())
        if (lacking := missing(amount, used.custom.get(name, 0), has.limit.custom.get(name, 0), has.largest.custom.get(name, 0)))
    )
