"""How a guest starts, and what its firmware says of itself."""

from __future__ import annotations

from dataclasses import dataclass

from novalike.virt.libvirt.xml.element import Element, element


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """The os element: from disk by firmware (`uefi` or BIOS), or straight from a kernel. `device` None: disks have an order."""

    architecture: str
    machine: str
    uefi: bool = False
    kernel: str | None = None
    ramdisk: str | None = None
    command_line: str | None = None
    device: str | None = "hd"
    menu: bool = False

    def xml(self) -> Element:
        """Render."""
        direct = self.kernel is not None
        return element(
            "os", {"firmware": "efi" if self.uefi else None},
            element("type", {"arch": self.architecture, "machine": self.machine}, text="hvm"),
            element("firmware", None, element("feature", {"enabled": "no", "name": "secure-boot"})) if self.uefi else None,
            element("kernel", text=self.kernel) if direct else None,
            element("initrd", text=self.ramdisk) if direct and self.ramdisk else None,
            element("cmdline", text=self.command_line) if direct and self.command_line else None,
            None if direct or self.device is None else element("boot", {"dev": self.device}),
            element("bootmenu", {"enable": "yes"}) if self.menu else None,
            element("smbios", {"mode": "sysinfo"}),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sysinfo:
    """SMBIOS texts. cloud-init recognizes OpenStack by manufacturer and product."""

    version: str
    uuid: str
    serial: str | None = None

    def xml(self) -> Element:
        """Render."""
        entries = {
            "manufacturer": "OpenStack Foundation", "product": "OpenStack Nova", "version": self.version, "serial": self.serial,
            "uuid": self.uuid, "family": "Virtual Machine",
        }
        return element(
            "sysinfo", {"type": "smbios"},
            element("system", None, *(element("entry", {"name": name}, text=text) for name, text in entries.items() if text)),
        )
