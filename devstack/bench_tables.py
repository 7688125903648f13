"""The benchmark's results as tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from devstack.accounting import medians, percentile

#: Nova on a like machine (two cores, fake driver, everything on one host), as DESIGN and the issue give it.
NOVA = {"p50": "540", "rate": "3.0", "cpu": "500-900"}
CREATE = "create"


def create(measured: Mapping[str, Any]) -> None:
    """Print where the CPU goes, one row for each kind of work and one column for each process."""
    runs: list[dict[str, dict[str, float]]] = measured["runs"]
    names = list(measured["memory_mb"])
    several = len(runs) > 1
    groups: dict[str, list[str]] = measured["groups"]
    table = Table(
        title=f"{measured['shape']} shape, {measured['computes']} fake computes: CPU ms for each server or request"
              + (f"; median of {len(runs)} runs" if several else ""), title_justify="left",
    )
    table.add_column("work")
    for name in ("p50 ms", "p95 ms", "per s", "CPU ms", *(["least"] if several else []), *(f"[bold]{group}[/]" for group in groups), *names):
        table.add_column(name, justify="right")
    for work in runs[0]:
        row = medians(run[work] for run in runs)
        least = [_number(min(run[work]["cpu"] for run in runs))] if several else []
        table.add_row(
            work, _number(row.get("p50")), _number(row.get("p95")), _number(row["rate"]), f"[bold]{_number(row['cpu'])}[/]", *least,
            *(f"[bold]{_number(sum(row[f'cpu_{name}'] for name in many))}[/]" for many in groups.values()),
            *(_number(row[f"cpu_{name}"]) for name in names),
        )
    table.add_row("[dim]Nova: create", NOVA["p50"], "", NOVA["rate"], NOVA["cpu"], *([""] if several else []), *("" for _ in (*groups, *names)))
    memory = measured["memory_mb"]
    for when in ("at start", "at end"):
        table.add_row(
            f"[dim]memory {when}, MiB", "", "", "", _number(sum(one[when] for one in memory.values())), *([""] if several else []),
            *(_number(sum(memory[name][when] for name in many)) for many in groups.values()), *(_number(memory[name][when]) for name in names),
        )
    Console(width=200 + 15 * len(groups)).print(table)


def start(measured: Mapping[str, Any]) -> None:
    """Print how fast the embedded cloud starts."""
    starts: list[dict[str, float]] = measured["starts"]
    table = Table(title=f"embedded shape, fake driver, {len(starts)} starts", title_justify="left")
    for name in ("", "least", "median", "target"):
        table.add_column(name, justify="right" if name else "left")
    rows = (
        ("answers after, s", "answers", ""), ("first server ACTIVE after, s", "active", "3"), ("CPU seconds", "cpu", ""),
        ("memory, MiB", "memory_mb", "150"),
    )
    for title, name, target in rows:
        values = [one[name] for one in starts]
        table.add_row(title, f"{min(values):.2f}", f"{percentile(values, 0.5):.2f}", target)
    Console().print(table)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"
