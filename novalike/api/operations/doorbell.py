"""Tells conductors that there is work, without making anybody wait for the broker."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

from novalike.context import RequestContext

LOG = logging.getLogger(__name__)


class Doorbell:
    """A queue of messages which a background thread sends once each and never again.

    The rows are the truth: a message lost here (queue full, broker away) costs the few seconds until a sweep.
    """

    def __init__(self, send_tasks: Callable[[RequestContext, list[str]], None], *, limit: int = 10_000) -> None:
        self._send_tasks = send_tasks
        self._queue: queue.Queue[Callable[[], None] | None] = queue.Queue(limit)
        self._thread = threading.Thread(target=self._run, name="doorbell", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """Send what is queued (for at most 5 s) and end."""
        self._queue.put(None)
        self._thread.join(5)

    def ring(self, ctxt: RequestContext, task_ids: list[str]) -> None:
        """Ask a conductor to look at these tasks soon."""
        self.post(lambda: self._send_tasks(ctxt, task_ids))

    def post(self, send: Callable[[], None]) -> None:
        """Have any message sent; dropped when too many wait."""
        try:
            self._queue.put_nowait(send)
        except queue.Full:
            LOG.warning("the doorbell's queue is full; a sweep will find the work")

    def _run(self) -> None:
        while (send := self._queue.get()) is not None:
            try:
                send()
            except Exception as error:
                LOG.warning("a message could not be sent, a sweep will find the work: %s", error)
