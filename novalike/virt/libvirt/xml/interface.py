"""Network interfaces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from novalike.objects.bandwidth import INBOUND, OUTBOUND, Bandwidth
from novalike.virt.libvirt.xml.element import Element, element


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """A NIC. `type` and `source` (attributes) are libvirt's.

    Its `tap` was made before and stays when it is `kept`; else libvirt makes and removes it, and names it if it has none.
    """

    type: str
    mac: str
    model: str
    source: Mapping[str, str | None] = field(default_factory=dict)
    tap: str | None = None
    kept: bool = False
    mtu: int | None = None
    alias: str = ""
    bandwidth: Bandwidth = ()                    # limits which libvirt keeps (by traffic control; it needs the kernel's sfq queue)

    def like(self, **changes: Any) -> Interface:
        """Answer it with changes."""
        return replace(self, **changes)

    def xml(self) -> Element:
        """Render."""
        return element(
            "interface", {"type": self.type},
            element("mac", {"address": self.mac}),
            element("source", self.source) if self.source else None,
            element("target", {"dev": self.tap, "managed": "no" if self.kept else None}) if self.tap else None,
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
