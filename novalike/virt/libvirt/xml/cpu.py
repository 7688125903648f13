"""The CPU which a guest sees."""

from __future__ import annotations

from dataclasses import dataclass

from novalike.virt.libvirt.xml.element import Element, element
from novalike.virt.libvirt.xml.numa import NumaCell, numa


@dataclass(frozen=True, slots=True, kw_only=True)
class Cpu:
    """`mode` is libvirt's, or none to say nothing but the topology. `features` are (policy, name) pairs."""

    mode: str
    model: str | None = None
    features: tuple[tuple[str, str], ...] = ()
    sockets: int = 1
    cores: int = 1
    threads: int = 1
    cells: tuple[NumaCell, ...] = ()

    def xml(self) -> Element:
        """Render."""
        known = self.mode != "none"
        return element(
            "cpu", {"mode": self.mode if known else None, "match": "exact" if self.mode == "custom" else None},
            element("model", text=self.model) if self.model and known else None,
            element("topology", {"sockets": self.sockets, "cores": self.cores, "threads": self.threads}),
            *(element("feature", {"policy": policy, "name": name}) for policy, name in self.features if known),
            numa(self.cells),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuTune:
    """A guest's share of the host's CPUs; None leaves libvirt's default. Times are microseconds.

    `pins` are lists of host CPUs as text, by vCPU.
    """

    shares: int | None = None
    period: int | None = None
    quota: int | None = None
    pins: tuple[tuple[int, str], ...] = ()
    emulator: str | None = None

    def xml(self) -> Element | None:
        """Render; None when nothing is set."""
        values = {"shares": self.shares, "period": self.period, "quota": self.quota}
        if not any(value is not None for value in values.values()) and not self.pins:
            return None
        return element(
            "cputune", None, *(element(name, text=value) for name, value in values.items() if value is not None),
            *(element("vcpupin", {"vcpu": vcpu, "cpuset": there}) for vcpu, there in self.pins),
            element("emulatorpin", {"cpuset": self.emulator}) if self.emulator else None,
        )
