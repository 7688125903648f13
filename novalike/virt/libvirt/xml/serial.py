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
class AgentChannel:
    """The channel on which the QEMU guest agent answers."""

    def xml(self) -> Element:
        """Render."""
        return element(
            "channel", {"type": "unix"}, element("target", {"type": "virtio", "name": "org.qemu.guest_agent.0"}),
        )
