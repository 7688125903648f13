"""Network interfaces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from novalike.objects.bandwidth import INBOUND, OUTBOUND, Bandwidth
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
    bandwidth: Bandwidth = ()                    # limits which libvirt keeps (by traffic control; it needs the kernel's sfq queue)

    def xml(self) -> Element:
        """Render."""
        return element(
            "interface", {"type": "bridge"},
            element("mac", {"address": self.mac}),
            element("source", {"bridge": self.bridge}),
            element("target", {"dev": self.tap}),
            element("model", {"type": self.model}),
            element("mtu", {"size": self.mtu}) if self.mtu else None,
            element("bandwidth", {}, *self._limits()) if self.bandwidth else None,
            element("alias", {"name": self.alias}) if self.alias else None,
        )

    def _limits(self) -> Iterator[Element]:
        for direction in (INBOUND, OUTBOUND):
            found = {name.removeprefix(f"{direction}_"): value for name, value in self.bandwidth if name.startswith(direction)}
            if found:
                yield element(direction, found)
