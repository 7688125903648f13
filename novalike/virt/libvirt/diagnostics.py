"""Reads what libvirt counts of a domain. Pure: its statistics in, Diagnostics out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from novalike.objects.diagnostics import CpuDiagnostics, Diagnostics, DiskDiagnostics, NicDiagnostics
from novalike.objects.instance import Instance
from novalike.virt.libvirt.guest import POWER_STATES

#: Parts of libvirt's names of balloon statistics (KiB) -> parts of the names which libvirt had before, and Nova shows.
_MEMORY = {
    "current": "actual", "rss": "rss", "swap_in": "swap_in", "swap_out": "swap_out", "major_fault": "major_fault",
    "minor_fault": "minor_fault", "unused": "unused", "available": "available", "usable": "usable", "last-update": "last_update",
    "disk_caches": "disk_caches",
}
_KIB = 1024


def read(statistics: Mapping[str, Any], instance: Instance, *, hypervisor: str, uptime: int | None) -> Diagnostics:
    """Answer the diagnostics of a guest."""
    power = POWER_STATES.get(int(statistics.get("state.state", 0)))
    macs = {vif.tap: vif.mac for vif in instance.network_info}
    current, unused = statistics.get("balloon.current"), statistics.get("balloon.unused")
    used = None if current is None else int(current) - int(unused or 0)
    maximum = statistics.get("balloon.maximum")
    return Diagnostics(
        state=power.name.lower() if power is not None else "nostate", driver="libvirt", hypervisor=hypervisor, hypervisor_os="linux",
        uptime=uptime, config_drive=instance.config_drive,
        memory_maximum=None if maximum is None else int(maximum) // _KIB, memory_used=None if used is None else used // _KIB,
        cpus=tuple(CpuDiagnostics(id=number, time=found.get("time")) for number, found in _group(statistics, "vcpu", "maximum")),
        nics=tuple(NicDiagnostics(
            mac_address=macs.get(str(found.get("name"))), **{
                f"{way}_{ours}": found.get(f"{way}.{theirs}") for way in ("rx", "tx")
                for ours, theirs in (("octets", "bytes"), ("packets", "pkts"), ("errors", "errs"), ("drop", "drop"))
            },
        ) for _, found in _group(statistics, "net")),
        disks=tuple(DiskDiagnostics(
            read_bytes=found.get("rd.bytes"), read_requests=found.get("rd.reqs"), write_bytes=found.get("wr.bytes"),
            write_requests=found.get("wr.reqs"), errors_count=found.get("errors"),
        ) for _, found in _group(statistics, "block")),
        free_form=_free_form(statistics),
    )


def _free_form(statistics: Mapping[str, Any]) -> dict[str, int]:
    """Answer the names under which Nova's libvirt driver told it before there was a common form."""
    shown: dict[str, int] = {f"cpu{number}_time": found.get("time", 0) for number, found in _group(statistics, "vcpu", "maximum")}
    for _, found in _group(statistics, "block"):
        name = found.get("name")
        shown |= {
            f"{name}_read_req": found.get("rd.reqs", 0), f"{name}_read": found.get("rd.bytes", 0),
            f"{name}_write_req": found.get("wr.reqs", 0), f"{name}_write": found.get("wr.bytes", 0),
            f"{name}_errors": found.get("errors", -1),
        }
    if "balloon.maximum" in statistics:
        shown["memory"] = statistics["balloon.maximum"]
    shown |= {f"memory-{ours}": statistics[f"balloon.{theirs}"] for theirs, ours in _MEMORY.items() if f"balloon.{theirs}" in statistics}
    for _, found in _group(statistics, "net"):
        name = found.get("name")
        for way in ("rx", "tx"):
            shown |= {
                f"{name}_{way}": found.get(f"{way}.bytes", 0), f"{name}_{way}_packets": found.get(f"{way}.pkts", 0),
                f"{name}_{way}_errors": found.get(f"{way}.errs", 0), f"{name}_{way}_drop": found.get(f"{way}.drop", 0),
            }
    return shown


def _group(statistics: Mapping[str, Any], name: str, count: str = "count") -> Iterator[tuple[int, dict[str, Any]]]:
    """Answer the statistics of each thing of a kind, by its number; those which are not there (an offline CPU) are left out."""
    for number in range(int(statistics.get(f"{name}.{count}", 0))):
        start = f"{name}.{number}."
        found = {key.removeprefix(start): value for key, value in statistics.items() if key.startswith(start)}
        if found:
            yield number, found
