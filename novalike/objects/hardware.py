"""The hardware beneath servers: a host's NUMA cells and PCI devices, what a server wishes of them, and what it was given.

CPUs of hosts are kept as text such as "0-3,8", since a large host has hundreds of them. Memory in MiB, page sizes in KiB.
"""

from __future__ import annotations

from dataclasses import dataclass, field

ISOLATE, SHARE = "isolate", "share"              # emulator threads; the former also a thread policy
PREFER, REQUIRE = "prefer", "require"
SMALL, LARGE, ANY = "small", "large", "any"      # page sizes
DEVICE, PHYSICAL, VIRTUAL = "type-PCI", "type-PF", "type-VF"
REQUIRED, PREFERRED, LEGACY, SOCKET = "required", "preferred", "legacy", "socket"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """Pages of one size in a NUMA cell; `reserved` ones are not for servers."""

    size_kb: int
    total: int
    reserved: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class HostCell:
    """A NUMA cell of a host. `siblings` are the threads of each core, for cores with more than one.

    `shared` and `dedicated` are those of its `cpus` on which servers float, and to which single vCPUs are pinned. The first
    of `pages` are the small ones, in which all memory is that is in no others.
    """

    id: int
    cpus: str
    memory_mb: int
    siblings: tuple[str, ...] = ()
    pages: tuple[Pages, ...] = ()
    socket: int | None = None
    shared: str = ""
    dedicated: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostDevice:
    """A PCI device which a host offers to servers. `parent` is the physical function of a virtual one."""

    address: str
    vendor_id: str
    product_id: str
    type: str = DEVICE
    numa_node: int | None = None
    parent: str | None = None
    physical_network: str | None = None          # for ports, not for aliases


@dataclass(frozen=True, slots=True, kw_only=True)
class CellWish:
    """One NUMA cell of a guest: its vCPUs, those of them which want a host CPU each, and its memory."""

    cpus: tuple[int, ...]
    memory_mb: int
    dedicated: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceMatch:
    """What a device must be; None: anything."""

    vendor_id: str | None = None
    product_id: str | None = None
    type: str = DEVICE


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceWish:
    """So many devices each of which is one of `matches`; `affinity` to the guest's NUMA cells."""

    alias: str
    count: int
    matches: tuple[DeviceMatch, ...]
    affinity: str = LEGACY


@dataclass(frozen=True, slots=True, kw_only=True)
class HardwareWish:
    """What a flavor and an image want. `page_size` is small, large, any or a number of KiB; None: whatever there is."""

    cells: tuple[CellWish, ...] = ()
    thread_policy: str | None = None
    emulator: str | None = None
    page_size: str | int | None = None
    devices: tuple[DeviceWish, ...] = ()
    pack: bool = False                           # fill the host's cells one by one

    @property
    def pcpus(self) -> int:
        """How many host CPUs it takes for itself alone."""
        return sum(len(cell.dedicated) for cell in self.cells) + (self.emulator == ISOLATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestCell:
    """A guest's NUMA cell in one of the host's. `pins` are (vCPU, host CPU) pairs; the other vCPUs float on shared CPUs.

    `blocked` are threads beside pinned ones which nobody may use.
    """

    host_cell: int
    cpus: tuple[int, ...]
    memory_mb: int
    page_kb: int | None = None
    pins: tuple[tuple[int, int], ...] = ()
    blocked: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestDevice:
    """A PCI device of a server."""

    alias: str
    address: str
    vendor_id: str
    product_id: str
    type: str = DEVICE


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """What a server holds of its host, beside amounts. `threads` are those of each core which the guest should see."""

    cells: tuple[GuestCell, ...] = ()
    emulator: str | None = None
    emulator_cpus: tuple[int, ...] = ()          # its own, when isolated
    threads: int = 1
    devices: tuple[GuestDevice, ...] = field(default=())
