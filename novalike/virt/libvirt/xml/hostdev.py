"""A PCI device of the host, given to a guest."""

from __future__ import annotations

from dataclasses import dataclass

from novalike.virt.libvirt.xml.element import Element, element


@dataclass(frozen=True, slots=True, kw_only=True)
class HostDevice:
    """`address` is as the kernel writes it: 0000:81:00.1."""

    address: str

    def xml(self) -> Element:
        """Render; libvirt takes the device from its driver and gives it back."""
        domain, bus, rest = self.address.split(":")
        slot, _, function = rest.partition(".")
        parts = {"domain": domain, "bus": bus, "slot": slot, "function": function}
        return element(
            "hostdev", {"mode": "subsystem", "type": "pci", "managed": "yes"},
            element("source", None, element("address", {name: f"0x{value}" for name, value in parts.items()})),
        )
