"""Ports, volumes and diagnostics of servers as the API shows them."""

from __future__ import annotations

from typing import Any

from novalike.api.http.application import Request
from novalike.objects.block_device import BlockDevice
from novalike.objects.diagnostics import CpuDiagnostics, Diagnostics, DiskDiagnostics, NicDiagnostics
from novalike.objects.network_info import Vif


def interface(request: Request, vif: Vif) -> dict[str, Any]:
    """Answer a port."""
    shown: dict[str, Any] = {
        "port_id": vif.port_id, "port_state": vif.status or "ACTIVE", "net_id": vif.network_id, "mac_addr": vif.mac,
        "fixed_ips": [{"subnet_id": fixed.subnet_id, "ip_address": fixed.address} for fixed in vif.fixed_ips],
    }
    if request.version >= (2, 70):
        shown["tag"] = vif.tag
    return shown


def volume(request: Request, instance_uuid: str, device: BlockDevice, *, attached: bool = False) -> dict[str, Any]:
    """Answer a volume; with `attached` as the answer to its attachment."""
    version = request.version
    shown: dict[str, Any] = {"id": device.volume_id} if attached or version < (2, 89) else {}
    shown |= {"volumeId": device.volume_id, "serverId": instance_uuid}
    if device.device_name:
        shown["device"] = device.device_name
    if version >= (2, 70):
        shown["tag"] = device.tag
    if version >= (2, 79):
        shown["delete_on_termination"] = device.delete_on_termination
    if version >= (2, 89) and not attached:
        shown |= {"attachment_id": device.attachment_id, "bdm_uuid": device.uuid}
    return shown


def diagnostics(request: Request, found: Diagnostics) -> dict[str, Any]:
    """Answer diagnostics: what the driver told before 2.48, then one form for all drivers."""
    if request.version < (2, 48):
        return dict(found.free_form)
    return {
        "state": found.state, "driver": found.driver, "hypervisor": found.hypervisor, "hypervisor_os": found.hypervisor_os,
        "uptime": found.uptime, "config_drive": found.config_drive, "num_cpus": len(found.cpus), "num_nics": len(found.nics),
        "num_disks": len(found.disks), "cpu_details": [_cpu(cpu) for cpu in found.cpus],
        "nic_details": [_nic(nic) for nic in found.nics], "disk_details": [_disk(disk) for disk in found.disks],
        "memory_details": {"maximum": found.memory_maximum, "used": found.memory_used},
    }


def _cpu(cpu: CpuDiagnostics) -> dict[str, Any]:
    return {"id": cpu.id, "time": cpu.time, "utilisation": cpu.utilisation}


def _nic(nic: NicDiagnostics) -> dict[str, Any]:
    counters = ("octets", "packets", "errors", "drop", "rate")
    return {"mac_address": nic.mac_address} | {
        f"{way}_{name}": getattr(nic, f"{way}_{name}") for way in ("rx", "tx") for name in counters
    }


def _disk(disk: DiskDiagnostics) -> dict[str, Any]:
    return {
        "read_bytes": disk.read_bytes, "read_requests": disk.read_requests, "write_bytes": disk.write_bytes,
        "write_requests": disk.write_requests, "errors_count": disk.errors_count,
    }
