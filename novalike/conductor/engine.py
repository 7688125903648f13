"""Durable tasks: leased from the database, advanced step by step, undone when they fail.

A task is a list of steps. `run` of a step may be called twice (after a crash) and either is done at once or waits for a
host. The row is saved before an order is sent, and only then: what lies between two waits is run again after a crash. So
every step is idempotent, and an undo undoes all steps, whether they ran or not.

A failure undoes the steps from the last to the first and ends the task. A retry undoes only what a step marks with
`undo_on_retry`, then begins again at the first step.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Generic, TypeVar

from oslo_config import cfg
from sqlalchemy.orm import Session

from novalike.clock import Clock
from novalike.conductor.journal import Journal
from novalike.context import RequestContext
from novalike.db import instance_actions, tasks
from novalike.db.cells import Cells
from novalike.db.engine import Database
from novalike.exception import Fenced, NovalikeError, Unavailable
from novalike.image.client import ImageClient
from novalike.network.client import NetworkClient
from novalike.notifications.notifier import SILENT, Notifier
from novalike.objects.instance import Instance
from novalike.objects.notification import Sight
from novalike.objects.tasks import Fence, Outcome, Task
from novalike.rpc import serializer
from novalike.rpc.scheduler import Scheduler
from novalike.vault import Vault
from novalike.volume.client import NoVolumes, VolumeClient

LOG = logging.getLogger(__name__)
S = TypeVar("S")

#: Milliseconds: after which a silent host is asked again, and pauses before a step is tried again.
RESEND = 15_000
PAUSE = 2_000
#: Seconds after which a host which could not undo something is ordered again, until the undo's deadline.
UNDO_PAUSE = 5.0


@dataclass(frozen=True, kw_only=True)
class World:
    """What steps act on; made once per conductor."""

    conf: cfg.ConfigOpts
    clock: Clock
    cells: Cells
    scheduler: Scheduler
    compute: Callable[[type, str], Any]          # (interface, host) -> RPC client
    networks: NetworkClient
    images: ImageClient
    vault: Vault
    owner: str
    lease_time: int = 90                         # seconds for which a task is this conductor's alone
    notifier: Notifier = SILENT
    volumes: VolumeClient = field(default_factory=NoVolumes)


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
    looks again and again (Again) for what no host of ours reports.
    """

    name: ClassVar[str]
    notification: ClassVar[str | None] = None
    logged: ClassVar[bool] = True
    deadline: ClassVar[int] = 120
    undo_deadline: ClassVar[int] = 60
    undo_on_retry: ClassVar[bool] = False
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


class Engine:
    """Advances tasks. Thread-safe: each call works on its own lease."""

    def __init__(self, world: World, kinds: tuple[TaskKind[Any], ...]) -> None:
        self._world = world
        self._lease = world.lease_time * 1000
        self._kinds = {kind.kind: kind for kind in kinds}

    def advance(self, cell: Database, task_id: str) -> bool:
        """Look at a task now: begin, go on, send again or time out. False when there is nothing to do for us."""
        leased = cell.write(tasks.lease, task_id, self._world.owner, self._lease)
        if leased is None:
            return False
        job = self._job(cell, leased)
        if job is not None:
            self._guard(job, lambda: self._woken(job, overdue=leased.overdue))
        return True

    def report(self, cell: Database, outcome: Outcome) -> bool:
        """Go on after a host's report. False when it is old or doubled.

        The commonest case, the last wait ended well, is one transaction: check, result and removal.
        """
        def take(session: Session) -> tuple[Job[Any], Any, Sight | None] | None:
            leased = tasks.lease_reported(session, outcome.fence, self._world.owner, self._lease)
            job = self._job(cell, leased) if leased is not None else None
            if job is None:
                return None
            job.outcome = outcome
            undoing, decision = job.undoing, self._ended(job, outcome)
            if not undoing and not isinstance(decision, Resend):
                job.journal.step_ended(outcome, decision, again=isinstance(decision, Again))
            sight = self._end(session, job, job.kind.finish) if self._is_end(job, decision) else None
            return job, decision, sight

        taken = cell.write(take)
        if taken is None:
            return False
        job, decision, sight = taken
        if self._is_end(job, decision):
            job.journal.ended(sight, failed=False)
        else:
            self._guard(job, lambda: self._decided(job, decision))
        return True

    def _job(self, cell: Database, leased: tasks.Leased) -> Job[Any] | None:
        kind = self._kinds.get(leased.task.kind)
        if kind is None or leased.instance is None:
            LOG.error("task %s of kind %s cannot be advanced here", leased.task.id, leased.task.kind)
            return None
        return Job(self._world, cell, leased, kind)

    @staticmethod
    def _is_end(job: Job[Any], decision: Any) -> bool:
        return isinstance(decision, Done) and not job.undoing and job.following is None

    def _end(self, session: Session, job: Job[Any], write: Callable[[Session, Job[Any]], None]) -> Sight | None:
        # The task's row first: whoever needs several rows takes task, hosts by id, instance, in this order.
        tasks.remove(session, job.task, self._world.owner)
        job.journal.write(session)
        write(session, job)
        return job.journal.look(session, ending=True)

    @staticmethod
    def _ended(job: Job[Any], outcome: Outcome) -> Any:
        """Answer what a report means: Done, Retry, Again, Resend, or the error that fails the task."""
        try:
            if job.undoing:
                if outcome.error is not None and not outcome.stale:
                    return Resend(UNDO_PAUSE)
                job.step.undo_ended(job, outcome)
                return Done()
            return job.step.ended(job, outcome)
        except NovalikeError as error:
            return error

    def _guard(self, job: Job[Any], work: Callable[[], None]) -> None:
        """Do work on a lease; whatever goes wrong, the task is given back, undone or left to its owner."""
        try:
            work()
        except Fenced:
            LOG.info("task %s of instance %s was taken over", job.task.id, job.task.instance_uuid)
            try:
                job.kind.fenced(job)
            except Exception:
                LOG.exception("cleaning after the fenced task %s failed; the reconcilers will", job.task.id)
        except Unavailable as error:
            LOG.info("task %s waits: %s %s", job.task.id, error, error.details)
            self._give_back(job, PAUSE)
        except Exception:
            LOG.exception("task %s (%s, step %s) failed unexpectedly", job.task.id, job.kind.kind, job.step.name)
            self._give_back(job, PAUSE * 2)

    def _give_back(self, job: Job[Any], wake_in: int) -> None:
        """Have a task looked at again later; steps that are done since it was saved are not run again."""
        try:
            if job.undoing or job.step.name == job.task.step:
                job.cell.write(tasks.postpone, job.task, self._world.owner, wake_in=wake_in)
            else:
                self._save(job, waiting_host=None, wake_in=wake_in, deadline=job.step.wait_deadline(job))
        except Exception as error:
            LOG.info("task %s could not be given back (its lease will run out): %s", job.task.id, error)

    # -- where a woken task goes on

    def _woken(self, job: Job[Any], *, overdue: bool) -> None:
        waiting = job.task.waiting_host is not None
        overdue = overdue or (waiting and job.step.hopeless(job))
        if waiting and not overdue:
            job.cell.write(tasks.postpone, job.task, self._world.owner, wake_in=RESEND)
            if job.undoing:
                job.step.send_undo(job, job.fence)
            else:
                self._send(job)
        elif job.undoing:
            if overdue:
                job.step.undo_overdue(job)
            self._undo(job, last_try=overdue)
        elif overdue:
            decision = self._overdue(job, waiting=waiting)
            if waiting:
                job.journal.step_overdue(decision)
            self._decided(job, decision)
        else:
            self._run(job)

    @staticmethod
    def _overdue(job: Job[Any], *, waiting: bool) -> Any:
        try:
            if waiting or job.unstoppable or job.step.patient:
                return job.step.overdue(job)
            return NovalikeError(f"The step {job.step.name} could not be done in time.")
        except NovalikeError as error:
            return error

    def _decided(self, job: Job[Any], decision: Any) -> None:
        if isinstance(decision, Resend):
            # A new sequence: under the old one the host would only tell of this failure again.
            self._save(job, waiting_host=job.task.waiting_host, wake_in=int(decision.after * 1000), deadline=None)
        elif job.undoing:
            self._undo(job)
        elif isinstance(decision, Done):
            self._next(job)
        elif isinstance(decision, Again):
            # The step begins anew, and so does its time: the deadline which ran may have passed just now.
            if not self._save_for_again(job, decision, deadline=job.step.wait_deadline(job)):
                self._run(job)
        elif isinstance(decision, Retry):
            self._begin_undo(job, failure=None)
        else:
            self._fail(job, decision)

    def _run(self, job: Job[Any]) -> None:
        while True:
            try:
                answer = job.step.run(job)
            except (Fenced, Unavailable):
                raise
            except NovalikeError as error:
                self._fail(job, error)
                return
            if isinstance(answer, Wait):
                job.journal.step_begins(job.step)
                self._save(job, waiting_host=answer.host, wake_in=RESEND, deadline=job.step.wait_deadline(job))
                self._send(job)
                return
            if isinstance(answer, Retry):
                self._begin_undo(job, failure=None)
                return
            if isinstance(answer, Again):
                begins = job.step.name != job.task.step
                if self._save_for_again(job, answer, deadline=job.step.wait_deadline(job) if begins else None):
                    return
                continue
            job.journal.step_done(job.step)
            following = job.following
            if following is None:
                self._finish(job)
                return
            job.step = following

    def _send(self, job: Job[Any]) -> None:
        """Order the waiting step's host. An order which cannot be made (its image is gone) counts as one which the host refused,
        though an earlier copy of it may have got there and left something."""
        try:
            job.step.send(job, job.fence)
        except (Fenced, Unavailable):
            raise
        except NovalikeError as error:
            LOG.warning("task %s (%s, step %s): no order for it: %s", job.task.id, job.kind.kind, job.step.name, error)
            self.report(job.cell, Outcome(
                fence=job.fence, host=job.task.waiting_host or "", error=str(error), details=error.details, retry=False,
                dirty=True,
            ))

    def _save_for_again(self, job: Job[Any], again: Again, *, deadline: int | None) -> bool:
        """Save a job whose step is to run again; answer whether that is later, and the job out of our hands."""
        later = again.after > 0
        self._save(
            job, waiting_host=None, wake_in=int(again.after * 1000) if later else self._lease, deadline=deadline, release=later,
        )
        return later

    def _next(self, job: Job[Any]) -> None:
        following = job.following
        if following is None:
            self._finish(job)
        else:
            job.step = following
            self._run(job)

    def _finish(self, job: Job[Any]) -> None:
        job.journal.ended(job.cell.write(self._end, job, job.kind.finish), failed=False)

    # -- failing and undoing

    def _fail(self, job: Job[Any], error: NovalikeError) -> None:
        if job.unstoppable:
            LOG.warning("task %s (%s, step %s) is tried again: %s", job.task.id, job.kind.kind, job.step.name, error)
            self._give_back(job, PAUSE * 2)
            return
        job.failure_details, job.failure_code = error.details, error.code
        self._begin_undo(job, failure=str(error) or type(error).__name__)

    def _begin_undo(self, job: Job[Any], *, failure: str | None) -> None:
        job.undoing, job.failure, job.step = True, failure, job.kind.steps[-1]
        self._save(job, waiting_host=None, wake_in=self._lease, deadline=job.step.undo_deadline, release=False)
        self._undo(job)

    def _undo(self, job: Job[Any], *, last_try: bool = False) -> None:
        """Undo from the present step to the first. On the last try an undo that is refused is passed over: nothing stays
        stuck for it, and what it leaves is found by the checker."""
        retrying = job.failure is None
        while True:
            if not retrying or job.step.undo_on_retry:
                try:
                    answer = job.step.undo(job)
                except (Unavailable, Fenced):
                    raise
                except NovalikeError:
                    if not last_try:
                        raise
                    LOG.exception("undoing %s of instance %s is given up", job.step.name, job.task.instance_uuid)
                    answer = Done()
                if isinstance(answer, Wait):
                    self._save(job, waiting_host=answer.host, wake_in=RESEND, deadline=job.step.undo_deadline)
                    job.step.send_undo(job, job.fence)
                    return
            position = job.kind.steps.index(job.step)
            if position == 0:
                break
            job.step = job.kind.steps[position - 1]
        if retrying:
            job.undoing = False
            self._save(job, waiting_host=None, wake_in=self._lease, deadline=job.step.wait_deadline(job), release=False)
            self._run(job)
            return
        job.journal.ended(job.cell.write(self._end, job, self._failed), failed=True)

    @staticmethod
    def _failed(session: Session, job: Job[Any]) -> None:
        job.kind.failed(session, job)
        session.flush()
        instance_actions.begin_waiting(session, job.task.instance_uuid)

    def _save(
        self, job: Job[Any], *, waiting_host: str | None, wake_in: int, deadline: int | None, release: bool = True,
    ) -> None:
        def store(session: Session) -> tuple[Task, Sight | None]:
            task = tasks.save(
                session, job.task, self._world.owner, step=job.step.name, state=serializer.dump(job.kind.state_type, job.state),
                undoing=job.undoing, failure=job.failure, waiting_host=waiting_host, wake_in=wake_in,
                deadline_in=deadline * 1000 if deadline is not None else None, release=release,
            )
            if waiting_host is not None and not job.undoing:
                job.step.store(session, job)
            job.journal.write(session)
            return task, job.journal.look(session)
        task, sight = job.cell.write(store)
        job.journal.saved(sight)
        job.task = task


def without(hosts: tuple[str, ...], host: str) -> tuple[str, ...]:
    """Answer the tuple without one host."""
    return tuple(other for other in hosts if other != host)


def changed(state: S, **values: Any) -> S:
    """Answer a state dataclass with some fields replaced."""
    return replace(state, **values)  # type: ignore[type-var]
