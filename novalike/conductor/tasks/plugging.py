"""What the tasks share which change a server's devices: a step done by its host if there is a guest, and how they end.

They set no task_state, so that single-host actions go on beside them (db/devices.py says how they keep out of each other's
way), and they change nothing else of the server, a fault of its own included.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from novalike.conductor.steps import Done, Job, Wait, changed
from novalike.conductor.tasks.common import HostStep
from novalike.db import action_log, instances
from novalike.db.models.instances import InstanceRow
from novalike.exception import NovalikeError
from novalike.objects.block_device import BlockDevice
from novalike.objects.tasks import Fence, Outcome

S = TypeVar("S")
#: Seconds for which the host's own report of a passed deadline is waited for.
MARGIN = 15


class PlugStep(HostStep[S]):
    """Changes what guests of the server get, then has the host change the guest which it has. Its state has `ordered`.

    Everything is done in `run`, before the order, so that a guest which is started at any moment is the right one. A host
    which was ordered is ordered the contrary in the undo, even if it reported nothing: it may have done it later.
    """

    def wait_deadline(self, job: Job[S]) -> int:
        return int(job.world.conf.conductor.device_timeout) + MARGIN

    def change(self, job: Job[S]) -> bool:
        """Change what guests get; answer whether there is one. Raises Unavailable while a single-host action runs."""
        raise NotImplementedError

    def change_back(self, job: Job[S]) -> bool:
        """Change it back, also when it never was changed; answer whether there is a guest."""
        raise NotImplementedError

    def send(self, job: Job[S], fence: Fence) -> None:
        raise NotImplementedError

    def send_undo(self, job: Job[S], fence: Fence) -> None:
        raise NotImplementedError

    def run(self, job: Job[S]) -> Done | Wait:
        guest = self.change(job)
        job.state = changed(job.state, ordered=guest)
        return Wait(self.host(job)) if guest else Done()

    def undo(self, job: Job[S]) -> Done | Wait:
        guest = self.change_back(job)
        return Wait(self.host(job)) if guest and _ordered(job) else Done()

    def undo_ended(self, job: Job[S], outcome: Outcome) -> None:
        job.state = changed(job.state, ordered=False)

    def undo_overdue(self, job: Job[S]) -> None:
        # The server itself is right: a guest made from now on has what it should have.
        job.state = changed(job.state, ordered=False)


def _ordered(job: Job[Any]) -> bool:
    return bool(job.state.ordered)


def order_deadline(job: Job[Any]) -> int:
    """Answer the seconds which an order gives its host."""
    return int(job.world.conf.conductor.device_timeout)


def connected(job: Job[Any], device: BlockDevice, attachment_id: str | None) -> BlockDevice:
    """Answer a device with its connection, for an order; nothing of it may be saved. Raises Unavailable, NotFound."""
    if attachment_id is None:
        raise NovalikeError(f"Volume {device.volume_id} is not attached.")
    return replace(
        device, attachment_id=attachment_id, connection=job.world.volumes.connection(job.task.caller, attachment_id),
    )


def succeeded(session: Session, job: Job[Any], *, event: str) -> InstanceRow:
    """Write that the task succeeded; answer the server's row."""
    outcome, now = job.outcome, job.world.clock.now()
    row = instances.lock(session, job.instance.uuid)
    row.updated_at = now
    action_log.finish(
        session, row.uuid, job.task.caller.request_id, event=event, now=now, host=outcome.host if outcome else None,
        started=outcome.started_at if outcome else 0.0,
    )
    return row


def failed(session: Session, job: Job[Any], *, event: str) -> InstanceRow:
    """Write that the task failed and was undone; answer the server's row. Its state is as it was, with a fault."""
    now, text = job.world.clock.now(), job.failure or "The operation failed."
    row = instances.lock(session, job.instance.uuid)
    row.updated_at = now
    instances.record_fault(session, row, code=job.failure_code, message=text, details=job.failure_details, now=now, host=row.host)
    action_log.finish(
        session, row.uuid, job.task.caller.request_id, event=event, now=now, error=text, details=job.failure_details, host=row.host,
    )
    return row


def is_gone(job: Job[Any]) -> bool:
    """Answer whether the server was deleted meanwhile, so that nobody else frees what this lease has just taken."""
    with job.cell.read() as session:
        return not instances.existing(session, [job.instance.uuid])


