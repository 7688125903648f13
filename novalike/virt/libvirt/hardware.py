"""The host's NUMA cells, as libvirt tells them, and its PCI devices, as the kernel does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

from novalike.hardware import cpus
from novalike.objects.hardware import DEVICE, PHYSICAL, VIRTUAL, HostCell, HostDevice, Pages
from novalike.virt.libvirt.granted import Floating

PCI = "/sys/bus/pci/devices"
_BRIDGES = "0x06"


def cells(capabilities: ET.Element) -> tuple[HostCell, ...]:
    """Answer the NUMA cells of libvirt's capabilities."""
    return tuple(_cell(one) for one in capabilities.findall("host/topology/cells/cell"))


def _cell(cell: ET.Element) -> HostCell:
    listed = cell.findall("cpus/cpu")
    threads = {frozenset(cpus.parse(one.get("siblings", ""))) for one in listed}
    sockets = {one.get("socket_id") for one in listed} - {None}
    pages = sorted((int(one.get("size", "0")), int(one.text or "0")) for one in cell.findall("pages"))
    return HostCell(
        id=int(cell.get("id", "0")), cpus=cpus.text(int(one.get("id", "0")) for one in listed),
        memory_mb=int(cell.findtext("memory") or "0") // 1024,
        siblings=tuple(sorted((cpus.text(one) for one in threads if len(one) > 1), key=lambda text: sorted(cpus.parse(text)))),
        pages=tuple(Pages(size_kb=size, total=total) for size, total in pages if size),
        socket=int(min(sockets, key=str) or 0) if sockets else None,
    )


def floating(found: tuple[HostCell, ...], shared_set: str | None, dedicated_set: str | None) -> Floating:
    """Answer on which CPUs servers float, by the operator's choice."""
    if not shared_set and not dedicated_set:
        return Floating(cells={cell.id: cell.cpus for cell in found})
    chosen = cpus.parse(shared_set or "")
    return Floating(chosen=cpus.text(chosen) or None, cells={cell.id: cpus.text(cpus.parse(cell.cpus) & chosen) for cell in found})


def devices(folder: str = PCI) -> tuple[HostDevice, ...]:
    """Answer all PCI devices but bridges. One that goes meanwhile is left out."""
    return tuple(_devices(folder))


def _devices(folder: str) -> Iterator[HostDevice]:
    try:
        addresses = sorted(os.listdir(folder))
    except OSError:
        return
    for address in addresses:
        here = Path(folder, address)
        try:
            if _read(here / "class").startswith(_BRIDGES):
                continue
            parent = os.path.basename(os.readlink(here / "physfn")) if (here / "physfn").is_symlink() else None
            node = int(_read(here / "numa_node") or "-1") if (here / "numa_node").exists() else -1
            capable = (here / "sriov_totalvfs").exists() and int(_read(here / "sriov_totalvfs") or "0") > 0
            yield HostDevice(
                address=address, vendor_id=_read(here / "vendor").removeprefix("0x"), product_id=_read(here / "device").removeprefix("0x"),
                type=VIRTUAL if parent else PHYSICAL if capable else DEVICE, numa_node=node if node >= 0 else None, parent=parent,
            )
        except (OSError, ValueError):
            continue


def _read(path: Path) -> str:
    return path.read_text(encoding="ascii").strip()
