"""Sends what the host has to tell the conductor, in order, from one thread, and waits while nobody can be reached.

Workers never wait for the broker: they hand over and go on. Outcomes are in the ledger too, so those which find no room here
are sent later from there; other reports are states (usage, inventory), of which only the newest counts.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from novalike.compute.ledger import Ledger
from novalike.context import RequestContext, service_context
from novalike.exception import Unavailable
from novalike.objects.tasks import Fence, Outcome
from novalike.rpc.conductor import HostReports, Tasks

LOG = logging.getLogger(__name__)

LONGEST_PAUSE = 15.0


@dataclass(frozen=True)
class _Letter:
    send: Callable[[], None]
    fence: Fence | None                          # of an outcome which the ledger holds


class Reporter:
    """The queue and its thread. `pause` is the first wait (seconds) after a failure; it doubles up to 15 s."""

    def __init__(self, tasks: Tasks, reports: HostReports, ledger: Ledger, *, limit: int = 1000, pause: float = 1.0) -> None:
        self._tasks = tasks
        self._reports = reports
        self._ledger = ledger
        self._limit = limit
        self._pause = pause
        self._ready = threading.Condition()
        self._letters: dict[object, _Letter] = {}   # by key, in the order of sending
        self._left_behind = True                 # the ledger may hold outcomes which are not in the queue
        self._count = 0
        self._stopping = False
        self._sending = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to send, first what an earlier daemon could not."""
        self._thread = threading.Thread(target=self._run, name="reporter", daemon=True)
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Send what is queued, for at most `timeout` seconds. What remains of outcomes stays in the ledger."""
        with self._ready:
            self._stopping = True
            self._ready.notify_all()
        if self._thread is not None:
            self._thread.join(timeout)

    def outcome(self, outcome: Outcome, ctxt: RequestContext | None = None, *, kept: bool = True) -> None:
        """Report how an order ended. `kept` says that the ledger holds it (not so for refusals)."""
        fence = outcome.fence
        with self._ready:
            self._count += 1
            key = (fence.operation_id, fence.sequence) if kept else self._count
            if len(self._letters) >= self._limit and key not in self._letters:
                self._left_behind = self._left_behind or kept
                return
            self._letters[key] = _Letter(self._sender(outcome, ctxt), fence if kept else None)
            self._ready.notify_all()

    def state(self, name: str, send: Callable[[RequestContext], None]) -> None:
        """Send a state by `send(ctxt)`; an older unsent one of the same name is dropped."""
        with self._ready:
            self._letters.pop(name, None)
            if len(self._letters) < self._limit:
                self._letters[name] = _Letter(lambda: send(service_context()), None)
                self._ready.notify_all()

    def idle(self, timeout: float) -> bool:
        """Wait until all is sent, at most `timeout` seconds; answer whether it is. For tests and a graceful stop."""
        until = time.monotonic() + timeout
        with self._ready:
            while self._letters or self._sending or self._left_behind:
                if not self._ready.wait(max(0.0, until - time.monotonic())) and time.monotonic() >= until:
                    return False
        return True

    def _sender(self, outcome: Outcome, ctxt: RequestContext | None) -> Callable[[], None]:
        report = self._tasks.report if outcome.fence.of_task else self._reports.action_done
        return lambda: report(ctxt or service_context(), outcome=outcome)

    def _run(self) -> None:
        pause = self._pause
        while True:
            with self._ready:
                while not (self._letters or self._left_behind or self._stopping):
                    self._ready.wait()
                if self._stopping and not self._letters:
                    return
                letters, self._letters = list(self._letters.items()), {}
                self._sending = True
                refill = self._left_behind and not letters
                if refill:
                    self._left_behind = False
            if refill:
                self._refill()
            unsent = self._send(letters)
            with self._ready:
                # What could not be sent goes first next time, unless something newer of the same key came meanwhile.
                self._letters = {key: self._letters.get(key, letter) for key, letter in unsent} | self._letters
                self._sending = False
                self._ready.notify_all()
                if unsent and self._stopping:
                    return
                if unsent:
                    self._ready.wait_for(lambda: self._stopping, pause)
            pause = min(pause * 2, LONGEST_PAUSE) if unsent else self._pause

    def _refill(self) -> None:
        """Queue outcomes which an earlier daemon, or a full queue, left in the ledger."""
        try:
            waiting = self._ledger.unsent(self._limit)
        except Exception:
            LOG.exception("The ledger could not be read for unsent outcomes")
            return
        for outcome in waiting:
            self.outcome(outcome)
        with self._ready:
            self._left_behind = self._left_behind or len(waiting) >= self._limit

    def _send(self, letters: list[tuple[object, _Letter]]) -> list[tuple[object, _Letter]]:
        """Send in order and answer what could not be sent now."""
        done: list[Fence] = []
        rest: list[tuple[object, _Letter]] = []
        for position, (_, letter) in enumerate(letters):
            try:
                letter.send()
            except Unavailable as error:
                LOG.warning("The conductor cannot be reached (%s); %d reports wait", error, len(letters) - position)
                rest = letters[position:]
                break
            except Exception:
                LOG.exception("A report could not be sent and is given up; the conductor will ask again")
            if letter.fence is not None:
                done.append(letter.fence)
        if done:
            try:
                self._ledger.sent(done)
            except Exception:
                LOG.exception("The ledger could not note sent outcomes; the next daemon sends them again")
                with self._ready:
                    self._left_behind = False    # it would only give the same ones again
        return rest
