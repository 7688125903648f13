"""Monitors: what a host measures of itself now and then, for MetricsFilter and MetricsWeigher."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from novalike.exception import Invalid

LOG = logging.getLogger(__name__)
_STAT, _FREQUENCY = Path("/proc/stat"), Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq")


class CpuMonitor:
    """The host's CPUs: nanoseconds since boot, and parts of 1 since it was last asked. Thread-safe."""

    name = "cpu.virt_driver"

    def __init__(self, *, stat: Callable[[], str] = _STAT.read_text, frequency: Callable[[], str] = _FREQUENCY.read_text) -> None:
        self._stat = stat
        self._frequency = frequency
        self._lock = threading.Lock()
        self._before: dict[str, float] | None = None
        self._tick = 1e9 / os.sysconf("SC_CLK_TCK")

    def measure(self) -> dict[str, float]:
        """Answer metrics under Nova's names; percentages only from the second time on."""
        now = self._times()
        with self._lock:
            before, self._before = self._before, now
        metrics = {f"cpu.{name}.time": spent for name, spent in now.items()}
        passed = sum(now.values()) - sum(before.values()) if before is not None else 0.0
        if before is not None and passed > 0:
            parts = {name: (spent - before[name]) / passed for name, spent in now.items()}
            metrics |= {f"cpu.{name}.percent": round(part, 4) for name, part in parts.items()}
            metrics["cpu.percent"] = round(1 - parts["idle"] - parts["iowait"], 4)
        with suppress(OSError, ValueError):      # a virtual machine does not know it
            metrics["cpu.frequency"] = int(self._frequency()) // 1000
        return metrics

    def _times(self) -> dict[str, float]:
        # user nice system idle iowait irq softirq steal: in ticks
        ticks = [float(word) for word in self._stat().split("\n", 1)[0].split()[1:9]]
        user, nice, system, idle, iowait, irq, softirq, _steal = ticks
        return {
            "user": (user + nice) * self._tick, "kernel": (system + irq + softirq) * self._tick, "idle": idle * self._tick,
            "iowait": iowait * self._tick,
        }


KINDS = {CpuMonitor.name: CpuMonitor, "virt_driver": CpuMonitor}


class Monitors:
    """The monitors which an operator chose."""

    def __init__(self, names: Sequence[str]) -> None:
        unknown = [name for name in names if name not in KINDS]
        if unknown:
            raise Invalid(f"compute_monitors: there is no monitor {unknown[0]}; there are {', '.join(sorted(KINDS))}")
        self._monitors = [kind() for kind in dict.fromkeys(KINDS[name] for name in names)]

    def measure(self) -> dict[str, float]:
        """Answer what all of them measure now; one that fails is left out."""
        metrics: dict[str, float] = {}
        for monitor in self._monitors:
            try:
                metrics |= monitor.measure()
            except (OSError, ValueError) as error:
                LOG.warning("the monitor %s failed: %s", monitor.name, error)
        return metrics
