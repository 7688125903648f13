"""What processes cost, by the kernel's own books, and the arithmetic of measurements."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def percentile(values: Sequence[float], share: float) -> float:
    """Answer the smallest value which at least `share` (0 to 1) of the values do not exceed. Raises ValueError for none."""
    if not values:
        raise ValueError("no values were measured")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def family(pid: int) -> list[int]:
    """Answer a process and all its descendants which live."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            words = _stat(int(entry.name))
            if words:
                children.setdefault(int(words[1]), []).append(int(entry.name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def cpu_seconds(pid: int) -> float:
    """Answer the CPU seconds which a process, its descendants, and the children it waited for have used."""
    total = 0
    for one in family(pid):
        words = _stat(one)
        if words:
            total += sum(int(word) for word in words[11:15])     # utime, stime, cutime, cstime
    return total / _TICKS


def memory_mb(pid: int) -> float:
    """Answer the resident memory of a process and its descendants in MiB, pages they share counted in each."""
    total = 0
    for one in family(pid):
        try:
            total += int(Path(f"/proc/{one}/statm").read_text().split()[1])
        except (OSError, IndexError):
            continue
    return total * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def _stat(pid: int) -> list[str]:
    """The words of /proc/PID/stat behind the name: [0] state, [1] parent ... Empty when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return []


class Meter:
    """CPU seconds of named processes since the last look, what they use when nothing is asked of them taken off."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self.pids = dict(pids)
        self.idle: dict[str, float] = {}         # CPU seconds per second
        self._before = self._now()

    def _now(self) -> dict[str, float]:
        return {name: cpu_seconds(pid) for name, pid in self.pids.items()}

    def start(self) -> None:
        """Begin to count."""
        self._before = self._now()

    def used(self, seconds: float) -> dict[str, float]:
        """Answer CPU seconds by name since start(), which was `seconds` ago."""
        return beyond_idle(self._before, self._now(), self.idle, seconds)


def beyond_idle(
    before: Mapping[str, float], after: Mapping[str, float], idle: Mapping[str, float], seconds: float,
) -> dict[str, float]:
    """Answer how much each counter grew beyond what it grows by itself (`idle` per second); never less than 0."""
    return {name: max(0.0, after[name] - before[name] - idle.get(name, 0.0) * seconds) for name in before}


def medians(runs: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Answer the median of each name over several runs (the lower one of two)."""
    columns: dict[str, list[float]] = {}
    for run in runs:
        for name, value in run.items():
            columns.setdefault(name, []).append(value)
    return {name: percentile(values, 0.5) for name, values in columns.items()}
