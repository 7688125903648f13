"""Durable tasks: leased from the database, advanced step by step, undone when they fail. What they are made of: steps.py.

A failure undoes the steps from the last to the first and ends the task. A retry undoes only what a step marks with
`undo_on_retry`, then begins again at the first step.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session

from novalike.conductor.steps import Again, Done, Job, Resend, Retry, TaskKind, Wait
from novalike.conductor.world import World
from novalike.db import instance_actions, tasks
from novalike.db.engine import Database
from novalike.exception import Fenced, NovalikeError, Unavailable
from novalike.objects.notification import Sight
from novalike.objects.tasks import Outcome, Task
from novalike.rpc import serializer

LOG = logging.getLogger(__name__)

#: Milliseconds: after which a silent host is asked again, and pauses before a step is tried again.
RESEND = 15_000
PAUSE = 2_000
#: Seconds after which a host which could not undo something is ordered again, until the undo's deadline.
UNDO_PAUSE = 5.0


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
        """Undo from the present step to the first. On the last try an undo that is refused is passed over, and so is one which a
        delete makes good when what it needs does not answer: nothing stays stuck for it, and what it leaves is found by the
        checker."""
        retrying = job.failure is None
        while True:
            if not retrying or job.step.undo_on_retry:
                try:
                    answer = job.step.undo(job)
                except Fenced:
                    raise
                except NovalikeError as error:
                    if not last_try or (isinstance(error, Unavailable) and not job.step.undone_by_delete):
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
