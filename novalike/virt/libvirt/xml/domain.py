"""The domain: everything of a guest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from novalike.virt.libvirt.xml import numa
from novalike.virt.libvirt.xml.boot import Boot, Sysinfo
from novalike.virt.libvirt.xml.cpu import Cpu, CpuTune
from novalike.virt.libvirt.xml.element import Element, element, render
from novalike.virt.libvirt.xml.interface import Interface
from novalike.virt.libvirt.xml.server import ServerNote


class Device(Protocol):
    """What stands in the devices element."""

    def xml(self) -> Element:
        """Render."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """Firmware and hypervisor features. `tb_cache` is MiB of translated code, for emulated guests only."""

    tb_cache: int | None = None
    vmcoreinfo: bool = True

    def xml(self) -> Element:
        """Render."""
        cache = element("tcg", None, element("tb-cache", {"unit": "MiB"}, text=self.tb_cache)) if self.tb_cache else None
        return element(
            "features", None, element("acpi"), element("apic"),
            element("vmcoreinfo", {"state": "on"}) if self.vmcoreinfo else None, cache,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """The guest's clock: `offset` is utc or localtime."""

    offset: str = "utc"

    def xml(self) -> Element:
        """Render."""
        return element(
            "clock", {"offset": self.offset},
            element("timer", {"name": "pit", "tickpolicy": "delay"}),
            element("timer", {"name": "rtc", "tickpolicy": "catchup"}),
            element("timer", {"name": "hpet", "present": "no"}),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """A guest. `type` is kvm or qemu; memory in MiB."""

    type: str
    name: str
    uuid: str
    memory_mb: int
    vcpus: int
    boot: Boot
    cpu: Cpu
    sysinfo: Sysinfo
    features: Features
    clock: Clock
    devices: tuple[Device, ...]
    cpu_tune: CpuTune = field(default_factory=CpuTune)
    note: ServerNote | None = None
    emulator: str | None = None
    cpu_set: str | None = None                           # the host's CPUs on which all vCPUs float

    @property
    def shares_memory(self) -> bool:
        """Whether something outside reads and writes its memory: a switch does, for NICs which are sockets."""
        return any(isinstance(device, Interface) and device.type == "vhostuser" for device in self.devices)

    def xml(self) -> Element:
        """Render to a tree."""
        return element(
            "domain", {"type": self.type},
            element("name", text=self.name),
            element("uuid", text=self.uuid),
            self.note.xml() if self.note else None,
            element("memory", {"unit": "MiB"}, text=self.memory_mb),
            numa.backing(self.cpu.cells, shared=self.shares_memory),
            element("vcpu", {"placement": "static" if self.cpu_set else None, "cpuset": self.cpu_set}, text=self.vcpus),
            self.cpu_tune.xml(),
            numa.tune(self.cpu.cells),
            self.sysinfo.xml(),
            self.boot.xml(),
            self.features.xml(),
            self.cpu.xml(),
            self.clock.xml(),
            element("on_poweroff", text="destroy"),
            element("on_reboot", text="restart"),
            element("on_crash", text="destroy"),
            element(
                "devices", None, element("emulator", text=self.emulator) if self.emulator else None,
                *(device.xml() for device in self.devices),
            ),
        )

    def text(self) -> str:
        """Render to text."""
        return render(self.xml())
