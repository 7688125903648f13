"""What a guest shows and how it is pointed at."""

from __future__ import annotations

from dataclasses import dataclass

from novalike.virt.libvirt.xml.element import Element, element


@dataclass(frozen=True, slots=True, kw_only=True)
class Vnc:
    """A VNC server on a port which libvirt chooses."""

    listen: str

    def xml(self) -> Element:
        """Render."""
        return element(
            "graphics", {"type": "vnc", "port": -1, "autoport": "yes", "listen": self.listen},
            element("listen", {"type": "address", "address": self.listen}),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Spice:
    """A SPICE server on a port which libvirt chooses. `compression` are libvirt's elements with their only attribute's value."""

    listen: str
    agent: bool = True
    secure: bool = False
    compression: tuple[tuple[str, str], ...] = ()

    def xml(self) -> Element:
        """Render."""
        return element(
            "graphics", {
                "type": "spice", "autoport": "yes", "listen": self.listen, "defaultMode": "secure" if self.secure else None,
            },
            element("listen", {"type": "address", "address": self.listen}),
            *(element(name, {"mode" if name == "streaming" else "compression": value}) for name, value in self.compression),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Video:
    """A display adapter. `vram` is in KiB."""

    model: str
    vram: int | None = None

    def xml(self) -> Element:
        """Render."""
        return element("video", None, element("model", {"type": self.model, "vram": self.vram}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A pointer or keyboard."""

    type: str
    bus: str

    def xml(self) -> Element:
        """Render."""
        return element("input", {"type": self.type, "bus": self.bus})
