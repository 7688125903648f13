"""What the conductor serves and repeats."""

from __future__ import annotations

import threading

from novalike.conductor.manager import BACKLOG, TasksEndpoint
from novalike.context import service_context
from novalike.workers import Workers


class Engine:
    """Counts what it is asked to advance, and keeps its worker until told."""

    def __init__(self):
        self.advanced = []
        self.go_on = threading.Event()

    def advance(self, cell, task_id):
        self.go_on.wait(10)
        self.advanced.append(task_id)


def test_a_busy_conductor_leaves_tasks_in_the_database(sqlite):
    engine, workers = Engine(), Workers("test", 1)
    endpoint = TasksEndpoint(engine, sqlite, workers)
    for batch in range(10):
        endpoint.wake(service_context(), task_ids=[f"{batch}-{number}" for number in range(50)])
    assert workers.pending == BACKLOG, "the sweep finds the others once there is room"
    engine.go_on.set()
    assert workers.stop(10)
    assert len(engine.advanced) == BACKLOG
