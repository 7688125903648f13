"""Senders of notifications which keep, block or fail."""

from __future__ import annotations

import threading
from typing import Any

from novalike import conf as conf_module
from novalike.clock import Clock, ManualClock
from novalike.notifications.notifier import Notification, QueuedNotifier


class RecordingSender:
    """Keeps what it is given. While `gate` is not set, sending waits, as for a broker that is away."""

    def __init__(self, *, versioned: bool = True, unversioned: bool = True) -> None:
        self.versioned = versioned
        self.unversioned = unversioned
        self.sent: list[Notification] = []
        self.gate = threading.Event()
        self.gate.set()

    def send(self, notification: Notification) -> None:
        self.gate.wait(10)
        self.sent.append(notification)

    def close(self) -> None:
        pass

    def events(self, *, versioned: bool = True) -> list[str]:
        """Answer what was told in one form, in order."""
        return [one.event for one in self.sent if one.versioned is versioned]

    def payload(self, event: str) -> dict[str, Any]:
        """Answer the newest payload of an event."""
        return next(one.payload for one in reversed(self.sent) if one.event == event)


def notifier(sender: RecordingSender, *, clock: Clock | None = None, **options: Any) -> QueuedNotifier:
    """Answer a notifier over a sender. stop() it: then everything is told."""
    conf = conf_module.load([], files=[], host="control", **options)
    return QueuedNotifier(conf, clock or ManualClock(), sender)
