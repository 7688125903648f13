"""What this host has, as libvirt and the kernel tell it."""

from __future__ import annotations

import os
import time
from typing import Any
from xml.etree import ElementTree as ET

import libvirt
import psutil

from novalike.objects.hardware import HostCell
from novalike.virt.libvirt import demands, hardware
from novalike.virt.libvirt.cpu_traits import traits as cpu_traits
from novalike.virt.libvirt.xml.cpu import Cpu
from novalike.virt.libvirt.xml.element import render

_GIB, _MIB = 1 << 30, 1 << 20
#: What the driver can do, as traits. Each is added with the feature it names.
_ABILITIES = (
    "COMPUTE_NODE", "COMPUTE_IMAGE_TYPE_AKI", "COMPUTE_IMAGE_TYPE_AMI", "COMPUTE_IMAGE_TYPE_ARI", "COMPUTE_IMAGE_TYPE_ISO",
    "COMPUTE_IMAGE_TYPE_QCOW2", "COMPUTE_IMAGE_TYPE_RAW", "COMPUTE_FIRMWARE_BIOS", "COMPUTE_NET_ATTACH_INTERFACE",
    "COMPUTE_NET_ATTACH_INTERFACE_WITH_TAG", "COMPUTE_VOLUME_ATTACH_WITH_TAG", "COMPUTE_VOLUME_MULTI_ATTACH",
)
_ARCHITECTURES = {"x86_64": "HW_ARCH_X86_64", "i686": "HW_ARCH_I686", "aarch64": "HW_ARCH_AARCH64"}


def read(connection: Any, *, guest_type: str, guest_cpu: Cpu) -> dict[str, Any]:
    """Answer the fields of an Inventory which libvirt knows. Runs in a native thread (Host.call)."""
    capabilities = ET.fromstring(connection.getCapabilities())  # noqa: S314  # libvirt's own answer
    architecture = capabilities.findtext("host/cpu/arch") or os.uname().machine
    info = connection.getInfo()
    return {
        "node": connection.getHostname(), "hypervisor_type": connection.getType(), "hypervisor_version": connection.getVersion(),
        "vcpus": info[2], "memory_mb": _memory_mb(), "cpu_info": _cpu_info(capabilities),
        "supported": _supported(capabilities, guest_type), "capabilities": {"hypervisor_type": connection.getType()},
        "traits": tuple(sorted(_traits(connection, architecture, guest_type, guest_cpu))), "cells": hardware.cells(capabilities),
    }


def cells(connection: Any) -> tuple[HostCell, ...]:
    """Answer the host's NUMA cells. Runs in a native thread (Host.call)."""
    return hardware.cells(ET.fromstring(connection.getCapabilities()))  # noqa: S314  # libvirt's own answer


def initiator(path: str = "/etc/iscsi/initiatorname.iscsi") -> str | None:
    """Answer the name under which this host logs in to iSCSI targets; None when it was given none."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return next((line.partition("=")[2].strip() for line in file if line.startswith("InitiatorName=")), None)
    except OSError:
        return None


def has_uefi(connection: Any, *, guest_type: str) -> bool:
    """Answer whether UEFI firmware for guests is installed. Runs in a native thread (Host.call)."""
    known = _domain_capabilities(connection, os.uname().machine, guest_type)
    return any(value.text == "efi" for value in known.findall("os/enum[@name='firmware']/value"))


def local_gb(path: str) -> int:
    """Answer the size in GiB of the file system which holds the servers."""
    status = os.statvfs(path)
    return status.f_blocks * status.f_frsize // _GIB


def disk_usage(path: str, unallocated: int) -> tuple[int, int]:
    """Answer GiB used of that file system, and GiB free once all disks have grown by `unallocated` bytes."""
    status = os.statvfs(path)
    used = (status.f_blocks - status.f_bfree) * status.f_frsize
    return used // _GIB, (status.f_bavail * status.f_frsize - unallocated) // _GIB


def memory_used_mb() -> int:
    """Answer MiB of memory which are neither free nor can be made free at once."""
    memory = psutil.virtual_memory()
    return int(memory.total - memory.available) // _MIB


def _memory_mb() -> int:
    # Not libvirt's figure: it adds up NUMA nodes and misses memory which was plugged in later.
    return int(psutil.virtual_memory().total) // _MIB


def uptime() -> str:
    """Answer what `uptime` prints."""
    with open("/proc/uptime", encoding="ascii") as file:
        seconds = int(float(file.read().split()[0]))
    days, rest = divmod(seconds, 86400)
    hours, minutes = rest // 3600, rest // 60 % 60
    span = f"{hours}:{minutes:02d}" if hours else f"{minutes} min"
    ahead = f"{days} day{'s' * (days != 1)}, " if days else ""
    users = len({user.terminal for user in psutil.users()})
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    return f" {time.strftime('%H:%M:%S')} up {ahead}{span},  {users} user{'s' * (users != 1)},  load average: {load}"


def _cpu_info(capabilities: ET.Element) -> dict[str, object]:
    """Answer the host's CPU as Nova shows it."""
    topology = capabilities.find("host/cpu/topology")
    cells = capabilities.findall("host/topology/cells/cell")
    return {
        "arch": capabilities.findtext("host/cpu/arch"), "model": capabilities.findtext("host/cpu/model"),
        "vendor": capabilities.findtext("host/cpu/vendor"),
        "topology": {
            "cells": len(cells) or 1,
            **({name: int(topology.get(name, "1")) for name in ("sockets", "cores", "threads")} if topology is not None else {}),
        },
        "features": sorted(feature.get("name", "") for feature in capabilities.findall("host/cpu/feature")),
    }


def _supported(capabilities: ET.Element, guest_type: str) -> tuple[tuple[str, str, str], ...]:
    """Answer (architecture, hypervisor, mode) of guests which can really run: kvm only where it was seen to work."""
    found = set()
    for guest in capabilities.findall("guest"):
        mode, architecture = guest.findtext("os_type") or "hvm", guest.find("arch")
        if architecture is None:
            continue
        kinds = {domain.get("type", "") for domain in architecture.findall("domain")}
        found |= {(architecture.get("name", ""), kind, mode) for kind in kinds if kind in ("qemu", guest_type)}
    return tuple(sorted(found))


def _traits(connection: Any, architecture: str, guest_type: str, guest_cpu: Cpu) -> set[str]:
    traits = set(_ABILITIES)
    traits |= {"COMPUTE_FIRMWARE_UEFI"} if has_uefi(connection, guest_type=guest_type) else set()
    traits |= {f"COMPUTE_STORAGE_BUS_{bus.upper()}" for bus in demands.DISK_BUSES}
    traits |= {f"COMPUTE_NET_VIF_MODEL_{model.upper()}" for model in demands.VIF_MODELS}
    traits |= {f"COMPUTE_GRAPHICS_MODEL_{model.upper()}" for model in _video_models(connection, architecture, guest_type)}
    traits |= {_ARCHITECTURES[architecture]} if architecture in _ARCHITECTURES else set()
    return traits | cpu_traits(_guest_features(connection, architecture, guest_type, guest_cpu), architecture)


def _domain_capabilities(connection: Any, architecture: str, guest_type: str) -> ET.Element:
    return ET.fromstring(connection.getDomainCapabilities(None, architecture, None, guest_type, 0))  # noqa: S314


def _video_models(connection: Any, architecture: str, guest_type: str) -> set[str]:
    known = _domain_capabilities(connection, architecture, guest_type)
    values = known.findall("devices/video/enum[@name='modelType']/value")
    return {value.text or "" for value in values} & {"vga", "cirrus", "qxl", "virtio", "bochs", "none"}


def _guest_features(connection: Any, architecture: str, guest_type: str, guest_cpu: Cpu) -> set[str]:
    """Answer the CPU features which guests get, expanded by libvirt from the model they are given."""
    if guest_cpu.mode == "custom":
        described = render(guest_cpu.xml())
    else:
        mode = _domain_capabilities(connection, architecture, guest_type).find("cpu/mode[@name='host-model']")
        if mode is None or mode.find("model") is None:
            return set()
        mode.tag = "cpu"
        mode.attrib = {"mode": "custom", "match": "exact"}
        described = ET.tostring(mode, encoding="unicode")
    try:
        expanded = connection.baselineHypervisorCPU(
            None, architecture, None, guest_type, [described], libvirt.VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES,
        )
    except libvirt.libvirtError:
        return set()                                     # traits are extras: a libvirt without this call still runs guests
    return {
        feature.get("name", "") for feature in ET.fromstring(expanded).findall("feature")  # noqa: S314
        if feature.get("policy") != "disable"
    }
