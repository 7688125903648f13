"""Sending an image's bytes to the image service."""

from __future__ import annotations

import contextlib
import http.client
import logging
import os
import socket
import ssl
from collections.abc import Callable
from typing import Any, BinaryIO, Protocol
from urllib.parse import urlsplit

from novalike import concurrency
from novalike.clock import Clock
from novalike.exception import NovalikeError
from novalike.objects.image import ImageTarget

LOG = logging.getLogger(__name__)

_CHUNK = 1 << 18
#: Seconds for which the image service may think after the last byte: it makes all of them durable, and looks through them.
_THINKING = 600
#: How often a long upload says how far it is, in seconds.
_NEWS = 30.0


class Upload(Protocol):
    """One attempt to send one file."""

    def send(self, file: BinaryIO, *, go_on: Callable[[], None]) -> int:
        """Send all of the file; answer its size. Calls `go_on` between blocks and stops when that raises. Raises NovalikeError."""
        ...

    def abort(self) -> None:
        """End it from another thread; `send` raises then."""
        ...


class HttpUpload:
    """An Upload to where a target says. `section` is [image_cache]."""

    def __init__(self, target: ImageTarget, section: Any, clock: Clock) -> None:
        self._target, self._section, self._clock = target, section, clock
        self._connection: http.client.HTTPConnection | None = None
        self._aborted = False

    def send(self, file: BinaryIO, *, go_on: Callable[[], None]) -> int:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        started = self._clock.monotonic()
        go_on()
        try:
            status, text = self._put(file, size, go_on)
        except (OSError, http.client.HTTPException) as error:
            go_on()                              # cut off by ourselves: say why
            raise NovalikeError("The image could not be sent to the image service.", details=repr(error)) from error
        if not 200 <= status < 300:
            raise NovalikeError(f"The image service refused the image: it answered {status}.", details=text)
        LOG.info("image %s: %d bytes sent in %.1f s", self._target.image_id, size, self._clock.monotonic() - started)
        return size

    def abort(self) -> None:
        self._aborted = True
        connection = self._connection
        found = connection.sock if connection is not None else None
        if found is not None:
            with contextlib.suppress(OSError):
                found.shutdown(socket.SHUT_RDWR)

    def _put(self, file: BinaryIO, size: int, go_on: Callable[[], None]) -> tuple[int, str]:
        connection = self._connection = self._connect()
        try:
            connection.putrequest("PUT", _path(self._target.url))
            for name, value in {
                **self._target.headers, "Content-Type": "application/octet-stream", "Content-Length": str(size),
            }.items():
                connection.putheader(name, value)
            connection.endheaders()
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):     # it may have refused already: hear what it says
                self._send_all(connection, file, size, go_on)
            if connection.sock is not None:
                connection.sock.settimeout(_THINKING)
            answer = connection.getresponse()
            return answer.status, answer.read(2000).decode(errors="replace")
        finally:
            self._connection = None
            connection.close()

    def _send_all(self, connection: http.client.HTTPConnection, file: BinaryIO, size: int, go_on: Callable[[], None]) -> None:
        sent, news = 0, self._clock.monotonic() + _NEWS
        while chunk := concurrency.native(file.read, _CHUNK):
            go_on()
            connection.send(chunk)
            sent += len(chunk)
            if self._clock.monotonic() >= news:
                news += _NEWS
                LOG.info("image %s: %d of %d bytes sent", self._target.image_id, sent, size)

    def _connect(self) -> http.client.HTTPConnection:
        parts, timeout = urlsplit(self._target.url), self._section.fetch_timeout
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise NovalikeError("The image service has no usable address.", details="not an HTTP URL")
        if self._aborted:
            raise NovalikeError("The upload was given up.")
        if parts.scheme == "http":
            return http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
        context = ssl.create_default_context(cafile=self._section.cafile)
        return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=timeout, context=context)


def _path(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path or "/"
