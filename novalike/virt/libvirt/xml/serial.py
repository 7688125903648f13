"""Serial ports and channels between guest and host."""

from __future__ import annotations

from dataclasses import dataclass

from novalike.virt.libvirt.xml.element import Element, element


@dataclass(frozen=True, slots=True, kw_only=True)
class Serial:
    """A serial port on a pseudo terminal; what the guest writes is logged to a file as well."""

    port: int = 0
    log: str | None = None

    def xml(self) -> Element:
        """Render."""
        return element(
            "serial", {"type": "pty"},
            element("log", {"file": self.log, "append": "off"}) if self.log else None,
            element("target", {"port": self.port}),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpSerial:
    """A serial port which listens on a TCP port of the host, one caller at a time; what the guest writes is logged as well."""

    listen: str
    tcp_port: int
    port: int = 0
    log: str | None = None

    def xml(self) -> Element:
        """Render."""
        return element(
            "serial", {"type": "tcp"},
            element("source", {"mode": "bind", "host": self.listen, "service": self.tcp_port}),
            element("protocol", {"type": "raw"}),
            element("log", {"file": self.log, "append": "off"}) if self.log else None,
            element("target", {"port": self.port}),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SpiceChannel:
    """The channel on which the SPICE agent answers."""

    def xml(self) -> Element:
        """Render."""
        return element(
            "channel", {"type": "spicevmc"}, element("target", {"type": "virtio", "name": "com.redhat.spice.0"}),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentChannel:
    """The channel on which the QEMU guest agent answers."""

    def xml(self) -> Element:
        """Render."""
        return element(
            "channel", {"type": "unix"}, element("target", {"type": "virtio", "name": "org.qemu.guest_agent.0"}),
        )
