"""Small devices without choices: random numbers, memory balloon, watchdog."""

from __future__ import annotations

from dataclasses import dataclass

from novalike.virt.libvirt.xml.element import Element, element


@dataclass(frozen=True, slots=True, kw_only=True)
class Rng:
    """Random numbers from a device of the host, at most `rate_bytes` per `rate_period` milliseconds."""

    source: str
    rate_bytes: int | None = None
    rate_period: int | None = None

    def xml(self) -> Element:
        """Render."""
        return element(
            "rng", {"model": "virtio"},
            element("rate", {"bytes": self.rate_bytes, "period": self.rate_period}) if self.rate_bytes else None,
            element("backend", {"model": "random"}, text=self.source),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Balloon:
    """The memory balloon; `period` are seconds between statistics, 0 for none."""

    period: int = 0

    def xml(self) -> Element:
        """Render."""
        return element(
            "memballoon", {"model": "virtio"}, element("stats", {"period": self.period}) if self.period > 0 else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Watchdog:
    """A watchdog card; `action` is what QEMU does when the guest stops feeding it."""

    action: str

    def xml(self) -> Element:
        """Render."""
        return element("watchdog", {"model": "i6300esb", "action": self.action})
