"""The message bus as oslo.messaging knows it: [oslo_messaging_notifications] driver, topics, transport_url, retry."""

from __future__ import annotations

from typing import Any

import oslo_messaging as messaging
from oslo_config import cfg
from oslo_messaging.notify import notifier as oslo_notifier

from novalike.clock import Clock
from novalike.notifications.notifier import SILENT, Notification, Notifier, QueuedNotifier
from novalike.objects.tasks import Caller
from novalike.rpc import transport

#: The exchange on which Nova's listeners bind their queues. An operator's control_exchange wins.
EXCHANGE = "nova"
GROUP = "oslo_messaging_notifications"


def register(conf: cfg.ConfigOpts) -> None:
    """Register the options which say where notifications go; a second time changes nothing."""
    transport.register(conf)
    conf.register_opts(oslo_notifier._notifier_opts, group=GROUP)  # noqa: SLF001  where oslo.messaging keeps them
    conf.set_default("control_exchange", EXCHANGE)


def build(conf: cfg.ConfigOpts, clock: Clock) -> Notifier:
    """Answer the notifier which a configuration asks for: without a driver (the default), or with `noop`, a silent one.

    Opens no connection yet. Raises oslo_messaging.DriverLoadFailure or InvalidTransportURL.
    """
    register(conf)
    if not {name for name in conf[GROUP].driver if name} - {"noop"}:
        return SILENT
    return QueuedNotifier(conf, clock, OsloSender(conf))


class OsloSender:
    """Sends through oslo.messaging's drivers. With its default `retry` a message waits for the broker for ever."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        wanted = conf.notifications.notification_format
        self.versioned = wanted in {"versioned", "both"}
        self.unversioned = wanted in {"unversioned", "both"}
        self._transport = messaging.get_notification_transport(conf)
        topics = {True: conf.notifications.versioned_notifications_topics, False: conf[GROUP].topics}
        self._notifiers = {
            versioned: messaging.Notifier(self._transport, topics=those)
            for versioned, those in topics.items() if (self.versioned if versioned else self.unversioned)
        }

    def send(self, notification: Notification) -> None:
        """Send one. oslo.messaging logs what it cannot send."""
        notifier = self._notifiers[notification.versioned].prepare(publisher_id=notification.publisher)
        tell = getattr(notifier, notification.priority.lower())
        tell(_Context(notification.caller), notification.event, notification.payload)

    def close(self) -> None:
        """Close the connections."""
        self._transport.cleanup()


class _Context:
    """The caller in the form that oslo.messaging asks for: it holds no secrets to begin with."""

    def __init__(self, caller: Caller | None) -> None:
        self._caller = caller

    def redacted_copy(self) -> dict[str, Any]:
        """Answer what goes with the message."""
        caller = self._caller
        if caller is None:
            return {}
        return {
            "request_id": caller.request_id, "user_id": caller.user_id, "project_id": caller.project_id, "user": caller.user_id,
            "tenant": caller.project_id,
        }
