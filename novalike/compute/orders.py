"""Orders from their arrival to their report: fence, lane, deadline, ledger."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from novalike import context as context_module
from novalike.clock import Clock
from novalike.compute.lanes import Lanes
from novalike.compute.ledger import Ledger, Verdict
from novalike.compute.reporter import Reporter
from novalike.context import RequestContext
from novalike.exception import Fenced, NovalikeError
from novalike.objects.tasks import Fence, Outcome
from novalike.workers import Workers

LOG = logging.getLogger(__name__)


@dataclass(eq=False, kw_only=True)
class Work:
    """One admitted order.

    `run(work)` does it and answers an Outcome, or raises: a NovalikeError's text goes to the user. `document` is what
    recovery needs of it, free of secrets. `hurry`, when given, makes a patient order (a graceful shutdown) end at once; it is
    called when the server is deleted or reset meanwhile. `deadline` is in seconds from arrival.
    """

    ctxt: RequestContext
    fence: Fence
    kind: str
    run: Callable[[Work], Outcome]
    workers: Workers
    deadline: float
    document: dict[str, Any] = field(default_factory=dict)
    tombstone: bool = False
    hurry: Callable[[], None] | None = None
    superseded: bool = False                     # something newer arrived: stop at the next step, undo
    expired: bool = False                        # its failure was reported at the deadline: undo whatever comes out of it
    dirty: bool = False                          # a failed build could not remove what it left
    started: bool = False
    interruptions: int = 0                       # how often a daemon died of, or at least during, this order
    arrived: float = 0.0                         # monotonic
    arrived_at: float = 0.0                      # epoch seconds

    def go_on(self) -> None:
        """Raise Fenced when this order is no longer wanted; called between steps."""
        if self.superseded or self.expired:
            raise Fenced("A newer operation took the server over." if self.superseded else "The host took too long.")


class Orders:
    """Admits orders, runs those of one instance one after the other, and reports how each ended."""

    def __init__(
        self, host: str, clock: Clock, ledger: Ledger, reporter: Reporter, *, on_end: Callable[[Outcome], None],
        power_state: Callable[[str], int | None],
    ) -> None:
        """`on_end` hears every end; `power_state` answers a guest's, for actions which failed."""
        self._host = host
        self._power_state = power_state
        self._hurries = Workers("hurry", 8)
        self._clock = clock
        self._ledger = ledger
        self._reporter = reporter
        self._on_end = on_end
        self._lanes = Lanes()
        self._lock = threading.Lock()
        self._works: dict[tuple[str, int], Work] = {}
        self._closed = False

    def accept(self, work: Work) -> Verdict | None:
        """Take an order: run it, ignore it, or report at once. Answers what was decided; None while the daemon stops.

        Returns before the order runs.
        """
        fence = work.fence
        with self._lock:
            if self._closed:                     # the conductor sends it again, to the daemon which comes after this one
                return None
            admission = self._ledger.admit(fence, work.kind, work.document, tombstone=work.tombstone)
            if admission.verdict is Verdict.RUN:
                work.interruptions = admission.interruptions
                work.arrived, work.arrived_at = self._clock.monotonic(), self._clock.time()
                hastened = [other for other in self._works.values() if _hastens(work, other)]
                for other in hastened:
                    other.superseded = other.superseded or _overtakes(work, other)
                self._works[fence.operation_id, fence.sequence] = work
                self._lanes.submit(fence.instance_uuid, work.workers, lambda: self._run(work))
        if admission.verdict is Verdict.RUN:
            for other in hastened:
                if other.started and other.hurry is not None:
                    self._hurries.submit(other.hurry)
        elif admission.verdict is Verdict.ANSWER and admission.outcome is not None:
            LOG.info("%s of instance %s was done already; reporting it again", work.kind, fence.instance_uuid)
            self._reporter.outcome(admission.outcome, work.ctxt)
        elif admission.verdict is Verdict.STALE:
            LOG.warning("Refusing a stale %s of instance %s (epoch %d)", work.kind, fence.instance_uuid, fence.epoch)
            self._reporter.outcome(self._stale(work), work.ctxt, kept=False)
        return admission.verdict

    def running(self) -> tuple[Fence, ...]:
        """Answer the fences of orders which run or wait for their turn."""
        with self._lock:
            return tuple(work.fence for work in self._works.values() if not work.expired)

    def busy(self, instance_uuid: str) -> bool:
        """Answer whether any order of the instance runs or waits."""
        return self._lanes.busy(instance_uuid)

    def alone(self, instance_uuid: str, workers: Workers, function: Callable[[], None]) -> None:
        """Run the host's own work on an instance when no order of it runs."""
        self._lanes.submit(instance_uuid, workers, function)

    def expire(self) -> None:
        """Report orders past their deadline as failed. What still hangs is undone when it comes back."""
        now = self._clock.monotonic()
        with self._lock:
            late = [work for work in self._works.values() if not work.expired and now - work.arrived > work.deadline]
            for work in late:
                work.expired = True
        for work in late:
            LOG.error("%s of instance %s passed its deadline of %g s", work.kind, work.fence.instance_uuid, work.deadline)
            self._end(work, self._failed(work, f"The host did not finish within {work.deadline:g} seconds."))

    def close(self, timeout: float) -> bool:
        """Take no more orders and wait for running ones; answer whether all ended. The rest stays in the ledger as running."""
        with self._lock:
            self._closed = True
        ended = self._lanes.wait(timeout)
        self._hurries.stop(0)
        return ended

    def wait(self, timeout: float) -> bool:
        """Wait until no order runs; for tests."""
        return self._lanes.wait(timeout)

    def _run(self, work: Work) -> None:
        token = context_module.current.set(work.ctxt)
        try:
            if work.expired:
                return
            if self._clock.monotonic() - work.arrived > work.deadline:
                outcome = self._failed(work, "The host was too busy to begin in time.")
            else:
                work.started = True
                outcome = self._attempt(work)
            if not work.expired:
                self._end(work, outcome)
        finally:
            with self._lock:
                self._works.pop((work.fence.operation_id, work.fence.sequence), None)
            context_module.current.reset(token)

    def _attempt(self, work: Work) -> Outcome:
        uuid = work.fence.instance_uuid
        try:
            if not self._ledger.is_current(work.fence, work.kind):
                work.superseded = True
            work.go_on()
            outcome = work.run(work)
        except Fenced:
            LOG.info("%s of instance %s was given up: overtaken or too late", work.kind, uuid)
            return self._stale(work)
        except NovalikeError as error:
            LOG.warning("%s of instance %s failed: %s %s", work.kind, uuid, error, error.details)
            return self._failed(work, str(error), retry=getattr(error, "retry", True), details=error.details)
        except Exception as error:
            LOG.exception("%s of instance %s failed unexpectedly", work.kind, uuid)
            return self._failed(work, f"The host failed to {work.kind.replace('_', ' ')} the server.", details=repr(error))
        return replace(outcome, started_at=work.arrived_at, finished_at=self._clock.time())

    def _end(self, work: Work, outcome: Outcome) -> None:
        """Store and report an outcome; the later of two ends of one order counts for nothing."""
        try:
            if not self._ledger.finish(outcome):
                return
        except Exception:
            LOG.exception("The ledger could not store the end of %s of instance %s", work.kind, work.fence.instance_uuid)
        self._on_end(outcome)
        self._reporter.outcome(outcome, work.ctxt)

    def _failed(self, work: Work, error: str, *, retry: bool = True, details: str = "") -> Outcome:
        power = None if work.kind in ("build", "destroy") or work.expired else self._power_state(work.fence.instance_uuid)
        return Outcome(
            fence=work.fence, host=self._host, error=error, details=details, retry=retry, power_state=power,
            dirty=work.dirty or (work.expired and work.kind == "build"),     # an expired one may still be at it
            started_at=work.arrived_at, finished_at=self._clock.time(),
        )

    def _stale(self, work: Work) -> Outcome:
        return Outcome(
            fence=work.fence, host=self._host, error="A newer operation took the server over.", retry=False, stale=True,
            started_at=work.arrived_at, finished_at=self._clock.time(),
        )


def _hastens(new: Work, old: Work) -> bool:
    """Whether an admitted order should not have to wait until an older one's patience ends."""
    return _overtakes(new, old) or (new.kind == "reboot_hard" and new.fence.instance_uuid == old.fence.instance_uuid)


def _overtakes(new: Work, old: Work) -> bool:
    """Whether an admitted order makes an older one of the same instance pointless."""
    if new.fence.instance_uuid != old.fence.instance_uuid or old.kind == "destroy":
        return False
    if new.fence.operation_id == old.fence.operation_id:
        return old.fence.sequence < new.fence.sequence
    return old.fence.epoch < new.fence.epoch or (new.tombstone and old.fence.epoch <= new.fence.epoch)
