"""Decides the machine of a guest: server, disks, ports and options in, domain XML out. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from novalike.exception import BuildFailed
from novalike.hardware import disk_names
from novalike.objects.block_device import BlockDevice
from novalike.objects.network_info import Vif
from novalike.virt.driver import SpawnRequest
from novalike.virt.libvirt import granted, volumes
from novalike.virt.libvirt import vif as ports
from novalike.virt.libvirt.demands import Demands
from novalike.virt.libvirt.disks import RESCUE, ROOT, DiskFile
from novalike.virt.libvirt.granted import Floating
from novalike.virt.libvirt.xml.boot import Boot, Sysinfo
from novalike.virt.libvirt.xml.cpu import Cpu, CpuTune
from novalike.virt.libvirt.xml.disk import Controller, Disk
from novalike.virt.libvirt.xml.domain import Clock, Device, Domain, Features
from novalike.virt.libvirt.xml.graphics import Input, Spice, Video, Vnc
from novalike.virt.libvirt.xml.interface import Interface
from novalike.virt.libvirt.xml.serial import AgentChannel, Serial, SpiceChannel, TcpSerial
from novalike.virt.libvirt.xml.server import ServerNote
from novalike.virt.libvirt.xml.virtio import Balloon, Rng, Watchdog
from novalike.virt.libvirt.xml.volume import VolumeDisk

_MACHINES = {"x86_64": "pc", "i686": "pc", "aarch64": "virt", "ppc64le": "pseries", "s390x": "s390-ccw-virtio"}
#: What a guest sees by default under emulation: complete in QEMU, and new enough for today's distributions (x86-64-v2).
EMULATED_CPU = "Nehalem"
#: PCIe ports of a q35 machine: enough for its own devices and a dozen more. (libvirt itself leaves one free.)
PCIE_PORTS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class HostChoices:
    """What the host's configuration decides, whatever the server."""

    type: str                                            # kvm or qemu
    architecture: str = "x86_64"
    uefi: bool = True                                    # firmware for it is installed
    version: str = "0"                                   # ours, shown to guests
    machine_types: dict[str, str] = field(default_factory=dict)
    cpu_mode: str | None = None
    cpu_models: tuple[str, ...] = ()
    cpu_flags: tuple[str, ...] = ()
    tb_cache_mb: int = 0
    disk_cache: str | None = "none"
    disk_discard: str | None = "unmap"
    disk_prefix: str | None = None
    rng_source: str = "/dev/urandom"
    stats_period: int = 10
    serial: str | None = None                            # None: the server's uuid; empty: none at all
    vnc_listen: str | None = "127.0.0.1"                 # None: no VNC
    spice: Spice | None = None
    serial_listen: str | None = None                     # None: serial ports are pseudo terminals
    pointer_model: str = "usbtablet"
    pcie_ports: int = PCIE_PORTS
    initiator: str | None = None                         # who the host is to iSCSI targets
    floating: Floating = field(default_factory=Floating)


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """A server's files on the host: its folder, its disks in guest order, and what it boots from when not from a disk.

    `suffix` ends the names of kernel and ramdisk. A disk with the role RESCUE is booted from, wherever it stands.
    """

    folder: str
    disks: tuple[DiskFile, ...]
    kernel: bool = False
    ramdisk: bool = False
    suffix: str = ""


def machine(
    request: SpawnRequest, demands: Demands, files: Files, host: HostChoices, *, made: datetime, serial_ports: Sequence[int] = (),
) -> tuple[Domain, str | None]:
    """Answer the domain and its root device's name. Raises BuildFailed for combinations which no machine has.

    `serial_ports` are the host's TCP ports for its serial ports; without them those are pseudo terminals.
    """
    instance, flavor = request.instance, request.instance.flavor
    if demands.uefi and not host.uefi:
        raise BuildFailed("The image demands UEFI firmware, which is not installed on the host.")
    machine_type = demands.machine_type or host.machine_types.get(host.architecture) or _MACHINES.get(host.architecture, "virt")
    disks = tuple(_disks(demands, files, host, machine_type))
    root = _of_role(ROOT, disks, files)
    root_device = f"/dev/{root.target}" if root else None
    volume_disks = _volumes(request, demands, host, {disk.target for disk in disks})
    devices: list[Device] = [*disks, *volume_disks, *_controllers(demands, (*disks, *volume_disks))]
    if "q35" in machine_type:
        devices += [Controller(type="pci", model="pcie-root", index=0)]
        devices += [Controller(type="pci", model="pcie-root-port")] * host.pcie_ports
    devices += [interface(vif, demands) for vif in request.vifs]
    devices += granted.devices(instance.hardware)
    devices += list(_consoles(demands, files, host, serial_ports))
    if demands.rng:
        devices.append(Rng(source=host.rng_source, rate_bytes=demands.rng_bytes, rate_period=demands.rng_period))
    if demands.watchdog:
        devices.append(Watchdog(action=demands.watchdog))
    devices.append(Balloon(period=host.stats_period))
    serial = instance.uuid if host.serial is None else host.serial or None
    domain = Domain(
        type=host.type, name=instance.name, uuid=instance.uuid, memory_mb=flavor.memory_mb, vcpus=flavor.vcpus,
        boot=_boot(demands, files, host, machine_type, _of_role(RESCUE, disks, files) or root), cpu=replace(cpu(demands, host), cells=granted.numa_cells(instance.hardware)),
        cpu_set=None if instance.hardware is not None and instance.hardware.cells else host.floating.chosen,
        cpu_tune=CpuTune(
            shares=demands.cpu_shares, period=demands.cpu_period, quota=demands.cpu_quota,
            pins=granted.pins(instance.hardware, host.floating), emulator=granted.emulator(instance.hardware, host.floating),
        ),
        sysinfo=Sysinfo(version=host.version, uuid=instance.uuid, serial=serial),
        features=Features(tb_cache=host.tb_cache_mb if host.type == "qemu" else None),
        clock=Clock(offset="localtime" if demands.windows else "utc"), devices=tuple(devices),
        note=ServerNote(instance=instance, vifs=request.vifs, version=host.version, made=made),
    )
    return domain, root_device


def cpu(demands: Demands, host: HostChoices) -> Cpu:
    """Answer the CPU which guests see."""
    mode = host.cpu_mode or ("host-model" if host.type == "kvm" else "custom")
    model = None
    if mode == "custom":
        model = host.cpu_models[0] if host.cpu_models else EMULATED_CPU
    features = tuple(("disable" if flag.startswith("-") else "require", flag.lstrip("+-").lower()) for flag in host.cpu_flags)
    return Cpu(mode=mode, model=model, features=features, sockets=demands.sockets, cores=demands.cores, threads=demands.threads)


def _boot(demands: Demands, files: Files, host: HostChoices, machine_type: str, root: Disk | None) -> Boot:
    device = root.target if root else "ram0"
    return Boot(
        architecture=host.architecture, machine=machine_type, uefi=demands.uefi, menu=demands.boot_menu,
        kernel=f"{files.folder}/kernel{files.suffix}" if files.kernel else None,
        ramdisk=f"{files.folder}/ramdisk{files.suffix}" if files.ramdisk else None,
        command_line=demands.command_line or f"root=/dev/{device} console=tty0 console=ttyS0 no_timer_check",
        device=None if root and root.boot else "cdrom" if root and root.device == "cdrom" else "hd",
    )


def _of_role(role: str, disks: Sequence[Disk], files: Files) -> Disk | None:
    return next((disk for disk, file in zip(disks, files.disks, strict=True) if file.role == role), None)


def _disks(demands: Demands, files: Files, host: HostChoices, machine_type: str) -> Iterator[Disk]:
    names = _Names(host.disk_prefix)
    for file in files.disks:
        bus = file.bus or (demands.disk_bus if file.device == "disk" else _cdrom_bus(demands, machine_type))
        if bus == "ide" and "q35" in machine_type:
            raise BuildFailed("Machine type q35 has no IDE bus, which the image demands.", retry=False)
        readonly = file.device == "cdrom"
        yield Disk(
            path=f"{files.folder}/{file.name}", format=file.format, target=names.next(bus, file.device), bus=bus, device=file.device,
            cache=host.disk_cache, discard=None if readonly else host.disk_discard, readonly=readonly,
            iotune={} if readonly else demands.disk_limits, boot=1 if file.role == RESCUE and not files.kernel else None,
        )


def _cdrom_bus(demands: Demands, machine_type: str) -> str:
    # q35 has SATA, but kernels made for clouds have no driver for it; virtio-scsi they all have. (Nova: sata.)
    return demands.cdrom_bus or ("scsi" if "q35" in machine_type or demands.disk_bus == "scsi" else "ide")


class _Names:
    """Gives out device names: vda, vdb, ...; the buses whose names begin alike share them."""

    def __init__(self, prefix: str | None) -> None:
        self._prefix, self._given = prefix, dict[str, int]()

    def next(self, bus: str, device: str) -> str:
        prefix = self._prefix if self._prefix and device == "disk" else disk_names.PREFIXES[bus]
        number = self._given[prefix] = self._given.get(prefix, -1) + 1
        return f"{prefix}{chr(ord('a') + number)}"


def _volumes(request: SpawnRequest, demands: Demands, host: HostChoices, used: set[str]) -> tuple[VolumeDisk, ...]:
    """Answer the server's volumes, in the order of their names: guests count them in the order in which they stand."""
    found = []
    for device in request.block_devices:
        if device.destination_type == "volume":
            target = volume_target(device, demands.disk_bus, host.disk_prefix, used)
            used.add(target)
            found.append(volumes.disk(
                request.instance.uuid, device, target=target, bus=demands.disk_bus, initiator=host.initiator,
            ))
    return tuple(sorted(found, key=lambda disk: (len(disk.target), disk.target)))


def volume_target(device: BlockDevice, bus: str, prefix: str | None, used: set[str]) -> str:
    """Answer a volume's name in the guest: the one which it was given, or the next free one where that cannot be."""
    beginning, wanted = prefix or disk_names.PREFIXES[bus], (device.device_name or "").removeprefix("/dev/")
    if wanted.startswith(beginning) and wanted not in used:
        return wanted
    return next(name for name in disk_names.names(beginning) if name not in used)


def _controllers(demands: Demands, disks: tuple[Disk | VolumeDisk, ...]) -> Iterator[Device]:
    if any(disk.bus == "scsi" for disk in disks):
        yield Controller(type="scsi", model=demands.scsi_model, index=0)


def alias(vif: Vif) -> str:
    """Answer what a port's device is called."""
    return f"ua-{vif.port_id}"


def interface(vif: Vif, demands: Demands) -> Interface:
    """Answer a port as a device. Raises BuildFailed."""
    return ports.interface(vif, demands.vif_model, alias=alias(vif), bandwidth=() if vif.limited else demands.bandwidth)


def _consoles(demands: Demands, files: Files, host: HostChoices, serial_ports: Sequence[int]) -> Iterator[Device]:
    for port in range(demands.serial_ports):
        log = f"{files.folder}/console.log" if port == 0 else None
        if host.serial_listen is not None and port < len(serial_ports):
            yield TcpSerial(listen=host.serial_listen, tcp_port=serial_ports[port], port=port, log=log)
        else:
            yield Serial(port=port, log=log)
    if demands.guest_agent:
        yield AgentChannel()
    if host.vnc_listen is None and host.spice is None:
        yield Video(model="none")
        return
    if (demands.pointer_model or host.pointer_model) == "usbtablet":
        yield Input(type="tablet", bus="usb")
    if host.vnc_listen is not None:
        yield Vnc(listen=host.vnc_listen)
    if host.spice is not None:
        if host.spice.agent:
            yield SpiceChannel()
        yield host.spice
    yield Video(
        model=demands.video_model or ("qxl" if host.spice else "virtio"),
        vram=demands.video_ram_mb * 1024 if demands.video_ram_mb else None,
    )
