"""`novalike-manage placement`: is everything owned, and held as it should be? And if not, make it so."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from novalike.db import audit, placement_repairs
from novalike.hardware.capacity import Ratios
from novalike.manage.command import Command, Session
from novalike.objects.leftover import Leftover, Result

#: Overdue work and mappings without instance are mended within a minute by themselves.
GRACE = 90.0
COLUMNS = ("kind", "subject", "text", "repair")


def check(session: Session) -> int:
    """List what nobody owns, what is held wrongly, and hosts over their capacity; status 1 when there are any."""
    conf = session.conf
    ratios = Ratios(conf.initial_cpu_allocation_ratio, conf.initial_ram_allocation_ratio, conf.initial_disk_allocation_ratio)
    found = audit.leftovers(session.cells, ratios=ratios, grace=session.arguments.grace)
    rows = [{"kind": one.kind, "subject": one.subject, "text": one.text, "repair": one.repair} for one in found]
    session.output.rows(COLUMNS, rows, empty="Everything is owned, and no host is over its capacity.")
    return 1 if found else 0


def repair(session: Session) -> int:
    """Repair what `check --json` found and wrote to a file, if it is still so; status 1 when something is left alone."""
    results = [(one, placement_repairs.repair(session.cells, one)) for one in session.arguments.findings]
    rows = [{"result": result.value, "kind": one.kind, "subject": one.subject, "text": one.text} for one, result in results]
    session.output.rows(("result", "kind", "subject", "text"), rows, empty="There is nothing to repair.")
    return 1 if any(result is Result.LEFT for _, result in results) else 0


def _findings(path: str) -> list[Leftover]:
    """Read what `check --json` wrote."""
    try:
        if path == "-":
            rows = json.load(sys.stdin)
        else:
            with open(path, encoding="utf-8") as file:
                rows = json.load(file)
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{path}: {error}") from None
    if not isinstance(rows, list) or not all(_is_finding(row) for row in rows):
        raise argparse.ArgumentTypeError(f"{path}: this is not what `placement check --json` writes")
    return [Leftover(**{name: row[name] for name in COLUMNS}) for row in rows]


def _is_finding(row: Any) -> bool:
    return isinstance(row, dict) and all(isinstance(row.get(name), str) for name in COLUMNS[:3]) and isinstance(
        row.get("repair", 0), (str, type(None)),
    )


def _check_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--grace", type=float, default=GRACE, metavar="SECONDS", help="allow work to be late by this (%(default)s)")


def _repair_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("findings", type=_findings, metavar="FILE", help="what `placement check --json` wrote; - reads it from standard input")


COMMANDS = (
    Command("placement", "check", "List what nobody owns or holds wrongly. Reads only; run it twice on a busy cloud.", check, _check_options),
    Command("placement", "repair", "Repair what a check found, and nothing else.", repair, _repair_options),
)
