"""`novalike-manage task`: what is under way on servers, and for how long."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from novalike.db import running, tasks
from novalike.db.engine import Database
from novalike.db.running import RunningAction
from novalike.manage.command import Command, Session
from novalike.objects.states import ACTIONS
from novalike.objects.tasks import Task

COLUMNS = ("cell", "task", "kind", "instance", "step", "undoing", "since", "deadline", "waits_for", "attempts", "failure")
#: What of a task's saved state is shown: where it works and what failed. The rest may hold secrets, of kinds yet to come too.
SHOWN_STATE = (
    "attempts", "failures", "host", "node", "hosts", "done", "dirty_hosts", "excluded_hosts", "forced_host", "requested_host",
    "source_host", "source_node", "dest_host", "dest_node", "image_id", "volume_id", "port_id", "migration_uuid",
)


def list_all(session: Session) -> int:
    """List durable tasks and single-host actions: which step runs, since when, and until when it may."""
    rows = [row for name in session.cells.names() for row in _rows(name, session.cells.cell(name))]
    instance = session.arguments.instance
    session.output.rows(
        COLUMNS, [row for row in rows if instance is None or row["instance"] == instance], empty="Nothing is under way.",
    )
    return 0


def show(session: Session) -> int:
    """Show one task, by its id or its server's, with who asked for it and what it saved."""
    wanted = session.arguments.task
    for name in session.cells.names():
        cell = session.cells.cell(name)
        for task in cell.fetch(tasks.listed):
            if wanted in {task.id, task.instance_uuid}:
                session.output.values(_of_task(name, task) | _details(task))
                return 0
        for action in cell.fetch(running.actions):
            if wanted in {action.id, action.instance_uuid}:
                session.output.values(_of_action(name, action) | {"request": action.request_id})
                return 0
    session.output.remark(f"Nothing of the id {wanted} is under way.")
    return 1


def _rows(name: str, cell: Database) -> Iterator[dict[str, Any]]:
    for task in cell.fetch(tasks.listed):
        yield _of_task(name, task)
    for action in cell.fetch(running.actions):
        yield _of_action(name, action)


def _of_task(cell: str, task: Task) -> dict[str, Any]:
    return {
        "cell": cell, "task": task.id, "kind": task.kind, "instance": task.instance_uuid, "step": task.step or None,
        "undoing": task.undoing, "since": _stamp(task.step_since), "deadline": _stamp(task.deadline), "waits_for": task.waiting_host,
        "attempts": task.state.get("attempts"), "failure": task.failure,
    }


def _of_action(cell: str, action: RunningAction) -> dict[str, Any]:
    rule = ACTIONS.get(action.name)
    return {
        "cell": cell, "task": action.id, "kind": action.name, "instance": action.instance_uuid,
        "step": rule.sets if rule is not None else None, "undoing": False, "since": _time(action.since),
        "deadline": _stamp(action.deadline) if action.deadline is not None else None, "waits_for": action.host, "attempts": None,
        "failure": None,
    }


def _details(task: Task) -> dict[str, Any]:
    caller = task.caller
    state = {f"state_{name}": task.state[name] for name in SHOWN_STATE if name != "attempts" and task.state.get(name)}
    return {
        "request": caller.request_id, "user": caller.user_id, "project": caller.project_id, "epoch": task.epoch,
        "sequence": task.sequence, "created": _time(task.created_at) if task.created_at is not None else None, **state,
    }


def _stamp(stamp: int) -> str:
    return _time(running.stamp(stamp))


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _list_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--instance", metavar="UUID", help="only what is done to this server")


def _show_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("task", help="id of the task, or of its server")


COMMANDS = (
    Command("task", "list", "List what is under way on servers, and the steps it is at.", list_all, _list_options),
    Command("task", "show", "Show one task: who asked for it, where it works, what failed.", show, _show_options),
)
