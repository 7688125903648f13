"""What of its hardware a host offers: which CPUs float or are dedicated, which pages are kept back, which devices are given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from novalike.exception import Invalid
from novalike.hardware import cpus, pci
from novalike.hardware.numa import PCPU
from novalike.objects.hardware import HostCell, Pages
from novalike.objects.host import CustomResource, Inventory


def offer(
    found: Inventory, *, shared_set: str | None, dedicated_set: str | None, reserved_pages: Sequence[str] = (), device_spec: Sequence[str] = (),
) -> Inventory:
    """Answer an inventory with what operators say of the hardware in it (Nova's options of these names).

    Dedicated CPUs become a resource of class PCPU, and only shared ones are VCPUs. Raises Invalid for sets which overlap, or
    name CPUs which the host has not: to start would be to refuse servers for a reason which nobody sees.
    """
    shared, dedicated = cpus.parse(shared_set or ""), cpus.parse(dedicated_set or "")
    if shared & dedicated:
        raise Invalid(f"[compute]cpu_shared_set and cpu_dedicated_set both name CPU {cpus.text(shared & dedicated)}.")
    present = frozenset().union(*(cpus.parse(cell.cpus) for cell in found.cells))
    if (shared | dedicated) and not found.cells:
        raise Invalid("[compute]cpu_shared_set and cpu_dedicated_set need a driver which tells the host's CPUs.")
    missing = (shared | dedicated) - present
    if missing:
        raise Invalid(f"[compute]cpu_shared_set or cpu_dedicated_set names CPU {cpus.text(missing)}, which this host has not, or not online.")
    reserved = _reserved(reserved_pages)
    floating = shared if shared_set or dedicated_set else present
    cells = tuple(_cell(cell, floating, dedicated, reserved) for cell in found.cells)
    resources = dict(found.resources)
    if dedicated:
        resources[PCPU] = CustomResource(total=len(dedicated))
    return replace(
        found, cells=cells, resources=resources, vcpus=len(floating) if shared_set or dedicated_set else found.vcpus,
        devices=pci.offered(found.devices, pci.device_specs(device_spec)) if device_spec else (),
    )


def _cell(cell: HostCell, floating: frozenset[int], dedicated: frozenset[int], reserved: dict[tuple[int, int], int]) -> HostCell:
    own = cpus.parse(cell.cpus)
    return replace(
        cell, shared=cpus.text(own & floating), dedicated=cpus.text(own & dedicated),
        pages=tuple(
            Pages(size_kb=one.size_kb, total=one.total, reserved=min(one.total, reserved.get((cell.id, one.size_kb), 0))) for one in cell.pages
        ),
    )


def _reserved(entries: Sequence[str]) -> dict[tuple[int, int], int]:
    """Read reserved_huge_pages: node:0,size:2048,count:64, sizes in KiB or with a unit."""
    found = {}
    for entry in entries:
        values = dict(part.strip().partition(":")[::2] for part in entry.split(","))
        try:
            size = _kib(values["size"])
            found[int(values["node"]), size] = int(values["count"])
        except (KeyError, ValueError):
            raise Invalid(f"reserved_huge_pages {entry[:80]!r} is not of the form node:NUMBER,size:SIZE,count:NUMBER.") from None
    return found


def _kib(text: str) -> int:
    units = {"": 1, "K": 1, "KB": 1, "M": 1024, "MB": 1024, "G": 1 << 20, "GB": 1 << 20}
    digits = text.rstrip("KMGiBb")
    return int(digits) * units[text[len(digits):].replace("i", "").upper()]
