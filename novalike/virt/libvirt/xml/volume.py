"""Volumes: disks which are not files of the server's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from novalike.virt.libvirt.xml.element import Element, element, texts


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSource:
    """A volume which QEMU itself reaches over the network. `hosts` are (name, port); `socket` is a local one instead.

    `secret` is the uuid of libvirt's secret with the password of `user`.
    """

    protocol: str                                        # nbd, iscsi or rbd
    name: str
    hosts: tuple[tuple[str, str | None], ...] = ()
    socket: str | None = None
    user: str | None = None
    secret: str | None = None
    initiator: str | None = None

    type = "network"

    def xml(self) -> Element:
        """Render."""
        hosts = [element("host", {"name": name, "port": port}) for name, port in self.hosts]
        if self.socket:
            hosts.append(element("host", {"transport": "unix", "socket": self.socket}))
        return element(
            "source", {"protocol": self.protocol, "name": self.name}, *hosts,
            element("initiator", None, element("iqn", {"name": self.initiator})) if self.initiator else None,
            self.auth(),
        )

    def auth(self) -> Element | None:
        """Render who logs in, if anybody has to."""
        if not self.user or not self.secret:
            return None
        kind = "ceph" if self.protocol == "rbd" else self.protocol
        return element("auth", {"username": self.user}, element("secret", {"type": kind, "uuid": self.secret}))


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSource:
    """A volume which the host has as a block device (`type` block) or a file."""

    type: str
    path: str

    def xml(self) -> Element:
        """Render."""
        return element("source", {"dev" if self.type == "block" else "file": self.path})


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeDisk:
    """A volume as a disk. `alias` is what libvirt and QEMU call it, for as long as the guest has the device."""

    source: NetworkSource | HostSource
    target: str
    bus: str
    serial: str
    alias: str
    format: str = "raw"
    cache: str | None = "none"
    discard: str | None = None
    io: str | None = None
    readonly: bool = False
    shareable: bool = False
    iotune: Mapping[str, int] = field(default_factory=dict)

    def xml(self) -> Element:
        """Render."""
        return element(
            "disk", {"type": self.source.type, "device": "disk"},
            element("driver", {"name": "qemu", "type": self.format, "cache": self.cache, "io": self.io, "discard": self.discard}),
            self.source.xml(),
            element("target", {"dev": self.target, "bus": self.bus}),
            element("iotune", None, *texts(self.iotune)) if self.iotune else None,
            element("readonly") if self.readonly else None,
            element("shareable") if self.shareable else None,
            element("serial", text=self.serial),
            element("alias", {"name": self.alias}),
        )
