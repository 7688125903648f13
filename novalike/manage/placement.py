"""`novalike-manage placement`: is everything owned?"""

from __future__ import annotations

import argparse

from novalike.db import audit
from novalike.hardware.capacity import Ratios
from novalike.manage.command import Command, Session

#: Overdue work and mappings without instance are mended within a minute by themselves.
GRACE = 90.0


def check(session: Session) -> int:
    """List claims, tasks, ports and the like which nobody owns, and hosts over their capacity; status 1 when there are any."""
    conf = session.conf
    ratios = Ratios(conf.initial_cpu_allocation_ratio, conf.initial_ram_allocation_ratio, conf.initial_disk_allocation_ratio)
    found = audit.leftovers(session.cells, ratios=ratios, grace=session.arguments.grace)
    rows = [{"kind": one.kind, "subject": one.subject, "text": one.text} for one in found]
    session.output.rows(("kind", "subject", "text"), rows, empty="Everything is owned, and no host is over its capacity.")
    return 1 if found else 0


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--grace", type=float, default=GRACE, metavar="SECONDS", help="allow work to be late by this (%(default)s)")


COMMANDS = (Command("placement", "check", "List what nobody owns. Reads only; run it twice on a busy cloud.", check, _options),)
