"""Network interfaces."""

from __future__ import annotations

from dataclasses import dataclass

from novalike.virt.libvirt.xml.element import Element, element


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeInterface:
    """A NIC whose tap libvirt makes, puts into a bridge, and removes with the guest."""

    mac: str
    bridge: str
    tap: str
    model: str
    mtu: int | None = None
    alias: str = ""

    def xml(self) -> Element:
        """Render."""
        return element(
            "interface", {"type": "bridge"},
            element("mac", {"address": self.mac}),
            element("source", {"bridge": self.bridge}),
            element("target", {"dev": self.tap}),
            element("model", {"type": self.model}),
            element("mtu", {"size": self.mtu}) if self.mtu else None,
            element("alias", {"name": self.alias}) if self.alias else None,
        )
