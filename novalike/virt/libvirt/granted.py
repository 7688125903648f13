"""What a server was granted of its host's hardware, as parts of its domain. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from novalike.exception import BuildFailed
from novalike.hardware import cpus
from novalike.objects.hardware import ISOLATE, SHARE, Hardware
from novalike.virt.libvirt.xml.hostdev import HostDevice
from novalike.virt.libvirt.xml.numa import NumaCell

_SMALLEST_LARGE = 64                             # KiB: what is below are small pages on some machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Floating:
    """On which CPUs vCPUs without one of their own float: `chosen` by the operator (None: any), and by cell of the host."""

    chosen: str | None = None
    cells: Mapping[int, str] = field(default_factory=dict)


def numa_cells(held: Hardware | None) -> tuple[NumaCell, ...]:
    """Answer the guest's cells."""
    if held is None:
        return ()
    return tuple(
        NumaCell(
            id=number, cpus=cpus.text(cell.cpus), memory_mb=cell.memory_mb, host=cell.host_cell,
            page_kb=cell.page_kb if cell.page_kb is not None and cell.page_kb >= _SMALLEST_LARGE else None,
        )
        for number, cell in enumerate(held.cells)
    )


def pins(held: Hardware | None, floating: Floating) -> tuple[tuple[int, str], ...]:
    """Answer on which CPUs each vCPU may run, of guests with cells. Raises BuildFailed when a cell has none to float on."""
    found: dict[int, str] = {}
    for cell in held.cells if held is not None else ():
        pinned = {guest: str(host) for guest, host in cell.pins}
        for cpu in cell.cpus:
            there = pinned.get(cpu) or floating.cells.get(cell.host_cell)
            if not there:
                raise BuildFailed(f"NUMA cell {cell.host_cell} of the host has no CPUs for servers to share any more.")
            found[cpu] = there
    return tuple(sorted(found.items()))


def emulator(held: Hardware | None, floating: Floating) -> str | None:
    """Answer on which CPUs the emulator's own threads run: its own, shared ones, or those of the guest."""
    if held is None or not held.cells:
        return None
    if held.emulator == ISOLATE:
        return cpus.text(held.emulator_cpus)
    if held.emulator == SHARE and floating.chosen:
        return floating.chosen
    return cpus.text(cpu for _, there in pins(held, floating) for cpu in cpus.parse(there))


def devices(held: Hardware | None) -> tuple[HostDevice, ...]:
    """Answer the host's devices which the guest gets."""
    return tuple(HostDevice(address=one.address) for one in held.devices) if held is not None else ()
