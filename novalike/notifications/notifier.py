"""Takes what is to be told, and tells it from a thread of its own.

Callers hand over what they saw inside their transaction, after its commit; nobody waits for the broker. The queue is
bounded: when a broker is away for long, notifications are dropped, counted and logged. Nothing depends on them.
"""

from __future__ import annotations

import functools
import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from oslo_config import cfg

from novalike.clock import Clock
from novalike.notifications import objects, periods, unversioned
from novalike.notifications.events import END, ERROR, EVENTS, START, Event
from novalike.objects.flavor import Flavor
from novalike.objects.instance import Instance
from novalike.objects.notification import Failure, Sight
from novalike.objects.tasks import Caller

LOG = logging.getLogger(__name__)

COMPUTE, CONDUCTOR, API = "nova-compute", "nova-conductor", "nova-api"
#: Seconds between two warnings that notifications are dropped, and for which stop() waits for what is queued.
COMPLAIN_EVERY = 60.0
STOP_WAIT = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One message for the bus. `publisher` is `nova-compute:host` in the versioned form, `compute.host` in the other."""

    versioned: bool
    publisher: str
    event: str
    priority: str
    payload: dict[str, Any]
    caller: Caller | None = None


class Sender(Protocol):
    """Puts notifications on the bus. May block for as long as the broker is away."""

    versioned: bool
    unversioned: bool

    def send(self, notification: Notification) -> None:
        """Send one; what cannot be sent is logged."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


class Notifier:
    """Tells nobody: what a process has where notifications are off.

    Look at `enabled` before gathering anything to tell: being off costs that one look. `states` says of which changes of
    state listeners want to hear (vm_state, vm_and_task_state, or None), `disks` whether a Sight shall have them.
    """

    enabled: bool = False
    states: str | None = None
    disks: bool = False

    def action(
        self, name: str, phase: str | None, sight: Sight, *, caller: Caller | None, failure: Failure | None = None,
        extra: Mapping[str, Any] | None = None, source: str | None = None,
    ) -> None:
        """Tell that an operation on a server (a key of events.EVENTS) began, ended or failed.

        `extra` are the fields which only this event has (objects.EXTRAS, new_flavor). Its publisher is the server's host,
        unless `source` (API, CONDUCTOR) says that somebody else did it, or it is on none.
        """

    def updated(self, before: Instance | None, sight: Sight, *, caller: Caller | None, source: str | None = None, always: bool = False) -> None:
        """Tell that a server changed, if that is wanted: see `states`. `always` tells it anyhow, as Nova does of tags."""

    def exists(self, sight: Sight, *, caller: Caller | None, period: tuple[datetime, datetime] | None = None) -> None:
        """Tell that a server exists now, or was there in a period, for those who count usage by that."""

    def resource(
        self, event: str, payload: Callable[[], dict[str, Any]], *, caller: Caller | None, publisher: str,
        unversioned: tuple[str, str, dict[str, Any]] | None = None,
    ) -> None:
        """Tell what happened to something which is no server. `unversioned` is (publisher, event, payload), where Nova has it."""

    def start(self) -> None:
        """Begin to tell."""

    def stop(self) -> None:
        """Tell what is queued, for a few seconds, and end."""


#: For whoever has nobody to tell.
SILENT = Notifier()


class QueuedNotifier(Notifier):
    """Tells through a `sender`, in order, from one thread which starts with the first notification."""

    enabled = True

    def __init__(self, conf: cfg.ConfigOpts, clock: Clock, sender: Sender) -> None:
        section = conf.notifications
        self.states = section.notify_on_state_change
        self.disks = bool(section.bdms_in_notifications)
        self.dropped = 0
        self._clock = clock
        self._sender = sender
        self._host: str = conf.host
        self._image_url: str = conf.endpoints.image or ""
        self._period: str = conf.instance_usage_audit_period
        self._level: str = section.default_level
        self._shares = bool(section.include_share_mapping)
        self._queue: queue.Queue[Callable[[], list[Notification]] | None] = queue.Queue(section.queue_limit)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._complained = 0.0

    # -- what callers use

    def action(
        self, name: str, phase: str | None, sight: Sight, *, caller: Caller | None, failure: Failure | None = None,
        extra: Mapping[str, Any] | None = None, source: str | None = None,
    ) -> None:
        self._post(functools.partial(self._action, name, phase, sight, caller, failure, dict(extra or {}), source))

    def updated(self, before: Instance | None, sight: Sight, *, caller: Caller | None, source: str | None = None, always: bool = False) -> None:
        if self.states is None and not always:
            return
        if before is not None and not always and _differ_only_in_task(before, sight.instance) and self.states == "vm_state":
            return
        now = self._clock.now()
        self._post(functools.partial(self._updated, before, sight, caller, source, periods.current(self._period, now)))

    def exists(self, sight: Sight, *, caller: Caller | None, period: tuple[datetime, datetime] | None = None) -> None:
        told = period or periods.current(self._period, self._clock.now())
        self._post(functools.partial(self._exists, sight, caller, told))

    def resource(
        self, event: str, payload: Callable[[], dict[str, Any]], *, caller: Caller | None, publisher: str,
        unversioned: tuple[str, str, dict[str, Any]] | None = None,
    ) -> None:
        def render() -> list[Notification]:
            told = [self._message(publisher, event, payload(), caller)] if self._sender.versioned else []
            if unversioned is not None and self._sender.unversioned:
                old_publisher, old_event, old_payload = unversioned
                told.append(self._message(old_publisher, old_event, old_payload, caller, versioned=False))
            return told
        self._post(render)

    def stop(self) -> None:
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            try:
                self._queue.put(None, timeout=STOP_WAIT)
            except queue.Full:
                LOG.warning("%d notifications are not sent: the broker does not take them", self._queue.qsize())
                return
            thread.join(STOP_WAIT)
            if thread.is_alive():
                LOG.warning("%d notifications are not sent: the broker does not take them", self._queue.qsize())
                return
        self._sender.close()

    # -- rendering, on the notifier's own thread

    def _action(
        self, name: str, phase: str | None, sight: Sight, caller: Caller | None, failure: Failure | None, extra: dict[str, Any],
        source: str | None,
    ) -> list[Notification]:
        event = EVENTS[name]
        if failure is not None and not event.fails:
            return self._exception(name, sight, caller, failure, source)
        told: list[Notification] = []
        priority = "ERROR" if failure is not None else self._level
        if self._sender.versioned and (not event.single or phase in {START, None}):
            full = f"instance.{name}" if event.single or phase is None else f"instance.{name}.{phase}"
            payload = objects.action(event.payload, sight, caller, failure, extra, origin=name, shares=self._shares)
            told.append(self._message(self._publisher(sight, source), full, payload, caller, priority=priority))
        old = _unversioned_name(event, phase)
        if self._sender.unversioned and old is not None:
            flat = unversioned.instance(
                sight, image_url=self._image_url, failure=failure, extra=_flat_extra(name, phase, sight.instance, extra),
            )
            publisher = self._publisher(sight, source, versioned=False)
            told.append(self._message(publisher, f"compute.instance.{old}", flat, caller, versioned=False, priority=priority))
        return told

    def _exception(
        self, name: str, sight: Sight, caller: Caller | None, failure: Failure, source: str | None,
    ) -> list[Notification]:
        if not self._sender.versioned:
            return []
        payload = objects.exception(failure, name)
        return [self._message(self._publisher(sight, source), "compute.exception", payload, caller, priority="ERROR")]

    def _updated(
        self, before: Instance | None, sight: Sight, caller: Caller | None, source: str | None, period: Any,
    ) -> list[Notification]:
        told = []
        if self._sender.versioned:
            payload = objects.update(sight, before, caller, period=period, shares=self._shares)
            told.append(self._message(self._publisher(sight, source), "instance.update", payload, caller))
        if self._sender.unversioned:
            flat = unversioned.update(sight, before, image_url=self._image_url, period=period)
            publisher = self._publisher(sight, source, versioned=False)
            told.append(self._message(publisher, "compute.instance.update", flat, caller, versioned=False))
        return told

    def _exists(self, sight: Sight, caller: Caller | None, period: Any) -> list[Notification]:
        told = []
        if self._sender.versioned:
            payload = objects.exists(sight, caller, period=period, shares=self._shares)
            told.append(self._message(self._publisher(sight, None), "instance.exists", payload, caller))
        if self._sender.unversioned:
            flat = unversioned.instance(
                sight, image_url=self._image_url, extra={**unversioned.usage(period), "bandwidth": {}},
            )
            publisher = self._publisher(sight, None, versioned=False)
            told.append(self._message(publisher, "compute.instance.exists", flat, caller, versioned=False))
        return told

    def _message(
        self, publisher: str, event: str, payload: dict[str, Any], caller: Caller | None, *, versioned: bool = True,
        priority: str | None = None,
    ) -> Notification:
        return Notification(
            versioned=versioned, publisher=publisher, event=event, priority=priority or self._level, payload=payload, caller=caller,
        )

    def _publisher(self, sight: Sight, source: str | None, *, versioned: bool = True) -> str:
        host = sight.instance.host
        if source is None and host is not None:
            source = COMPUTE
        else:
            source, host = source or CONDUCTOR, self._host
        return f"{source}:{host}" if versioned else f"{source.removeprefix('nova-')}.{host}"

    # -- the queue

    def _post(self, render: Callable[[], list[Notification]]) -> None:
        if self._thread is None:
            self._begin()
        try:
            self._queue.put_nowait(render)
        except queue.Full:
            self.dropped += 1
            now = time.monotonic()
            if now - self._complained > COMPLAIN_EVERY or self.dropped == 1:
                self._complained = now
                LOG.warning("notifications are dropped, %d so far: the broker takes none, and the queue is full", self.dropped)

    def _begin(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="notifications", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while (render := self._queue.get()) is not None:
            try:
                for notification in render():
                    self._sender.send(notification)
            except Exception:
                LOG.exception("a notification could not be made")


def _differ_only_in_task(before: Instance, after: Instance) -> bool:
    return before.vm_state == after.vm_state and before.task_state != after.task_state


def _unversioned_name(event: Event, phase: str | None) -> str | None:
    if event.unversioned is None:
        return None
    if event.single:
        return event.unversioned if phase in {START, None} else None
    if event.unversioned_at_end:
        return event.unversioned if phase == END else None
    return event.unversioned if phase is None else f"{event.unversioned}.{phase}"


def _flat_extra(name: str, phase: str | None, instance: Instance, extra: Mapping[str, Any]) -> dict[str, Any]:
    """Answer the fields which an unversioned event has beside all others'."""
    flat: dict[str, Any] = {}
    if name in {"create", "rebuild"}:
        flat["image_name"] = instance.image_name or ""
    if name == "create" and phase != ERROR:
        flat["message"] = "Success" if phase == END else ""
    if name.startswith("volume_") and extra.get("volume_id"):
        flat["volume_id"] = extra["volume_id"]
    new = extra.get("new_flavor")
    if isinstance(new, Flavor):
        flat |= {"new_instance_type": new.name, "new_instance_type_id": new.id}
    return flat
