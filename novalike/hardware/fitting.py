"""Whether a host's free hardware grants a wish, and what exactly of it: the same answer for scheduler and claim.

A guest's cells go to different cells of the host. The first arrangement in the order of preference is taken; of cells and
guests' cells which are alike no second order is tried, so that the work is bounded by the number of different sets of cells.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from novalike.hardware import cpus, pages, pci, pinning
from novalike.hardware.capacity import Ratios
from novalike.hardware.pinning import Core
from novalike.objects.hardware import (
    ISOLATE,
    CellWish,
    GuestCell,
    GuestDevice,
    Hardware,
    HardwareWish,
    HostCell,
    HostDevice,
)


@dataclass(frozen=True, slots=True)
class FreeCell:
    """What of a host's cell is left. `pages` counts free ones by size; `plain` is memory in small pages, promised or not."""

    id: int
    shared: int
    shared_used: int
    cores: tuple[Core, ...]
    plain_mb: int
    plain_used_mb: int
    pages: Mapping[int, int]
    socket: int | None = None

    @property
    def dedicated(self) -> int:
        """How many CPUs can still be had alone."""
        return sum(len(core.free) for core in self.cores)


@dataclass(frozen=True, slots=True)
class Free:
    """What of a host's hardware is left."""

    cells: tuple[FreeCell, ...] = ()
    pools: tuple[pci.Pool, ...] = ()

    @property
    def devices(self) -> int:
        """How many devices can be had."""
        return sum(len(pool.addresses) for pool in self.pools)


NOTHING = Free()


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why a wish is not granted, in words for users."""

    reason: str


def free(cells: Sequence[HostCell], devices: Iterable[HostDevice], used: Iterable[Hardware]) -> Free:
    """Answer what servers which hold `used` leave of a host."""
    held = tuple(used)
    parts: dict[int, list[GuestCell]] = {}
    for one in held:
        for cell in one.cells:
            parts.setdefault(cell.host_cell, []).append(cell)
    taken = {cpu for one in held for cpu in one.emulator_cpus}
    taken |= {cpu for one in held for cell in one.cells for cpu in (*(host for _, host in cell.pins), *cell.blocked)}
    addresses = {device.address for one in held for device in one.devices}
    return Free(tuple(_free_cell(cell, parts.get(cell.id, ()), taken) for cell in cells), pci.pools(devices, addresses))


def _free_cell(cell: HostCell, parts: Sequence[GuestCell], taken: set[int]) -> FreeCell:
    dedicated = cpus.parse(cell.dedicated)
    groups = [tuple(sorted(cpus.parse(text))) for text in cell.siblings]
    groups += [(cpu,) for cpu in sorted(dedicated.difference(*groups))]
    cores = tuple(
        Core(group, tuple(cpu for cpu in group if cpu in dedicated and cpu not in taken)) for group in groups if dedicated.intersection(group)
    )
    held: Counter[int | None] = Counter()
    for part in parts:
        held[part.page_kb] += part.memory_mb
    sizes = sorted(cell.pages, key=lambda one: one.size_kb)
    plain = cell.memory_mb
    if sizes:
        plain = max(0, sizes[0].total - sizes[0].reserved) * sizes[0].size_kb // 1024
    if sizes:
        held[sizes[0].size_kb] += held[None]     # whoever names no size takes small ones, too
    return FreeCell(
        id=cell.id, shared=len(cpus.parse(cell.shared)), shared_used=sum(len(part.cpus) - len(part.pins) for part in parts),
        cores=cores, plain_mb=plain, plain_used_mb=held[sizes[0].size_kb if sizes else None],
        pages={one.size_kb: max(0, one.total - one.reserved - held[one.size_kb] * 1024 // one.size_kb) for one in sizes}, socket=cell.socket,
    )


def take(has: Free, held: Hardware) -> Free:
    """Answer what is left when one more server holds this."""
    parts = {part.host_cell: part for part in held.cells}
    taken = {cpu for part in held.cells for cpu in (*(host for _, host in part.pins), *part.blocked)} | set(held.emulator_cpus)
    addresses = {device.address for device in held.devices}
    parents = {pool.sample.parent for pool in has.pools if addresses.intersection(pool.addresses)}
    return Free(
        tuple(_less(cell, parts[cell.id], taken) if cell.id in parts else cell for cell in has.cells),
        tuple(
            replace(pool, addresses=tuple(one for one in pool.addresses if one not in addresses and one not in parents))
            for pool in has.pools if pool.sample.parent not in addresses
        ),
    )


def _less(cell: FreeCell, part: GuestCell, taken: set[int]) -> FreeCell:
    sizes = sorted(cell.pages)
    size = part.page_kb if part.page_kb is not None else sizes[0] if sizes else None
    plain = part.page_kb is None or part.page_kb == sizes[0]
    pages_left = dict(cell.pages)
    if size is not None:
        pages_left[size] = max(0, pages_left[size] - part.memory_mb * 1024 // size)
    return replace(
        cell, shared_used=cell.shared_used + len(part.cpus) - len(part.pins), pages=pages_left,
        cores=tuple(replace(core, free=tuple(cpu for cpu in core.free if cpu not in taken)) for core in cell.cores),
        plain_used_mb=cell.plain_used_mb + (part.memory_mb if plain else 0),
    )


def fit(wish: HardwareWish, has: Free, ratios: Ratios) -> Hardware | Misfit:
    """Answer what a server would get of what is free, or why not. `ratios` are how often shared CPUs and plain memory are promised."""
    sockets = {cell.id: cell.socket for cell in has.cells}
    if not wish.cells:
        devices = pci.choose(wish.devices, has.pools, None, sockets)
        return Hardware(devices=devices) if isinstance(devices, tuple) else _lacks(devices)
    if len(has.cells) < len(wish.cells):
        return Misfit("no NUMA cells" if not has.cells else f"fewer than {len(wish.cells)} NUMA cells")
    search = _Search(wish, has, ratios, _preferred(wish, has), sockets)
    short = search.impossible()
    if short is not None:
        return short
    found = search.run(0, frozenset())
    if found is None:
        return search.why
    chosen, devices = found
    emulator = tuple(cpu for one in chosen for cpu in one.emulator_cpus)
    threads = {one.threads for one in chosen}
    return Hardware(
        cells=tuple(one.cell for one in chosen), emulator=wish.emulator, emulator_cpus=emulator,
        threads=threads.pop() if len(threads) == 1 else 1, devices=devices,
    )


def _lacks(wish: object) -> Misfit:
    return Misfit(f"not enough PCI devices {wish.alias}")  # type: ignore[attr-defined]


def _preferred(wish: HardwareWish, has: Free) -> tuple[FreeCell, ...]:
    """Answer the cells: those with devices last, unless devices are wanted; then the emptiest first, or the fullest."""
    beside = {pool.sample.numa_node for pool in has.pools if pool.addresses}
    sign = 1 if wish.pack else -1
    wanted = bool(wish.devices)
    return tuple(sorted(has.cells, key=lambda cell: (
        (cell.id in beside) != wanted, sign * cell.dedicated, sign * (cell.plain_mb - cell.plain_used_mb), sign * (cell.shared - cell.shared_used), cell.id,
    )))


@dataclass(frozen=True, slots=True)
class _Placed:
    """A guest's cell in one of the host's."""

    cell: GuestCell
    emulator_cpus: tuple[int, ...] = ()
    threads: int = 1


@dataclass(slots=True)
class _Search:
    wish: HardwareWish
    has: Free
    ratios: Ratios
    order: tuple[FreeCell, ...]
    sockets: Mapping[int, int | None]
    why: Misfit = field(default_factory=lambda: Misfit("no arrangement of its NUMA cells fits"))
    _options: dict[tuple[int, int], _Placed | Misfit] = field(default_factory=dict)
    _dead: set[tuple[int, frozenset[int]]] = field(default_factory=set)

    def option(self, number: int, host: FreeCell) -> _Placed | Misfit:
        """Answer one of the guest's cells in one of the host's."""
        key = (number, host.id)
        if key not in self._options:
            self._options[key] = _place(
                self.wish, self.wish.cells[number], host, self.ratios, emulator=number == 0 and self.wish.emulator == ISOLATE,
            )
        return self._options[key]

    def impossible(self) -> Misfit | None:
        """Answer why not even a single cell of the guest, or too few of the host's cells, would do: the commonest obstacle."""
        for number in range(len(self.wish.cells)):
            options = [self.option(number, host) for host in self.order]
            reasons = [one for one in options if isinstance(one, Misfit)]
            if len(reasons) == len(options):
                return Counter(reasons).most_common(1)[0][0]
        return None

    def run(self, number: int, used: frozenset[int]) -> tuple[tuple[_Placed, ...], tuple[GuestDevice, ...]] | None:
        """Place the guest's cells from this one on, beside those in `used`."""
        if number == len(self.wish.cells):
            return self._devices(used)
        if (number, used) in self._dead:
            return None
        for host in self.order:
            option = self.option(number, host) if host.id not in used else None
            if isinstance(option, _Placed):
                rest = self.run(number + 1, used | {host.id})
                if rest is not None:
                    return (option, *rest[0]), rest[1]
        self._dead.add((number, used))
        return None

    def _devices(self, used: frozenset[int]) -> tuple[tuple[_Placed, ...], tuple[GuestDevice, ...]] | None:
        devices = pci.choose(self.wish.devices, self.has.pools, used, self.sockets)
        if isinstance(devices, tuple):
            return (), devices
        self.why = Misfit(f"{_lacks(devices).reason} beside its NUMA cells")
        return None


def _place(wish: HardwareWish, cell: CellWish, host: FreeCell, ratios: Ratios, *, emulator: bool) -> _Placed | Misfit:
    page = None
    if wish.page_size is not None:
        page = pages.choose(wish.page_size, cell.memory_mb, host.pages)
        if page is None:
            return Misfit(f"no NUMA cell has {cell.memory_mb} MiB free in pages of the wanted size ({_size(wish.page_size)})")
    elif cell.memory_mb > host.plain_mb or host.plain_used_mb + cell.memory_mb > host.plain_mb * ratios.ram + 1e-6:
        return Misfit(f"no NUMA cell has {cell.memory_mb} MiB free")
    floating = len(cell.cpus) - len(cell.dedicated)
    if floating and (floating > host.shared or host.shared_used + floating > host.shared * ratios.cpu + 1e-6):
        return Misfit(f"no NUMA cell has {floating} shared CPUs free")
    pinned = pinning.pin(host.cores, len(cell.dedicated), policy=wish.thread_policy, emulator=emulator)
    if pinned is None:
        how = f" (thread policy {wish.thread_policy})" if wish.thread_policy else ""
        return Misfit(f"no NUMA cell has {len(cell.dedicated) + emulator} dedicated CPUs free{how}")
    return _Placed(
        GuestCell(
            host_cell=host.id, cpus=cell.cpus, memory_mb=cell.memory_mb, page_kb=page,
            pins=tuple(zip(cell.dedicated, pinned.cpus, strict=True)), blocked=pinned.blocked,
        ),
        pinned.emulator, pinned.threads if not floating else 1,
    )


def _size(size: str | int) -> str:
    return size if isinstance(size, str) else f"{size} KiB"
