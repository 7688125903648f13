"""What a durable task leaves behind: an event in the action log for each step a host did, and notifications.

Both lag behind the work by one save. Log rows are written in the transaction which saves or ends the task; notifications
are handed over after its commit, and then are lost if the conductor dies: they are told at most once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from novalike.db import action_log, sights
from novalike.notifications import events
from novalike.objects.instance import Instance
from novalike.objects.instance_action import step_event
from novalike.objects.notification import Failure, Sight
from novalike.objects.tasks import Outcome

if TYPE_CHECKING:
    from novalike.conductor.steps import Job, Step

#: Events before which those who count usage hear that the server exists as it is.
COUNTED = frozenset({"rebuild", "resize_prep"})


@dataclass(slots=True)
class Ended:
    """A step which a host did or did not do."""

    event: str
    host: str
    started: float
    now: datetime
    error: str | None = None
    details: str = ""


@dataclass(slots=True)
class Journal:
    """What happened in a job since its task was last saved."""

    job: Job[Any]
    entries: list[Ended] = field(default_factory=list)
    told: list[tuple[str, str]] = field(default_factory=list)                    # event and phase of a step
    _seen: Instance | None = None

    # -- what the engine notes

    def step_begins(self, step: Step[Any]) -> None:
        """A host is about to be ordered."""
        self._tell_step(step, events.START)

    def step_done(self, step: Step[Any]) -> None:
        """A step is done which no host was waited for."""
        if step.notification is not None:
            self._tell_step(step, events.START)
            self._tell_step(step, events.END)

    def step_ended(self, outcome: Outcome, decision: Any, *, again: bool) -> None:
        """A host reported the step which the task waited for. `again`: the same step goes on, at another host perhaps."""
        step = self.job.step
        error = outcome.error or (str(decision) if isinstance(decision, Exception) else None)
        if outcome.stale and error is None:
            error = "The host refused the order as an old one."
        self._note(step, outcome.host, error, details=outcome.details, started=outcome.started_at)
        if error is None and not again:
            self._tell_step(step, events.END)

    def step_overdue(self, decision: Any) -> None:
        """The host which the task waited for did not report in time."""
        job = self.job
        error = str(decision) if isinstance(decision, Exception) else (
            f"The host did not report within {job.step.wait_deadline(job)} seconds."
        )
        self._note(job.step, job.task.waiting_host or "", error, started=job.task.step_since / 1000)

    def _tell_step(self, step: Step[Any], phase: str) -> None:
        name = step.notification or events.OF_STEP.get((self.job.kind.kind, step.name))
        if name is not None and self.job.world.notifier.enabled:
            self.told.append((name, phase))

    def _note(self, step: Step[Any], host: str, error: str | None, *, details: str = "", started: float) -> None:
        job = self.job
        # The last step's success is the task's, whose own event tells it.
        if not step.logged or (error is None and step is job.kind.steps[-1]):
            return
        name = step_event(job.kind.kind, step.name)
        self.entries.append(Ended(name, host, started, job.world.clock.now(), error, details))

    # -- in the transaction which saves or ends the task

    def write(self, session: Session) -> None:
        """Write the action log's events."""
        task = self.job.task
        for entry in self.entries:
            action_log.finish(
                session, task.instance_uuid, task.caller.request_id, event=entry.event, now=entry.now, error=entry.error,
                details=entry.details, host=entry.host or None, started=entry.started, failed=False,
            )

    def look(self, session: Session, *, ending: bool = False) -> Sight | None:
        """Answer how the server looks now, if anybody is to be told."""
        job, notifier = self.job, self.job.world.notifier
        if not notifier.enabled:
            return None
        first = job.task.sequence == 0
        if not (ending or first or self.told or notifier.states):
            return None
        return sights.look(session, job.instance.uuid, disks=notifier.disks)

    # -- after its commit

    def saved(self, sight: Sight | None) -> None:
        """The task was saved. When no save came before, it has just begun."""
        first = self.job.task.sequence == 0
        self.entries.clear()
        told, self.told = self.told, []
        if sight is None:
            return
        if first:
            self._begun(sight)
        self._changed(sight)
        for name, phase in told:
            if phase == events.START and (self._name(), name) in events.FOLLOW:
                self._tell(self._name() or name, events.END, sight, None)
            self._tell(name, phase, sight, None)

    def ended(self, sight: Sight | None, *, failed: bool) -> None:
        """The task ended."""
        self.saved(sight)
        name = self._name() or (events.OF_FAILURE.get(self.job.kind.kind) if failed else None)
        if sight is None or name is None:
            return
        if failed:
            fault = sight.instance.fault         # what users are told: the whole story, not only its end
            message = (fault.message if fault is not None else self.job.failure) or "The operation failed."
            failure = Failure(message=message, details=fault.details if fault is not None else self.job.failure_details)
            self._tell(name, events.ERROR, sight, failure)
        elif not any(first == name and state == sight.instance.vm_state for (first, _), state in events.FOLLOW.items()):
            self._tell(name, events.END, sight, None)

    def _begun(self, sight: Sight) -> None:
        name = self._name()
        if name is None:
            return
        if name == "rebuild":
            self._tell("rebuild_scheduled", events.START, sight, None)
        self._tell(name, events.START, sight, None)

    def _changed(self, sight: Sight) -> None:
        """Tell a change of state since the job began or since it was last told."""
        before, after = self._seen or self.job.instance, sight.instance
        self._seen = after
        if (before.vm_state, before.task_state) != (after.vm_state, after.task_state):
            self.job.world.notifier.updated(before, sight, caller=self.job.task.caller)

    def _name(self) -> str | None:
        kind = self.job.kind
        return kind.notification or events.OF_TASK.get(kind.kind)

    def _tell(self, name: str, phase: str, sight: Sight, failure: Failure | None) -> None:
        job = self.job
        if name in COUNTED and phase == events.START:
            job.world.notifier.exists(sight, caller=job.task.caller)
        job.world.notifier.action(
            name, phase, sight, caller=job.task.caller, failure=failure, extra=job.kind.notification_extra(job),
        )

