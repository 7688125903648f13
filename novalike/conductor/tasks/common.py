"""What several kinds of task share: a step which a host does, and the writes with which a task on a server ends."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, TypeVar

from sqlalchemy.orm import Session

from novalike.conductor.steps import Again, Done, Job, Resend, Retry, Step, Wait
from novalike.db import action_log, hosts, instances
from novalike.db.models.instances import InstanceRow
from novalike.exception import NotFound, NovalikeError
from novalike.objects.states import TaskState, VmState
from novalike.objects.tasks import Fence, Outcome

S = TypeVar("S")

COMPUTE = "novalike-compute"
#: How many times service_down_time a host which works on a step must be silent before nobody waits for it any more. While the
#: broker is away all hosts are silent, and work on.
PATIENCE = 5


class HostStep(Step[S]):
    """A step which one host does. A subclass names the host and sends the order; what the host reports fails or ends the step.

    Its undo, when it has one, is a subclass's matter: orders may have reached the host even if it never reported.
    """

    #: The server's task_state while the host works; None leaves it.
    task_state: ClassVar[TaskState | None] = None

    def host(self, job: Job[S]) -> str:
        """Answer the host to order: where the server is, unless a subclass says otherwise."""
        if job.instance.host is None:
            raise NovalikeError("The server is on no host.")
        return job.instance.host

    def run(self, job: Job[S]) -> Done | Wait:
        return Wait(self.host(job))

    def store(self, session: Session, job: Job[S]) -> None:
        if self.task_state is not None:
            instances.set_task_state(session, job.instance.uuid, self.task_state)

    def send(self, job: Job[S], fence: Fence) -> None:
        raise NotImplementedError

    def hopeless(self, job: Job[S]) -> bool:
        host = job.task.waiting_host
        return host is not None and is_down(job, host, patience=PATIENCE)

    def ended(self, job: Job[S], outcome: Outcome) -> Done | Retry | Again | Resend:
        if outcome.stale:
            raise NovalikeError("The host refused an order which it took for an old one.")
        if outcome.error is not None:
            raise NovalikeError(outcome.error, details=outcome.details)
        return Done()


def is_down(job: Job[Any], host: str, *, patience: int = 1) -> bool:
    """Answer whether a compute host was not heard of for `patience` times the usual, or is forced down."""
    with job.cell.read() as session:
        try:
            return not hosts.find_service(session, host, COMPUTE, down_after=job.world.conf.service_down_time * patience).up
        except NotFound:
            return True


def require_up(job: Job[Any]) -> None:
    """Raise NovalikeError when the server's host is down: an order would wait for it until its deadline."""
    if job.instance.host is None:
        raise NovalikeError("The server is on no host.")
    if is_down(job, job.instance.host):
        raise NovalikeError("The server's host is down.")


def finish(
    session: Session, job: Job[Any], *, event: str, vm_state: VmState | None = None, power_state: int | None = None,
) -> InstanceRow:
    """Write that the task succeeded: the server is idle, in `vm_state` (None: as before), its fault gone; answer its row.

    The power state comes from the host's report unless given. Call it last where hosts or claims are locked too.
    """
    row = _idle(session, job, vm_state)
    row.fault = None
    outcome = job.outcome
    reported = outcome.power_state if outcome is not None else None
    if power_state is not None or reported is not None:
        row.power_state = power_state if power_state is not None else reported or 0
    action_log.finish(
        session, row.uuid, job.task.caller.request_id, event=event, now=_now(job), host=outcome.host if outcome else None,
        started=outcome.started_at if outcome else 0.0,
    )
    return row


def fail(
    session: Session, job: Job[Any], *, event: str, vm_state: VmState | None = None, message: str | None = None,
) -> InstanceRow:
    """Write that the task failed and was undone: the server is idle, in `vm_state` (None: as before), with a fault; answer its row."""
    row = _idle(session, job, vm_state)
    text = message or job.failure or "The operation failed."
    instances.record_fault(session, row, code=500, message=text, details=job.failure_details, now=_now(job), host=job.instance.host)
    action_log.finish(
        session, row.uuid, job.task.caller.request_id, event=event, now=_now(job), error=text, details=job.failure_details,
        host=job.instance.host,
    )
    return row


def _idle(session: Session, job: Job[Any], vm_state: VmState | None) -> InstanceRow:
    row = instances.lock(session, job.instance.uuid)
    row.task_state = None
    if vm_state is not None:
        row.vm_state = vm_state
    row.progress = 0
    row.updated_at = _now(job)
    return row


def _now(job: Job[Any]) -> datetime:
    return job.world.clock.now()
