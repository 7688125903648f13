"""Runs the parts of one process: managers with their RPC servers and periodic work, HTTP servers, and signals.

A part is anything with start() and stop(), and reload() if it can. `Daemon` makes one of a manager; `Runner` starts parts in
the order given, waits for signals, and stops them in the opposite order:

    SIGTERM, SIGINT   stop gracefully, within [DEFAULT] graceful_shutdown_timeout, exit status 0; once more: exit at once
    SIGHUP            read the configuration files again: log levels, mutable options, and reload() of every part

oslo.service is not used for this: its launchers fork, which RPC inside one process cannot cross.
"""

from __future__ import annotations

import itertools
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from oslo_config import cfg

from novalike import context
from novalike.exception import Unavailable
from novalike.periodic import Periodic
from novalike.rpc import engine
from novalike.rpc.engine import Interface

LOG = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
#: Told to the runner's main loop over the same socket as signals, which are smaller numbers.
STARTED, STOPPED = 200, 201


class Part(Protocol):
    """What a Runner runs. `reload()` may exist too."""

    def start(self) -> None:
        """Begin to work; may take seconds, and may wait for others."""
        ...

    def stop(self) -> None:
        """Take no more work, and finish or hand over what there is."""
        ...


class Manager(Protocol):
    """What every daemon's folder offers in its manager.py."""

    @property
    def binary(self) -> str:
        """As operators know it: novalike-compute."""
        ...

    @property
    def topic(self) -> str | None:
        """Where its messages arrive; None: it is not asked."""
        ...

    @property
    def endpoints(self) -> tuple[Interface, ...]:
        """What it answers."""
        ...

    @property
    def periodics(self) -> tuple[Periodic, ...]:
        """What it repeats."""
        ...

    def start(self) -> None:
        """Prepare, before RPC is served."""
        ...

    def stop(self) -> None:
        """Finish or hand over."""
        ...


class Repeated:
    """A Periodic on its thread."""

    def __init__(self, periodic: Periodic, owner: str) -> None:
        self._periodic = periodic
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"{owner} {periodic.name}", daemon=True)

    def start(self) -> None:
        """Begin with the Periodic's delay, unless its interval turns it off."""
        if self._periodic.interval > 0:
            self._thread.start()

    def end(self) -> None:
        """Begin no further round."""
        self._stopping.set()

    def wait(self, seconds: float) -> None:
        """Wait for a running round."""
        if self._thread.ident is not None:
            self._thread.join(max(0.0, seconds))

    def _run(self) -> None:
        pause = self._periodic.delay
        while not self._stopping.wait(pause):
            context.current.set(context.service_context())       # a request id of its own for each round
            try:
                self._periodic.function()
            except Unavailable as error:
                LOG.warning("%s: %s %s", self._thread.name, error, error.details)
            except Exception:
                LOG.exception("%s failed", self._thread.name)
            pause = self._periodic.interval


class Daemon:
    """A manager as a part: started, served over RPC, and repeated.

    `heartbeat` stores that this daemon lives, every `report_interval` seconds and once at the start; daemons without a
    database pass None and report in their own way. `grace` is for how long a running periodic round or RPC is waited for.
    """

    def __init__(
        self, manager: Manager, transport: Any = None, *, host: str, heartbeat: Callable[[], object] | None = None,
        report_interval: float = 10, grace: float = 60,
    ) -> None:
        self.manager = manager
        self._transport = transport
        self._host = host
        self._grace = grace
        self._server: Any = None
        beats = (Periodic("heartbeat", report_interval, lambda: void(heartbeat())),) if heartbeat else ()
        self._repeated = [Repeated(periodic, manager.binary) for periodic in (*beats, *manager.periodics)]

    def start(self) -> None:
        """Start the manager, serve its endpoints, repeat its periodic work. Waits for a broker that is away."""
        self.manager.start()
        if self.manager.topic is not None:
            self._server = engine.server(self._transport, self.manager.topic, self._host, self.manager.endpoints)
            self._server.start()
        for repeated in self._repeated:
            repeated.start()
        LOG.info("%s on %s is ready", self.manager.binary, self._host)

    def stop(self) -> None:
        """Take no more messages, end the repeated work, let the manager finish, and wait for what was taken."""
        give_up = time.monotonic() + self._grace
        for repeated in self._repeated:
            repeated.end()
        if self._server is not None:
            self._server.stop()
        self.manager.stop()
        for repeated in self._repeated:
            repeated.wait(give_up - time.monotonic())
        if self._server is not None:
            self._server.wait()
        LOG.info("%s on %s has stopped", self.manager.binary, self._host)

    def reload(self) -> None:
        """Let the manager look at its configuration again, if it can."""
        reload = getattr(self.manager, "reload", None)
        if reload is not None:
            reload()


class Chores:
    """Periodic work which belongs to no daemon: a local service's, in the process which serves its API."""

    def __init__(self, owner: str, periodics: Iterable[Periodic], *, grace: float = 60) -> None:
        self._grace = grace
        self._repeated = [Repeated(periodic, owner) for periodic in periodics]

    def start(self) -> None:
        """Begin."""
        for repeated in self._repeated:
            repeated.start()

    def stop(self) -> None:
        """Begin no further round, and wait for running ones."""
        give_up = time.monotonic() + self._grace
        for repeated in self._repeated:
            repeated.end()
        for repeated in self._repeated:
            repeated.wait(give_up - time.monotonic())


class Later:
    """Parts which need a database or a broker to be made: made at start, in its order, and again while something they need
    is Unavailable. So a daemon may be started before what it depends on."""

    def __init__(self, build: Callable[[], Iterable[Part]], *, pause: float = 2.0) -> None:
        self._build = build
        self._pause = pause
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._parts: list[Part] = []

    def start(self) -> None:
        """Make the parts and start them."""
        while not self._stopping.is_set():
            try:
                parts = list(self._build())      # all at once: nothing starts of what cannot be made whole
                break
            except Unavailable as error:
                LOG.warning("Waiting: %s %s", error, error.details)
                self._stopping.wait(self._pause)
        else:
            return
        for part in parts:
            with self._lock:
                if self._stopping.is_set():
                    return
                self._parts.append(part)
            part.start()

    def stop(self) -> None:
        """Stop what was started, in the opposite order; daemons of one kind (pretended hypervisors) all together."""
        self._stopping.set()
        with self._lock:
            parts, self._parts = self._parts, []
        for _kind, group in itertools.groupby(reversed(parts), key=_kind_of):
            threads = [threading.Thread(target=_stop, args=(part,), name=f"stop {part!r}", daemon=True) for part in group]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    def reload(self) -> None:
        """Let every part look."""
        for part in list(self._parts):
            reload = getattr(part, "reload", None)
            if reload is not None:
                reload()


def _kind_of(part: Part) -> object:
    """What is the same for parts which may be stopped together: the daemon's name, else the part itself."""
    return part.manager.binary if isinstance(part, Daemon) else part


def _stop(part: Part) -> None:
    try:
        part.stop()
    except Exception:
        LOG.exception("%r could not be stopped in order", part)


def void(_answer: object) -> None:
    """Drop an answer."""


class Runner:
    """Runs parts in this process until a signal or stop() ends it. Each process makes one."""

    def __init__(self, conf: cfg.ConfigOpts, parts: Iterable[Part], *, ready: Callable[[], None] | None = None) -> None:
        self._conf = conf
        self._parts: Sequence[Part] = tuple(parts)
        self._ready = ready
        self._started: list[Part] = []
        self._start_error: BaseException | None = None
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._reader: Any = None
        self._writer: Any = None

    def run(self) -> int:
        """Start the parts, work until told to stop, stop, and answer the exit status.

        0 after a graceful stop, also one that ran out of time; 1 when a part could not start, or at a second SIGTERM. Call
        it in the main thread; when it answers, threads of parts which did not finish may still run: leave by `leave()`.
        """
        # A socket, as waiting on one is green under eventlet, where a signal does not wake an Event's waiter.
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        before = {number: signal.signal(number, _ignore) for number in SIGNALS}
        wakeup = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        try:
            threading.Thread(target=self._start, name="start", daemon=True).start()
            return self._loop()
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            reader, writer, self._reader, self._writer = self._reader, self._writer, None, None
            reader.close()
            writer.close()

    def start(self) -> None:
        """Start all parts, in order; for a process which has signals of its own (tests)."""
        for part in self._parts:
            if self._ending.is_set():
                return
            with self._lock:
                self._started.append(part)
            part.start()

    def stop(self) -> None:
        """Stop the parts that were started, in the opposite order. An error of one does not keep others from stopping."""
        self._ending.set()
        while True:
            with self._lock:
                if not self._started:
                    return
                part = self._started.pop()
            try:
                part.stop()
            except Exception:
                LOG.exception("%r could not be stopped in order", part)

    def reload(self) -> None:
        """Read the configuration files again, set log levels by them, and let every part look."""
        try:
            changed = self._conf.mutate_config_files()
            LOG.info("Configuration read again: %d options changed", len(changed))
        except Exception:
            LOG.exception("The configuration could not be read again; the old one stays")
            return
        for part in self._parts:
            try:
                reload = getattr(part, "reload", None)
                if reload is not None:
                    reload()
            except Exception:
                LOG.exception("%r could not reload", part)

    def end(self) -> None:
        """Ask run() to stop, from any thread."""
        self._tell(signal.SIGTERM)

    def _loop(self) -> int:
        stopping = False
        while True:
            try:
                told = self._reader.recv(1)[0]
            except TimeoutError:
                LOG.warning("Not everything ended within %d s; leaving it", self._conf.graceful_shutdown_timeout)
                return 0
            if told in (signal.SIGTERM, signal.SIGINT):
                if stopping:
                    LOG.warning("Told to stop again: leaving at once")
                    return 1
                stopping = True
                LOG.info("Stopping")
                self._reader.settimeout(self._conf.graceful_shutdown_timeout)
                threading.Thread(target=self._stop, name="stop", daemon=True).start()
            elif told == signal.SIGHUP and not stopping:
                self.reload()
            elif told == STARTED and self._start_error is not None:
                self.stop()
                return 1
            elif told == STARTED and self._ready is not None and not stopping:
                self._ready()
            elif told == STOPPED:
                return 0

    def _start(self) -> None:
        try:
            self.start()
        except BaseException as error:
            LOG.critical("Could not start: %s", error, exc_info=True)
            self._start_error = error
        self._tell(STARTED)

    def _stop(self) -> None:
        self.stop()
        self._tell(STOPPED)

    def _tell(self, number: int) -> None:
        writer = self._writer
        if writer is not None:                   # run() is over otherwise
            writer.send(bytes([number]))


def leave(status: int) -> None:
    """End the process with this exit status now, without waiting for threads; what was logged is written first."""
    logging.shutdown()
    os._exit(status)


def _ignore(number: int, frame: object) -> None:
    """The runner's loop hears of a signal through its socket; Python only writes there when there is a handler."""
