"""What a server's image and flavor demand of its guest, checked. Pure: image properties and extra specs in, choices out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from novalike.exception import BuildFailed
from novalike.objects import bandwidth
from novalike.objects.bandwidth import Bandwidth
from novalike.objects.instance import Instance

DISK_BUSES = ("virtio", "scsi", "sata", "ide", "usb")
CDROM_BUSES = ("ide", "sata", "scsi", "usb")
VIF_MODELS = ("virtio", "e1000", "e1000e", "ne2k_pci", "pcnet", "rtl8139")
VIDEO_MODELS = ("vga", "cirrus", "vmvga", "qxl", "virtio", "bochs", "ramfb", "none")
POINTER_MODELS = ("usbtablet", "ps2mouse")
SCSI_MODELS = ("virtio-scsi", "lsilogic")
FIRMWARE_TYPES = ("bios", "uefi")
WATCHDOG_ACTIONS = ("disabled", "none", "pause", "poweroff", "reset")
DISK_LIMITS = {
    f"disk_{what}_{unit}_sec": f"{what}_{unit}_sec" for what in ("read", "write", "total") for unit in ("bytes", "iops")
}
#: What would change a guest and does not exist here. To build without it would be a false promise.
NOT_BUILT_SPECS = (
    "hw:cpu_realtime", "hw:locked_memory",
    "hw:mem_encryption", "hw:pmem", "hw:tpm_version", "hw:tpm_model", "hw:viommu_model", "hw:sound_model",
    "hw:vif_multiqueue_enabled", "hw:ephemeral_encryption", "os:secure_boot",
    "accel:device_profile",
)
NOT_BUILT_PROPERTIES = (
    "hw_cpu_realtime_mask", "hw_locked_memory",
    "hw_mem_encryption", "hw_tpm_version", "hw_tpm_model", "hw_viommu_model", "hw_sound_model", "hw_vif_multiqueue_enabled",
    "hw_emulation_architecture", "hw_ephemeral_encryption", "os_secure_boot",
)
#: What a server is granted by the scheduler: it must come with what it got.
GRANTED = (
    "hw:cpu_policy", "hw:numa_nodes", "hw:mem_page_size", "pci_passthrough:alias", "hw_cpu_policy", "hw_numa_nodes", "hw_mem_page_size",
)
#: Values of the above which ask for nothing.
HARMLESS = frozenset({"", "0", "1", "false", "no", "off", "shared", "share", "any", "small", "none", "disabled", "prefer"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Demands:
    """Choices for a guest's machine; None means the driver's default."""

    machine_type: str | None = None
    uefi: bool = False
    disk_bus: str = "virtio"
    cdrom_bus: str | None = None
    scsi_model: str = "virtio-scsi"
    vif_model: str = "virtio"
    video_model: str | None = None
    video_ram_mb: int | None = None
    pointer_model: str | None = None
    guest_agent: bool = False
    boot_menu: bool = False
    rng: bool = True
    rng_bytes: int | None = None
    rng_period: int | None = None
    watchdog: str | None = None
    serial_ports: int = 1
    windows: bool = False
    command_line: str | None = None
    config_drive: bool = False
    sockets: int = 1
    cores: int = 1
    threads: int = 1
    cpu_shares: int | None = None
    cpu_period: int | None = None
    cpu_quota: int | None = None
    disk_limits: Mapping[str, int] = field(default_factory=dict)
    bandwidth: Bandwidth = ()


def of(instance: Instance) -> Demands:
    """Answer what a server demands. Raises BuildFailed (no retry) for what is unknown, malformed or not built here."""
    properties, specs, vcpus = _properties(instance), instance.flavor.extra_specs, instance.flavor.vcpus
    _refuse_not_built(properties, specs)
    if instance.hardware is None:
        _refuse_ungranted(properties, specs)
    watchdog = _choice("hw:watchdog_action", specs, WATCHDOG_ACTIONS) or _choice("hw_watchdog_action", properties, WATCHDOG_ACTIONS)
    ram, ram_limit = _number("hw_video_ram", properties), _number("hw_video:ram_max_mb", specs)
    if ram is not None and ram > (ram_limit or 0):
        raise BuildFailed(f"hw_video_ram of the image is {ram} MiB; the flavor allows {ram_limit or 0}.", retry=False)
    _choice("hw_rng_model", properties, ("virtio",))
    sockets, cores, threads = _topology(vcpus, properties, specs, instance.hardware.threads if instance.hardware is not None else 1)
    return Demands(
        machine_type=_machine_type(properties),
        uefi=_choice("hw_firmware_type", properties, FIRMWARE_TYPES) == "uefi",
        disk_bus=_choice("hw_disk_bus", properties, DISK_BUSES) or "virtio",
        cdrom_bus=_choice("hw_cdrom_bus", properties, CDROM_BUSES),
        scsi_model=_choice("hw_scsi_model", properties, SCSI_MODELS) or "virtio-scsi",
        vif_model=_choice("hw_vif_model", properties, VIF_MODELS) or "virtio",
        video_model=_choice("hw_video_model", properties, VIDEO_MODELS),
        video_ram_mb=ram,
        pointer_model=_choice("hw_pointer_model", properties, POINTER_MODELS),
        # A quiesced snapshot is impossible without the agent, so demanding the one brings the other.
        guest_agent=_flag("hw_qemu_guest_agent", properties) or _flag("os_require_quiesce", properties),
        boot_menu=_flag("hw_boot_menu", properties) or _flag("hw:boot_menu", specs),
        rng=_flag("hw_rng:allowed", specs, default=True),
        rng_bytes=_number("hw_rng:rate_bytes", specs),
        rng_period=_number("hw_rng:rate_period", specs),
        watchdog=None if watchdog == "disabled" else watchdog,
        serial_ports=min(4, max(1, _number("hw_serial_port_count", properties) or _number("hw:serial_port_count", specs) or 1)),
        windows=properties.get("os_type", instance.os_type or "") == "windows",
        command_line=properties.get("os_command_line"),
        config_drive=properties.get("img_config_drive") == "mandatory",
        sockets=sockets, cores=cores, threads=threads,
        cpu_shares=_number("quota:cpu_shares", specs),
        cpu_period=_number("quota:cpu_period", specs),
        cpu_quota=_number("quota:cpu_quota", specs, minimum=-1),
        disk_limits={
            limit: value for name, limit in DISK_LIMITS.items() if (value := _number(f"quota:{name}", specs)) is not None
        },
        bandwidth=_bandwidth(specs),
    )


def _bandwidth(specs: Mapping[str, str]) -> Bandwidth:
    try:
        return bandwidth.of_flavor(specs)
    except ValueError as error:
        raise BuildFailed(str(error), retry=False) from error


def _properties(instance: Instance) -> Mapping[str, str]:
    return {name: str(value) for name, value in instance.image_properties.items() if value is not None}


def _refuse_not_built(properties: Mapping[str, str], specs: Mapping[str, str]) -> None:
    wanted = [name for name in NOT_BUILT_PROPERTIES if properties.get(name, "").lower() not in HARMLESS]
    wanted += [name for name in NOT_BUILT_SPECS if specs.get(name, "").lower() not in HARMLESS]
    if wanted:
        raise BuildFailed(f"This hypervisor does not support {', '.join(wanted)} yet.", retry=False)


def _refuse_ungranted(properties: Mapping[str, str], specs: Mapping[str, str]) -> None:
    wanted = [name for name in GRANTED if specs.get(name, properties.get(name, "")).lower() not in HARMLESS]
    if wanted:
        raise BuildFailed(f"The server was granted no hardware for {', '.join(wanted)}.", retry=False)


def _machine_type(properties: Mapping[str, str]) -> str | None:
    name = properties.get("hw_machine_type")
    if name is not None and not name.replace("-", "").replace(".", "").replace("_", "").isalnum():
        raise BuildFailed(f"The image's hw_machine_type {name!r} is malformed.", retry=False)
    return name


def _topology(vcpus: int, properties: Mapping[str, str], specs: Mapping[str, str], siblings: int = 1) -> tuple[int, int, int]:
    """Answer sockets, cores and threads, whose product is `vcpus`. What is left open becomes sockets, as in Nova.

    `siblings` vCPUs are pinned to each core of the host; where nobody says otherwise the guest sees that.
    """
    named = {
        part: _number(f"hw:cpu_{part}", specs) or _number(f"hw_cpu_{part}", properties) for part in ("sockets", "cores", "threads")
    }
    threads = named["threads"] or (siblings if not any(named.values()) and vcpus % siblings == 0 else 1)
    cores = named["cores"] or (vcpus // (named["sockets"] * threads) if named["sockets"] else 1) or 1
    sockets = named["sockets"] or vcpus // (cores * threads)
    if sockets * cores * threads != vcpus:
        raise BuildFailed(f"The demanded CPU topology ({sockets} x {cores} x {threads}) does not make {vcpus} CPUs.", retry=False)
    return sockets, cores, threads


def _choice(name: str, values: Mapping[str, str], known: tuple[str, ...]) -> str | None:
    value = values.get(name)
    if value is not None and value not in known:
        raise BuildFailed(f"{name} is {value!r}; this hypervisor supports {', '.join(known)}.", retry=False)
    return value


def _flag(name: str, values: Mapping[str, str], *, default: bool = False) -> bool:
    value = values.get(name)
    return default if value is None else value.strip().lower() in ("1", "true", "t", "yes", "y", "on")


def _number(name: str, values: Mapping[str, str], *, minimum: int = 0) -> int | None:
    value = values.get(name)
    if value is None:
        return None
    try:
        number = int(value)
    except ValueError:
        number = minimum - 1
    if number < minimum:
        raise BuildFailed(f"{name} is {value!r}; it must be a number of at least {minimum}.", retry=False)
    return number
