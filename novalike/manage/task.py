"""`novalike-manage task`: what conductors work on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from novalike.db import tasks
from novalike.manage.command import Command, Session

COLUMNS = ("cell", "task", "kind", "instance", "step", "undoing", "since", "deadline", "waits_for", "failure")


def show(session: Session) -> int:
    """List durable tasks: which step runs, since when, and until when it may."""
    rows: list[dict[str, Any]] = []
    for name in session.cells.names():
        rows += [
            {
                "cell": name, "task": task.id, "kind": task.kind, "instance": task.instance_uuid, "step": task.step,
                "undoing": task.undoing, "since": _time(task.step_since), "deadline": _time(task.deadline),
                "waits_for": task.waiting_host, "failure": task.failure,
            }
            for task in session.cells.cell(name).fetch(tasks.listed)
        ]
    session.output.rows(COLUMNS, rows, empty="There are no tasks.")
    return 0


def _time(stamp: int) -> str:
    return datetime.fromtimestamp(stamp / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


COMMANDS = (Command("task", "list", "List durable tasks and the steps they are at.", show),)
