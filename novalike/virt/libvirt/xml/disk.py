"""Disks which are files of the host, and the controllers they hang on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from novalike.virt.libvirt.xml.element import Element, element, texts


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """A file as a disk. `format` is always declared: QEMU must never probe. `iotune` are libvirt's limits by name. `boot` is
    its place in the boot order, in a machine which gives its disks one."""

    path: str
    format: str
    target: str
    bus: str
    device: str = "disk"
    cache: str | None = None
    discard: str | None = None
    readonly: bool = False
    serial: str | None = None
    boot: int | None = None
    iotune: Mapping[str, int] = field(default_factory=dict)

    def xml(self) -> Element:
        """Render."""
        return element(
            "disk", {"type": "file", "device": self.device},
            element("driver", {"name": "qemu", "type": self.format, "cache": self.cache, "discard": self.discard}),
            element("source", {"file": self.path}),
            element("target", {"dev": self.target, "bus": self.bus}),
            element("serial", text=self.serial) if self.serial else None,
            element("boot", {"order": self.boot}) if self.boot else None,
            element("iotune", None, *texts(self.iotune)) if self.iotune else None,
            element("readonly") if self.readonly else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Controller:
    """A controller which must be named because libvirt's own choice would be another one."""

    type: str
    model: str | None = None
    index: int | None = None

    def xml(self) -> Element:
        """Render."""
        return element("controller", {"type": self.type, "index": self.index, "model": self.model})
