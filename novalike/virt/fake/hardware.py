"""The pretended hardware of a fake host, read from [fake]numa_cell and [fake]pci_device."""

from __future__ import annotations

from collections.abc import Sequence

from novalike.exception import Invalid
from novalike.hardware import cpus
from novalike.objects.hardware import DEVICE, HostCell, HostDevice, Pages

_CELL = {"cpus", "memory_mb", "threads", "pages", "socket"}
_DEVICE = {"address", "vendor_id", "product_id", "type", "numa_node", "parent"}


def cells(entries: Sequence[str]) -> tuple[HostCell, ...]:
    """Answer the NUMA cells, numbered in order. Raises Invalid."""
    return tuple(_cell(number, entry) for number, entry in enumerate(entries))


def devices(entries: Sequence[str]) -> tuple[HostDevice, ...]:
    """Answer the PCI devices. Raises Invalid."""
    found = []
    for entry in entries:
        values = _values(entry, _DEVICE)
        node = values.get("numa_node")
        found.append(HostDevice(
            address=values["address"], vendor_id=values["vendor_id"], product_id=values["product_id"], type=values.get("type", DEVICE),
            numa_node=int(node) if node is not None else None, parent=values.get("parent"),
        ))
    return tuple(found)


def _cell(number: int, entry: str) -> HostCell:
    values = _values(entry, _CELL)
    own, memory_mb, threads = sorted(cpus.parse(values["cpus"])), int(values["memory_mb"]), int(values.get("threads", "1"))
    huge = [Pages(size_kb=int(size), total=int(count)) for size, _, count in (part.partition(":") for part in values.get("pages", "").split(";") if part)]
    plain_kb = memory_mb * 1024 - sum(one.size_kb * one.total for one in huge)
    return HostCell(
        id=number, cpus=cpus.text(own), memory_mb=memory_mb, socket=int(values.get("socket", number)),
        siblings=tuple(cpus.text(own[at:at + threads]) for at in range(0, len(own), threads)) if threads > 1 else (),
        pages=(Pages(size_kb=4, total=max(0, plain_kb) // 4), *huge),
    )


def _values(entry: str, known: set[str]) -> dict[str, str]:
    values = dict(part.partition("=")[::2] for part in entry.split())
    if set(values) - known or not (known & {"cpus", "address"}) <= set(values):
        raise Invalid(f"[fake] cannot pretend {entry[:100]!r}; what is known is {', '.join(sorted(known))}.")
    return values
