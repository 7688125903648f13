"""The address 169.254.169.254 of every network: tells the metadata API who asks, and passes its answer back.

Who asks is known by where the connection came in (which network's namespace) and by its source address, which the guard
lets only its owner use; nothing that the guest says of itself is passed on. The listening sockets live in the agent's
process and are opened inside the namespaces; they are back as soon as the agent is.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import logging
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

from novalike.agents.network.bridges import METADATA
from novalike.exception import NovalikeError
from novalike.objects.network_state import Asker, DesiredPort
from novalike.objects.secret import Secret
from novalike.privileged import namespaces

LOG = logging.getLogger(__name__)
PORT = 80
MAX_BODY = 64 * 1024
MAX_CONNECTIONS = 32                             # of one network at a time
TIMEOUT = 20.0
#: What of a guest's request the metadata API sees, besides method, path and body.
_PASSED = ("Accept", "Content-Type", "User-Agent")
#: What of the answer the guest sees.
_ANSWERED = ("Content-Type", "ETag", "Last-Modified", "Cache-Control")

#: Answers the port of a network (by id) on this host which has an address.
FindPort = Callable[[str, str], DesiredPort | None]
#: Answers whose server has an address of a network, on any host. May raise NovalikeError.
AskElsewhere = Callable[[str, str], Asker | None]


def signature(secret: Secret, instance_id: str) -> str:
    """Answer the proof, as Neutron's metadata agent makes it, that this instance asks."""
    return hmac.new(secret.reveal().encode(), instance_id.encode(), hashlib.sha256).hexdigest()


class MetadataProxies:
    """One listener per network and per router on this host."""

    def __init__(self, *, host: str, port: int, path: str, secret: Secret, find_port: FindPort, ask_elsewhere: AskElsewhere) -> None:
        self._upstream = (host, port, path.rstrip("/"))
        self._secret = secret
        self._find_port = find_port
        self._ask_elsewhere = ask_elsewhere
        self._listeners: dict[str, Listener] = {}
        self._networks_of: dict[str, Callable[[str], str | None]] = {}

    def ensure(
        self, key: str, namespace: str, *, reopen: bool = False, network_of: Callable[[str], str | None] | None = None,
    ) -> None:
        """Listen for a network's guests (`key` is its id), or for a router's, where `network_of` tells which network an address is
        of; `reopen` when the namespace is a new one. Raises NovalikeError."""
        if network_of is not None:
            self._networks_of[key] = network_of
        listener = self._listeners.get(key)
        if listener is not None and listener.is_alive() and not reopen:
            return
        self._close(key)
        opened = namespaces.listen(namespace, METADATA, PORT)
        self._listeners[key] = Listener(opened, lambda connection, peer: self._serve(key, connection, peer))

    def remove(self, key: str) -> None:
        """Stop to listen for a network, or for a router."""
        self._networks_of.pop(key, None)
        self._close(key)

    def _close(self, key: str) -> None:
        listener = self._listeners.pop(key, None)
        if listener is not None:
            listener.close()

    def close(self) -> None:
        """Stop to listen at all."""
        for key in list(self._listeners):
            self.remove(key)

    def _serve(self, key: str, connection: socket.socket, peer: str) -> None:
        connection.settimeout(TIMEOUT)
        network_of = self._networks_of.get(key)
        network_id = key if network_of is None else network_of(peer) or ""
        _Handler(connection, peer, lambda request: self._forward(network_id, peer, request, routed=network_of is not None))

    def _asker(self, network_id: str, peer: str, *, routed: bool) -> Asker | None:
        """Answer who asks. A network's namespace serves the guests of its host alone; a router those of all hosts."""
        port = self._find_port(network_id, peer)
        if port is not None and port.device_id:
            return Asker(instance_uuid=port.device_id, project_id=port.project_id)
        return self._ask_elsewhere(network_id, peer) if routed and network_id else None

    def _forward(self, network_id: str, peer: str, request: _Handler, *, routed: bool) -> tuple[int, dict[str, str], bytes]:
        try:
            asker = self._asker(network_id, peer, routed=routed)
        except NovalikeError as error:
            LOG.warning("whose address %s in network %s is could not be asked: %s", peer, network_id, error)
            return 503, {"Content-Type": "text/plain"}, b"503 Service Unavailable\n"
        if asker is None:
            LOG.info("metadata asked for by %s in network %s, which is no server's address", peer, network_id)
            return 404, {"Content-Type": "text/plain"}, b"404 Not Found\n"
        headers = {name: value for name in _PASSED if (value := request.headers.get(name)) is not None}
        headers |= {
            "X-Forwarded-For": peer, "X-Neutron-Network-ID": network_id, "X-Instance-ID": asker.instance_uuid,
            "X-Tenant-ID": asker.project_id, "X-Instance-ID-Signature": signature(self._secret, asker.instance_uuid),
        }
        host, upstream_port, prefix = self._upstream
        upstream = http.client.HTTPConnection(host, upstream_port, timeout=TIMEOUT)
        try:
            upstream.request(request.command, prefix + request.path, body=request.body(), headers=headers)
            answer = upstream.getresponse()
            return answer.status, {n: v for n in _ANSWERED if (v := answer.getheader(n))}, answer.read()
        except (OSError, http.client.HTTPException) as error:
            LOG.warning("the metadata API at %s:%d does not answer: %s", host, upstream_port, error)
            return 503, {"Content-Type": "text/plain"}, b"503 Service Unavailable\n"
        finally:
            upstream.close()


class Listener:
    """Accepts connections on a socket, each served in a thread of its own."""

    def __init__(self, opened: socket.socket, serve: Callable[[socket.socket, str], None]) -> None:
        self._socket = opened
        self._serve = serve
        self._free = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._open = True
        self._thread = threading.Thread(target=self._run, name="metadata", daemon=True)
        self._thread.start()

    def is_alive(self) -> bool:
        """Tell whether connections are accepted."""
        return self._open and self._thread.is_alive()

    def close(self) -> None:
        """Accept no more connections."""
        self._open = False
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)      # wakes accept()
        self._socket.close()

    def _run(self) -> None:
        while self._open:
            try:
                connection, peer = self._socket.accept()
            except OSError as error:
                if self._open:
                    LOG.warning("metadata connections are not accepted any more: %s", error)
                    self._open = False
                return
            if not self._free.acquire(blocking=False):
                connection.close()
                continue
            threading.Thread(target=self._one, args=(connection, peer[0]), name="metadata request", daemon=True).start()

    def _one(self, connection: socket.socket, peer: str) -> None:
        try:
            self._serve(connection, peer)
        except OSError as error:
            LOG.debug("a metadata connection of %s broke: %s", peer, error)
        except Exception:
            LOG.exception("a metadata request of %s failed", peer)
        finally:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
            self._free.release()


class _Handler(BaseHTTPRequestHandler):
    """Reads requests of one connection and writes the answers."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "novalike", ""

    def __init__(self, connection: socket.socket, peer: str, forward: Callable[[_Handler], tuple[int, dict[str, str], bytes]]) -> None:
        self._forward = forward
        super().__init__(connection, (peer, 0), None)  # type: ignore[arg-type]  # there is no server object

    def body(self) -> bytes | None:
        """Answer the request's body."""
        length = int(self.headers.get("Content-Length") or 0)
        return self.rfile.read(length) if length else None

    def _answer(self) -> None:
        length = self.headers.get("Content-Length") or "0"
        if not length.isdecimal() or int(length) > MAX_BODY or self.headers.get("Transfer-Encoding"):
            self.close_connection = True
            self._write(413, {"Content-Type": "text/plain"}, b"413 Request Entity Too Large\n")
            return
        if not self.path.startswith("/"):                # a proxy's absolute URL, or worse
            self._write(400, {"Content-Type": "text/plain"}, b"400 Bad Request\n")
            return
        self._write(*self._forward(self))

    def _write(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815  # the base class's names

    def log_message(self, format: str, *arguments: Any) -> None:
        LOG.debug("metadata: %s: %s", self.client_address[0], format % arguments)
