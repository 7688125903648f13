"""CPUs, pages and PCI devices which a server holds of its host."""

from __future__ import annotations

from typing import Any

from novalike.manage.import_nova import versioned
from novalike.manage.import_nova.plan import Left
from novalike.manage.import_nova.source import Row
from novalike.objects.hardware import GuestCell, GuestDevice, Hardware

_ALLOCATED = "allocated"


def of(extra: Row, devices: list[Row]) -> Hardware | None:
    """Answer what a server holds, None when nothing but amounts. Raises Left for devices which belong to ports (SR-IOV)."""
    topology = versioned.data(extra["numa_topology"]) or {}
    cells = topology.get("cells") or []
    given = _devices(extra, [row for row in devices if row.get("status", _ALLOCATED) == _ALLOCATED])
    if not cells and not given:
        return None
    reserved = tuple(sorted({number for cell in cells for number in cell.get("cpuset_reserved") or ()}))
    threads = max(((cell.get("cpu_topology") or {}).get("threads") or 1 for cell in cells), default=1)
    return Hardware(
        cells=tuple(_cell(cell) for cell in cells), emulator=topology.get("emulator_threads_policy"), emulator_cpus=reserved, threads=threads,
        devices=given,
    )


def _cell(cell: dict[str, Any]) -> GuestCell:
    pins = cell.get("cpu_pinning_raw") or {}
    return GuestCell(
        host_cell=cell.get("id") or 0, cpus=tuple(sorted({*(cell.get("cpuset") or ()), *(cell.get("pcpuset") or ())})), memory_mb=cell["memory"],
        page_kb=cell.get("pagesize"), pins=tuple(sorted((int(guest), int(host)) for guest, host in pins.items())),
    )


def _devices(extra: Row, rows: list[Row]) -> tuple[GuestDevice, ...]:
    requests = versioned.data(extra["pci_requests"]) or []
    listed = requests.get("requests") or [] if isinstance(requests, dict) else requests
    aliases = {one.get("request_id"): one.get("alias_name") for one in listed}
    found = []
    for row in rows:
        alias = aliases.get(row.get("request_id"))
        if not alias:
            raise Left("with a PCI device of a port (SR-IOV), which is not built yet")
        found.append(GuestDevice(
            alias=alias, address=row["address"], vendor_id=row["vendor_id"], product_id=row["product_id"], type=row["dev_type"],
        ))
    return tuple(found)
