"""`inproc://`: RPC inside one process, behind oslo.messaging's driver entry point.

What a broker does, without one: a message for a topic goes to one of its servers in turn, one for `server=` to that server,
a fanout to all; a message for which nobody listens yet waits; every receiver gets its own copy, made through JSON, so that
nothing works here which would not work over RabbitMQ. All transports with the same URL share one exchange: `inproc://a` and
`inproc://b` do not hear each other.

A sender hands the message to the receiving server's executor itself. There is no thread, no poll and no timer here, so an
idle process does nothing and a message is on its way in microseconds.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import orjson
from oslo_messaging import MessageDeliveryFailure, MessagingTimeout, Target
from oslo_messaging._drivers import base
from oslo_messaging._drivers.common import deserialize_remote_exception, serialize_remote_exception

LOG = logging.getLogger(__name__)

#: Messages handed to one server and not begun. More means that it cannot keep up, and senders are told so.
MOST_PENDING = 10_000
#: Messages of one queue which nobody listens to, and for how long (seconds) they wait; the oldest go first.
MOST_WAITING = 1_000
LONGEST_WAIT = 300.0

Reply = tuple[bytes | None, str | None]          # JSON of the answer, or oslo's document of a failure


class Message(base.RpcIncomingMessage):  # type: ignore[misc]  # oslo.messaging has no types
    """One receiver's own copy of a message. `begun` is told once when a server starts to work on it."""

    def __init__(self, ctxt: dict[str, Any], message: dict[str, Any], replies: queue.Queue[Reply] | None, begun: Callable[[], None]) -> None:
        super().__init__(ctxt, message)
        self._replies = replies
        self._begun = begun

    def acknowledge(self) -> None:
        """A server's worker takes the message now."""
        self._begun()

    def requeue(self) -> None:
        """Not supported, as `require_features` says."""
        raise NotImplementedError

    def reply(self, reply: Any = None, failure: Any = None) -> None:
        """Answer the caller; nothing happens when it only cast, or gave up waiting."""
        if self._replies is not None:
            self._replies.put_nowait((None, serialize_remote_exception(failure)) if failure else (orjson.dumps(reply), None))

    def heartbeat(self) -> None:
        """Nobody needs it: a caller in the same process lives as long as this does."""


class Letter:
    """A message on its way: JSON, who waits for the answer, and until when (None: nobody waits)."""

    __slots__ = ("deadline", "envelope", "replies")

    def __init__(self, envelope: bytes, replies: queue.Queue[Reply] | None, deadline: float | None) -> None:
        self.envelope = envelope
        self.replies = replies
        self.deadline = deadline


class Listener(base.Listener):  # type: ignore[misc]
    """One server's (or notification listener's) place at an exchange."""

    def __init__(self, exchange: Exchange, names: Iterable[str], fanouts: Iterable[str]) -> None:
        super().__init__(batch_size=1, batch_timeout=None)
        self.names = tuple(names)
        self.fanouts = tuple(fanouts)
        self._exchange = exchange
        self._pending = 0
        self._lock = threading.Lock()

    def start(self, on_incoming_callback: Callable[[list[Message]], None]) -> None:
        """Take messages from now on, first those which waited."""
        super().start(on_incoming_callback)
        self._exchange.join(self)

    def stop(self) -> None:
        """Take no more messages; those already handed over are worked on."""
        self._exchange.leave(self)
        super().stop()

    def cleanup(self) -> None:
        """Nothing is held."""
        self._exchange.leave(self)

    def take(self, letter: Letter) -> bool:
        """Hand a copy to the server; answers False when this listener stopped meanwhile.

        Raises MessageDeliveryFailure when the server is too far behind.
        """
        callback = self.on_incoming_callback
        if callback is None:
            return False
        with self._lock:
            if self._pending >= MOST_PENDING:
                raise MessageDeliveryFailure(f"{self.names[0]} has {MOST_PENDING} messages to do already")
            self._pending += 1
        ctxt, message = orjson.loads(letter.envelope)
        try:
            callback([Message(ctxt, message, letter.replies, self._begun)])
        except RuntimeError:                     # its executor was shut down between our look and now
            self._begun()
            return False
        return True

    def _begun(self) -> None:
        with self._lock:
            self._pending -= 1


class Exchange:
    """Who listens to what, and what waits for a listener."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._listeners: dict[str, deque[Listener]] = {}
        self._fanouts: dict[str, list[Listener]] = {}
        self._waiting: dict[str, deque[tuple[float, Letter]]] = {}

    def join(self, listener: Listener) -> None:
        """Let a listener in, and give it what waits."""
        with self._lock:
            for name in listener.names:
                self._listeners.setdefault(name, deque()).append(listener)
            for name in listener.fanouts:
                self._fanouts.setdefault(name, []).append(listener)
            waited = [(name, letter) for name in listener.names for letter in self._fresh(self._waiting.pop(name, ()))]
        for name, letter in waited:
            try:
                self.send(name, letter)
            except MessageDeliveryFailure as error:
                LOG.warning("A message which waited is lost: %s", error)

    def leave(self, listener: Listener) -> None:
        """Let a listener go; its queues' messages wait for the next one."""
        with self._lock:
            for listeners in (self._listeners, self._fanouts):
                for name in [name for name, those in listeners.items() if listener in those]:
                    listeners[name].remove(listener)
                    if not listeners[name]:
                        del listeners[name]

    def send(self, name: str, letter: Letter) -> None:
        """Give a letter to the next listener of a queue, or let it wait."""
        while True:
            with self._lock:
                listeners = self._listeners.get(name)
                if not listeners:
                    self._wait(name, letter)
                    return
                listener = listeners[0]
                listeners.rotate(-1)
            if listener.take(letter):
                return
            self.leave(listener)                 # it stopped meanwhile; ask the next

    def fanout(self, name: str, letter: Letter) -> None:
        """Give a letter to all who listen now."""
        with self._lock:
            listeners = list(self._fanouts.get(name, ()))
        for listener in listeners:
            try:
                listener.take(letter)
            except MessageDeliveryFailure as error:
                LOG.warning("A fanout to %s is lost: %s", listener.names[0], error)

    def _wait(self, name: str, letter: Letter) -> None:
        waiting = self._waiting.setdefault(name, deque(maxlen=MOST_WAITING))
        now = time.monotonic()
        while waiting and waiting[0][0] < now - LONGEST_WAIT:
            waiting.popleft()
        waiting.append((now, letter))

    @staticmethod
    def _fresh(waiting: Iterable[tuple[float, Letter]]) -> list[Letter]:
        """Answer what is worth giving out: not too old, and its caller still waits."""
        now = time.monotonic()
        return [
            letter for since, letter in waiting
            if since >= now - LONGEST_WAIT and (letter.deadline is None or letter.deadline > now)
        ]


_exchanges: weakref.WeakValueDictionary[str, Exchange] = weakref.WeakValueDictionary()
_exchanges_lock = threading.Lock()


def _exchange(name: str) -> Exchange:
    """Answer the exchange of that name, which lives as long as a transport holds it."""
    with _exchanges_lock:
        exchange = _exchanges.get(name)
        if exchange is None:
            exchange = _exchanges[name] = Exchange()
        return exchange


class InProcessDriver(base.BaseDriver):  # type: ignore[misc]
    """The driver of `inproc://name`, as oslo.messaging loads it."""

    def __init__(self, conf: Any, url: Any, default_exchange: str | None = None, allowed_remote_exmods: Any = None) -> None:
        super().__init__(conf, url, default_exchange, allowed_remote_exmods)
        self._exchange = _exchange(str(url))
        self._listeners: list[Listener] = []

    def send(
        self, target: Target, ctxt: dict[str, Any], message: dict[str, Any], wait_for_reply: bool | None = None,
        timeout: float | None = None, call_monitor_timeout: float | None = None, retry: int | None = None,
        transport_options: Any = None,
    ) -> Any:
        """Send a message; with `wait_for_reply` answer its reply, or raise MessagingTimeout after `timeout` seconds.

        Raises TypeError for what is not JSON and MessageDeliveryFailure when the receiver is too far behind.
        """
        envelope = orjson.dumps((ctxt, message))
        topic = self._topic(target)
        if not wait_for_reply:
            letter = Letter(envelope, None, None)
            if target.fanout:
                self._exchange.fanout(topic, letter)
            else:
                self._exchange.send(_queue_name(topic, target.server), letter)
            return None
        replies: queue.Queue[Reply] = queue.Queue(maxsize=1)
        deadline = None if timeout is None else time.monotonic() + timeout
        self._exchange.send(_queue_name(topic, target.server), Letter(envelope, replies, deadline))
        try:
            reply, failure = replies.get(timeout=timeout)
        except queue.Empty:
            raise MessagingTimeout(f"No reply from {_queue_name(target.topic, target.server)} in {timeout} s") from None
        if failure is not None:
            raise deserialize_remote_exception(failure, self._allowed_remote_exmods)
        return orjson.loads(reply or b"null")

    def send_notification(self, target: Target, ctxt: dict[str, Any], message: dict[str, Any], version: float, retry: int | None = None) -> None:
        """Give a notification to its listeners' pools, if there are any; without one it is dropped, never kept."""
        self._exchange.fanout(f"{self._topic(target)} notifications", Letter(orjson.dumps((ctxt, message)), None, None))

    def listen(self, target: Target, batch_size: int, batch_timeout: float | None) -> Listener:
        """Answer the listener of one server: for its topic, for it alone, and for fanouts."""
        topic = self._topic(target)
        return self._listener([_queue_name(topic, target.server), topic], [topic])

    def listen_for_notifications(
        self, targets_and_priorities: Iterable[tuple[Target, str]], pool: str | None, batch_size: int, batch_timeout: float | None,
    ) -> Listener:
        """Answer a listener which gets every notification of these topics and priorities."""
        topics = [f"{self._exchange_of(target)}.{target.topic}.{priority}" for target, priority in targets_and_priorities]
        return self._listener([f"{topic} pool {pool or ''}" for topic in topics], [f"{topic} notifications" for topic in topics])

    def cleanup(self) -> None:
        """Let go of every listener made here."""
        for listener in self._listeners:
            self._exchange.leave(listener)
        self._listeners.clear()

    def _listener(self, names: list[str], fanouts: list[str]) -> Listener:
        listener = Listener(self._exchange, names, fanouts)
        self._listeners.append(listener)
        return listener

    def _exchange_of(self, target: Target) -> str:
        return target.exchange or self._default_exchange or ""

    def _topic(self, target: Target) -> str:
        return f"{self._exchange_of(target)}.{target.topic}"


def _queue_name(topic: str, server: str | None) -> str:
    return topic if server is None else f"{topic} on {server}"
