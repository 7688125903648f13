"""Disks on their way from one hypervisor to another: a small HTTP server on the source, and what asks it on the destination.

The server runs only while a move needs it. A file is given to whoever shows the ticket of its move (compared by its hash, in
constant time) until that expires. What is offered survives a restart of the daemon, at the same port, so that a destination
goes on where it was cut off.

A file travels as frames: offset, length, digest, bytes. Holes are not sent. The last frame has no bytes and names the size.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import hmac
import http.client
import json
import logging
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any, BinaryIO
from urllib.parse import parse_qs, quote, unquote, urlsplit

from novalike.clock import Clock
from novalike.exception import BuildFailed
from novalike.objects.secret import Secret

LOG = logging.getLogger(__name__)

_FRAME = struct.Struct(">QI16s")
_CHUNK = 1 << 20
_ZEROS = bytes(_CHUNK)
#: Seconds for which a silent peer is waited for, and for which a destination asks a source that is away.
SILENCE, PATIENCE = 30.0, 90.0
_PAUSE = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    """The files of one move by name, for whoever knows the text with this SHA-256, until an epoch second."""

    ticket_sha256: str
    files: dict[str, str]
    expires_at: float


class Offers:
    """What this host offers. `record` is the file which remembers it; `address` and `port` (0: any) are where it listens."""

    def __init__(self, record: str, address: str, port: int, clock: Clock) -> None:
        self._record, self._address, self._port, self._clock = record, address, port, clock
        self._lock = threading.Lock()
        self._offers: dict[str, _Offer] = {}
        self._server: _Server | None = None

    def resume(self) -> None:
        """Offer what an earlier daemon did."""
        with self._lock:
            try:
                with open(self._record, "rb") as file:
                    known = json.load(file)
            except FileNotFoundError:
                return
            except (OSError, ValueError) as error:
                LOG.warning("What was offered to other hosts cannot be read: %s", error)
                return
            self._offers = {uuid: _Offer(**offer) for uuid, offer in known["offers"].items()}
            self._port = self._port or int(known["port"])
            self._follow()

    def stop(self) -> None:
        """Stop serving; the next daemon resumes it."""
        with self._lock:
            self._close()

    def offer(self, instance_uuid: str, files: Mapping[str, str], ticket: Secret, seconds: float) -> str:
        """Offer these files (paths by name) of a server; answer where: "address port". Raises OSError when it cannot listen."""
        with self._lock:
            self._offers[instance_uuid] = _Offer(
                ticket_sha256=_hash(ticket.reveal()), files=dict(files), expires_at=self._clock.time() + seconds,
            )
            self._follow()
            assert self._server is not None
            return f"{self._address} {self._server.server_address[1]}"

    def withdraw(self, instance_uuid: str) -> None:
        """Offer nothing of a server any more. Fine when nothing was."""
        with self._lock:
            if self._offers.pop(instance_uuid, None) is not None:
                self._follow()

    def find(self, instance_uuid: str, name: str, ticket: str) -> str | None:
        """Answer the path of a file for whoever shows the right ticket; None for everybody else."""
        with self._lock:
            offer = self._offers.get(instance_uuid)
        given = _hash(ticket)
        if not hmac.compare_digest(given, offer.ticket_sha256 if offer is not None else _hash("")) or offer is None:
            return None
        return offer.files.get(name) if self._clock.time() < offer.expires_at else None

    def _follow(self) -> None:
        """Forget what expired, remember the rest, and serve it if there is any."""
        now = self._clock.time()
        self._offers = {uuid: offer for uuid, offer in self._offers.items() if offer.expires_at > now}
        if not self._offers:
            self._close()
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._record)
            return
        if self._server is None:
            self._server = self._listen()
        known = {"port": self._server.server_address[1], "offers": {uuid: asdict(offer) for uuid, offer in self._offers.items()}}
        os.makedirs(os.path.dirname(self._record), exist_ok=True)
        descriptor = os.open(f"{self._record}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(known, file)
        os.replace(f"{self._record}.new", self._record)

    def _listen(self) -> _Server:
        try:
            server = _Server((self._address, self._port), self)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or not self._port:
                raise
            LOG.warning("Port %d, where disks were offered, is taken: another one is used", self._port)
            server = _Server((self._address, 0), self)
        threading.Thread(target=server.serve_forever, name="transfers", daemon=True).start()
        LOG.info("Offering disks at %s port %d", self._address, server.server_address[1])
        return server

    def _close(self) -> None:
        if self._server is not None:
            server, self._server = self._server, None
            server.shutdown()
            server.server_close()


class _Server(ThreadingTCPServer):
    """Not http.server's: that one asks the DNS for its own name, which takes as long as a resolver that is away."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 32

    def __init__(self, address: tuple[str, int], offers: Offers) -> None:
        self.offers = offers
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        LOG.info("A transfer to %s was cut off", client_address[0], exc_info=LOG.isEnabledFor(logging.DEBUG))


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = SILENCE
    server_version, sys_version = "novalike", ""

    def do_GET(self) -> None:  # named by the base class
        parts = urlsplit(self.path)
        words = [unquote(word) for word in parts.path.split("/")]
        scheme, _, ticket = self.headers.get("Authorization", "").partition(" ")
        path = None
        if len(words) == 4 and words[1] == "moves" and scheme == "Bearer":
            path = self.server.offers.find(words[2], words[3], ticket)
        begin = parse_qs(parts.query).get("from", ["0"])[0]
        try:
            if path is None or not begin.isascii() or not begin.isdecimal() or len(begin) > 18:
                raise FileNotFoundError
            file = open(path, "rb")  # noqa: SIM115  # closed below
        except OSError:
            self.send_error(404)
            return
        with file:
            self.send_response(200)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            for frame in frames(file, int(begin)):
                self.wfile.write(frame)

    def log_message(self, format: str, *args: Any) -> None:  # named by the base class
        LOG.debug(format, *args)


def frames(file: BinaryIO, begin: int) -> Iterator[bytes]:
    """Answer a file's frames from an offset on."""
    size = os.fstat(file.fileno()).st_size
    position = begin
    while position < size:
        data_at, data_end = _data(file, position, size)
        for offset in range(data_at, data_end, _CHUNK):
            content = os.pread(file.fileno(), min(_CHUNK, data_end - offset), offset)
            if content != _ZEROS[:len(content)]:
                yield _FRAME.pack(offset, len(content), _digest(content)) + content
        position = data_end
    yield _FRAME.pack(size, 0, _digest(b""))


def _data(file: BinaryIO, position: int, size: int) -> tuple[int, int]:
    """Answer the next stretch which is no hole; an empty one at the end."""
    try:
        begin = os.lseek(file.fileno(), position, os.SEEK_DATA)
        return begin, os.lseek(file.fileno(), begin, os.SEEK_HOLE)
    except OSError as error:
        if error.errno == errno.ENXIO:           # only a hole is left
            return size, size
        return position, size


def fetch(
    where: str, instance_uuid: str, name: str, ticket: Secret, path: str, *, clock: Clock, go_on: Callable[[], None],
) -> None:
    """Make `path` what the host at `where` ("address port") offers as `name`; begun anew, and gone on with when it is cut off.

    `go_on` is called now and then and may raise. Raises BuildFailed when the source does not answer for long, or refuses.
    """
    begin, silent_since = 0, clock.monotonic()
    with open(path, "wb") as file:
        os.fchmod(file.fileno(), 0o600)
        while True:
            before = begin
            try:
                for offset, content in _received(where, instance_uuid, name, ticket, begin):
                    go_on()
                    if not content:
                        file.truncate(offset)
                        return
                    file.seek(offset)
                    file.write(content)
                    begin = offset + len(content)
                    clock.sleep(0)               # a fast peer never makes a green thread wait: let others run
                problem = "the transfer was cut off"
            except (OSError, http.client.HTTPException) as error:
                problem = str(error) or type(error).__name__
            if begin > before:
                silent_since = clock.monotonic()
            if clock.monotonic() - silent_since > PATIENCE:
                raise BuildFailed("The server's disks could not be fetched from its host.", details=problem)
            LOG.info("Fetching %s of instance %s goes on at %d in a moment: %s", name, instance_uuid, begin, problem)
            go_on()
            clock.sleep(_PAUSE)


def _received(where: str, instance_uuid: str, name: str, ticket: Secret, begin: int) -> Iterator[tuple[int, bytes]]:
    address, _, port = where.rpartition(" ")
    connection = http.client.HTTPConnection(address, int(port), timeout=SILENCE)
    try:
        connection.request(
            "GET", f"/moves/{instance_uuid}/{quote(name)}?from={begin}", headers={"Authorization": f"Bearer {ticket.reveal()}"},
        )
        answer = connection.getresponse()
        if answer.status != 200:
            raise BuildFailed("The server's host does not hand out its disks.", details=f"{name}: {answer.status}")
        while len(head := answer.read(_FRAME.size)) == _FRAME.size:
            offset, length, digest = _FRAME.unpack(head)
            if length > _CHUNK:
                raise BuildFailed("What the server's host sends is no disk.", details=f"{name}: a frame of {length} bytes")
            content = answer.read(length)
            if len(content) < length:
                return
            if not hmac.compare_digest(digest, _digest(content)):
                raise OSError(errno.EIO, "a frame was damaged on its way")
            yield offset, content
    finally:
        connection.close()


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()
