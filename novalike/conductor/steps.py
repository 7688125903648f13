"""What a durable task is made of: its kind, its steps, and what a step may answer. How it is advanced: engine.py.

A task is a list of steps. `run` of a step may be called twice (after a crash) and either is done at once or waits for a
host. The row is saved before an order is sent, and only then: what lies between two waits is run again after a crash. So
every step is idempotent, and an undo undoes all steps, whether they ran or not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Generic, TypeVar

from sqlalchemy.orm import Session

from novalike.conductor.journal import Journal
from novalike.conductor.world import World
from novalike.context import RequestContext
from novalike.db import tasks
from novalike.db.engine import Database
from novalike.exception import NovalikeError
from novalike.objects.instance import Instance
from novalike.objects.tasks import Fence, Outcome, Task
from novalike.rpc import serializer

S = TypeVar("S")


class Done:
    """The step is done."""


@dataclass(frozen=True)
class Wait:
    """The step waits for a report of this host."""

    host: str


@dataclass(frozen=True)
class Retry:
    """The attempt failed; begin again once what it left is undone."""

    reason: str


@dataclass(frozen=True)
class Again:
    """Save the state, and run the same step again in so many seconds; 0: at once, in the same hands."""

    after: float


@dataclass(frozen=True)
class Resend:
    """The host failed; order it again in so many seconds, within the deadline which runs."""

    after: float


class Job(Generic[S]):
    """A leased task while one conductor works on it. Steps replace `state`."""

    def __init__(self, world: World, cell: Database, leased: tasks.Leased, kind: TaskKind[S]) -> None:
        assert leased.instance is not None
        self.world = world
        self.cell = cell
        self.kind = kind
        self.task: Task = leased.task
        self.instance: Instance = leased.instance
        self.state: S = serializer.load(kind.state_type, leased.task.state)
        self.undoing = leased.task.undoing
        # A task which was cancelled names no step: all of it is undone.
        self.step = kind.step(leased.task.step) if leased.task.step or not self.undoing else kind.steps[-1]
        self.failure = leased.task.failure
        self.failure_details = ""
        self.failure_code = 500                  # the HTTP status of what failed just now
        self.outcome: Outcome | None = None      # the report which is being looked at
        self.journal = Journal(self)

    @property
    def context(self) -> RequestContext:
        """Who the work is done for, with the service's own rights."""
        caller = self.task.caller
        return RequestContext(
            user_id=caller.user_id, project_id=caller.project_id, request_id=caller.request_id, is_admin=True,
            roles=("admin", "service"),
        )

    @property
    def following(self) -> Step[S] | None:
        """The step after the present one; None when that is the last of which anything is needed."""
        steps = self.kind.steps
        return next((step for step in steps[steps.index(self.step) + 1:] if step.needed(self)), None)

    @property
    def unstoppable(self) -> bool:
        """Whether the task cannot fail any more."""
        return self.kind.unstoppable or self.step.unstoppable

    @property
    def fence(self) -> Fence:
        """What orders of the present wait carry."""
        return Fence(
            instance_uuid=self.task.instance_uuid, operation_id=self.task.id, sequence=self.task.sequence, epoch=self.task.epoch,
        )


class Step(Generic[S]):
    """One step and its undo. Deadlines are seconds.

    `notification` is Nova's name of the event which tells of this step alone (None: see notifications/events.py OF_STEP).
    `logged` False: the step writes its own events to the action log. From an `unstoppable` step on the task does not fail any
    more, as a kind which is: the step is tried again, and decides itself when it is overdue. So does a `patient` one, which
    looks again and again (Again) for what no host of ours reports. What its undo gives back is given back when the server is
    deleted, too, if it is `undone_by_delete`: then a server in ERROR need not wait for a service which is away.
    """

    name: ClassVar[str]
    notification: ClassVar[str | None] = None
    logged: ClassVar[bool] = True
    deadline: ClassVar[int] = 120
    undo_deadline: ClassVar[int] = 60
    undo_on_retry: ClassVar[bool] = False
    undone_by_delete: ClassVar[bool] = False
    unstoppable: ClassVar[bool] = False
    patient: ClassVar[bool] = False

    def needed(self, job: Job[S]) -> bool:
        """Answer, from the state alone, whether there is anything to do; else the task goes on as if the step were not there."""
        return True

    def wait_deadline(self, job: Job[S]) -> int:
        """Answer how many seconds the step may take, its host's work included."""
        return self.deadline

    def run(self, job: Job[S]) -> Done | Wait | Again | Retry:
        """Do it, or say which host to wait for. Raises NovalikeError to fail the task, Unavailable to be run again soon."""
        raise NotImplementedError

    def store(self, session: Session, job: Job[S]) -> None:
        """Write what the API shall show while the step waits, in the transaction which saves the task."""

    def send(self, job: Job[S], fence: Fence) -> None:
        """Order the host to do it; called again when the host is silent."""
        raise NotImplementedError

    def ended(self, job: Job[S], outcome: Outcome) -> Done | Retry | Again | Resend:
        """The host reported: no I/O here. Raises NovalikeError to fail the task."""
        raise NotImplementedError

    def overdue(self, job: Job[S]) -> Done | Retry | Again:
        """The host did not report within the deadline. Raises NovalikeError to fail the task."""
        raise NovalikeError(f"The step {self.name} did not end within {self.wait_deadline(job)} seconds.")

    def hopeless(self, job: Job[S]) -> bool:
        """Answer whether the host which is waited for (job.task.waiting_host) is known to be gone: then the wait is over."""
        return False

    def undo(self, job: Job[S]) -> Done | Wait:
        """Undo it, also when it never ran; called again after each report until it answers Done."""
        return Done()

    def send_undo(self, job: Job[S], fence: Fence) -> None:
        """Order the host to undo it."""
        raise NotImplementedError

    def undo_ended(self, job: Job[S], outcome: Outcome) -> None:
        """The host undid it, or has nothing left to undo (stale): note so in the state. No I/O here."""

    def undo_overdue(self, job: Job[S]) -> None:
        """The undo's deadline passed: leave a debt behind and note so in the state."""


class TaskKind(Generic[S]):
    """A kind of task: its steps, and what its end writes. `unstoppable` kinds never fail: they try until they are done.

    `notification` is Nova's name of the event which tells of it (None: see notifications/events.py OF_TASK).
    """

    kind: ClassVar[str]
    notification: ClassVar[str | None] = None
    state_type: type[S]
    steps: tuple[Step[S], ...]
    unstoppable: ClassVar[bool] = False

    def step(self, name: str) -> Step[S]:
        """Answer a step by name; an unknown one (a downgrade) means to begin again."""
        return next((step for step in self.steps if step.name == name), self.steps[0])

    def finish(self, session: Session, job: Job[S]) -> None:
        """Write the result, in the transaction which removes the task."""
        raise NotImplementedError

    def failed(self, session: Session, job: Job[S]) -> None:
        """Write the failure (job.failure), in the transaction which removes the undone task."""
        raise NotImplementedError

    def notification_extra(self, job: Job[S]) -> Mapping[str, Any]:
        """Answer the fields which only this kind's event has: volume_id, snapshot_image_id, rescue_image_ref, new_flavor ..."""
        return {}

    def fenced(self, job: Job[S]) -> None:
        """A newer operation owns the instance: undo what this lease may have done that the newer one cannot know of."""


def without(hosts: tuple[str, ...], host: str) -> tuple[str, ...]:
    """Answer the tuple without one host."""
    return tuple(other for other in hosts if other != host)


def changed(state: S, **values: Any) -> S:
    """Answer a state dataclass with some fields replaced."""
    return replace(state, **values)  # type: ignore[type-var]
