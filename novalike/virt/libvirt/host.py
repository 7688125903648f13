"""The connection to libvirtd: made anew when libvirtd restarts, and never waited for by green threads."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

import libvirt

from novalike.clock import Clock
from novalike.concurrency import NativeQueue, native, native_thread
from novalike.exception import Unavailable

LOG = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")

DEFAULT_URI = "qemu:///system"
_KEEPALIVE_SECONDS, _KEEPALIVE_COUNT = 5, 5
_RETRY_SECONDS = 0.2
_LOST_CODES = (libvirt.VIR_ERR_SYSTEM_ERROR, libvirt.VIR_ERR_INTERNAL_ERROR, libvirt.VIR_ERR_RPC, libvirt.VIR_ERR_NO_CONNECT)
_LOST_DOMAINS = (libvirt.VIR_FROM_REMOTE, libvirt.VIR_FROM_RPC)

#: What native callbacks tell: (connection number, guest uuid), with None as uuid when that connection broke.
Notice = tuple[int, str | None]

_event_loop_lock = threading.Lock()
_event_loop_runs = False


def _run_event_loop() -> None:
    """Start libvirt's event loop unless this process has it; libvirt knows only one, and wants it before connecting."""
    global _event_loop_runs
    with _event_loop_lock:
        if _event_loop_runs:
            return
        libvirt.virEventRegisterDefaultImpl()
        libvirt.registerErrorHandler(lambda *_: None, None)    # errors are exceptions; libvirt would print them as well

        def turn() -> None:
            while True:
                libvirt.virEventRunDefaultImpl()

        native_thread(turn, name="libvirt-events")
        _event_loop_runs = True


class Host:
    """libvirt on this host. `notices` receives what its callbacks have to tell (see events.py)."""

    def __init__(self, uri: str, clock: Clock, *, connect_timeout: float) -> None:
        self.uri = uri or DEFAULT_URI
        self.notices: NativeQueue[Notice] = NativeQueue()
        self._clock, self._connect_timeout = clock, connect_timeout
        self._lock = threading.Lock()
        self._connection: Any = None
        self._number = 0
        self._closed = False

    def call(self, function: Callable[Concatenate[Any, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function(connection, ...)` in a native thread: it may make several libvirt calls, and touch nothing of ours.

        It runs a second time when the connection broke in the middle, so it must stand finding its work half or wholly
        done. Raises Unavailable when libvirtd does not answer, and the function's own libvirtError otherwise.
        """
        connection = self.connection()
        try:
            return native(function, connection, *args, **kwargs)
        except libvirt.libvirtError as error:
            if not _lost(error, connection):
                raise
            LOG.warning("libvirt's connection broke in the middle of %s; doing it again", function.__name__)
        connection = self.connection()
        try:
            return native(function, connection, *args, **kwargs)
        except libvirt.libvirtError as error:
            if not _lost(error, connection):
                raise
            raise Unavailable("The hypervisor stopped answering.", details=str(error)) from error

    def connection(self) -> Any:
        """Answer a live connection, waiting for libvirtd up to the configured time. Raises Unavailable."""
        deadline = self._clock.monotonic() + self._connect_timeout
        with self._lock:
            while True:
                if self._closed:
                    raise Unavailable("The hypervisor's connection is closed.")
                if self._connection is not None and self._connection.isAlive():
                    return self._connection
                try:
                    self._connect()
                except libvirt.libvirtError as error:
                    if self._clock.monotonic() >= deadline:
                        raise Unavailable("The hypervisor does not answer.", details=str(error)) from error
                    self._clock.sleep(_RETRY_SECONDS)

    def open(self) -> None:
        """Connect, also after `close`. Raises Unavailable."""
        self._closed = False
        self.connection()

    def is_current(self, number: int) -> bool:
        """Answer whether a notice comes from the connection in use."""
        return number == self._number

    def close(self) -> None:
        """Disconnect, and refuse calls until `open`; guests go on."""
        with self._lock:
            self._closed = True
            connection, self._connection = self._connection, None
        if connection is not None:
            try:
                native(connection.close)
            except libvirt.libvirtError as error:
                LOG.debug("libvirt's connection was broken when it was closed: %s", error)

    def _connect(self) -> None:
        _run_event_loop()
        number = self._number + 1
        self._connection = native(_open, self.uri, number, self.notices.put)
        if self._number:
            LOG.warning("Connected to libvirt again")
        self._number = number


def _open(uri: str, number: int, tell: Callable[[Notice], None]) -> Any:
    connection = libvirt.open(uri)
    connection.setKeepAlive(_KEEPALIVE_SECONDS, _KEEPALIVE_COUNT)
    connection.registerCloseCallback(lambda *_: tell((number, None)), None)
    connection.domainEventRegisterAny(
        None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, lambda _connection, domain, *_: tell((number, domain.UUIDString())), None,
    )
    return connection


def _lost(error: libvirt.libvirtError, connection: Any) -> bool:
    return error.get_error_code() in _LOST_CODES and (error.get_error_domain() in _LOST_DOMAINS or not connection.isAlive())
