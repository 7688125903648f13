"""The CPU which a guest sees."""

from __future__ import annotations

from dataclasses import dataclass

from novalike.virt.libvirt.xml.element import Element, element


@dataclass(frozen=True, slots=True, kw_only=True)
class Cpu:
    """`mode` is libvirt's, or none to say nothing but the topology. `features` are (policy, name) pairs."""

    mode: str
    model: str | None = None
    features: tuple[tuple[str, str], ...] = ()
    sockets: int = 1
    cores: int = 1
    threads: int = 1

    def xml(self) -> Element:
        """Render."""
        known = self.mode != "none"
        return element(
            "cpu", {"mode": self.mode if known else None, "match": "exact" if self.mode == "custom" else None},
            element("model", text=self.model) if self.model and known else None,
            element("topology", {"sockets": self.sockets, "cores": self.cores, "threads": self.threads}),
            *(element("feature", {"policy": policy, "name": name}) for policy, name in self.features if known),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuTune:
    """A guest's share of the host's CPUs; None leaves libvirt's default. Times are microseconds."""

    shares: int | None = None
    period: int | None = None
    quota: int | None = None

    def xml(self) -> Element | None:
        """Render; None when nothing is set."""
        values = {"shares": self.shares, "period": self.period, "quota": self.quota}
        if not any(value is not None for value in values.values()):
            return None
        return element("cputune", None, *(element(name, text=value) for name, value in values.items() if value is not None))
