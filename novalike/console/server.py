"""Listens for browsers, with or without TLS on the same port, one thread for each connection.

websockify's own server forks a process per connection, which a process with threads or green threads cannot do; of
websockify we take the protocol.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import ssl
import threading
from typing import Any

from novalike.console.proxy import Proxy

LOG = logging.getLogger(__name__)

_TLS_FIRST_BYTES = (b"\x16", b"\x80")                    # of a TLS handshake, and of an old SSL one
_HANDSHAKE_TIMEOUT = 20.0
_VERSIONS = {"tlsv1_1": ssl.TLSVersion.TLSv1_1, "tlsv1_2": ssl.TLSVersion.TLSv1_2, "tlsv1_3": ssl.TLSVersion.TLSv1_3}


def tls(conf: Any) -> ssl.SSLContext | None:
    """Answer what [DEFAULT]cert, key and [console]ssl_* say; None when there is no certificate.

    Raises ValueError when [DEFAULT]ssl_only is set without one.
    """
    if not os.path.exists(conf.cert):
        if conf.ssl_only:
            raise ValueError(f"ssl_only is set, and there is no certificate {conf.cert}")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(conf.cert, conf.key or None)
    if conf.console.ssl_ciphers:
        context.set_ciphers(conf.console.ssl_ciphers)
    if conf.console.ssl_minimum_version in _VERSIONS:
        context.minimum_version = _VERSIONS[conf.console.ssl_minimum_version]
    return context


class ProxyServer:
    """Binds in the constructor, so that a port taken is an error at once; `port` 0 finds a free one."""

    def __init__(
        self, name: str, host: str, port: int, proxy: Proxy, *, encryption: ssl.SSLContext | None = None, ssl_only: bool = False,
        limit: int = 1000, prefer_ipv6: bool = False,
    ) -> None:
        self.name = name
        self._proxy = proxy
        self._encryption, self._ssl_only = encryption, ssl_only
        self._room = threading.BoundedSemaphore(limit)
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family = next((one[0] for one in found if prefer_ipv6 and one[0] == socket.AF_INET6), found[0][0])
        try:
            self._listener = socket.create_server((host, port), family=family, backlog=128)
        except OSError as error:
            raise OSError(error.errno, f"{name} cannot listen on {host}:{port}: {error.strerror}") from error
        self.host, self.port = self._listener.getsockname()[:2]
        self._stopping = False

    def start(self) -> None:
        """Answer from now on; until then callers wait in the backlog."""
        threading.Thread(target=self._serve, name=self.name, daemon=True).start()
        LOG.info("%s answers on %s:%s", self.name, self.host, self.port)

    def stop(self) -> None:
        """Take no more connections, and end those which there are."""
        self._stopping = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)    # wakes who waits in accept
        self._listener.close()
        self._proxy.sessions.end()

    def _serve(self) -> None:
        pause = threading.Event()
        while not self._stopping:
            try:
                caller, address = self._listener.accept()
            except OSError as error:
                if self._stopping:
                    return
                LOG.warning("%s could not accept a connection: %s", self.name, error)
                pause.wait(0.5)                          # out of file descriptors, most likely
                continue
            if not self._room.acquire(blocking=False):
                LOG.warning("%s has as many connections as [console]session_limit allows", self.name)
                caller.close()
                continue
            threading.Thread(target=self._connected, args=(caller, address), name=f"{self.name} connection", daemon=True).start()

    def _connected(self, caller: socket.socket, address: Any) -> None:
        # Not before somebody looks: it brings numpy, a fifth of a second and 11 MB.
        from novalike.console.handler import Handler

        try:
            with caller:
                caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                caller.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                caller.settimeout(_HANDSHAKE_TIMEOUT)
                side = self._encrypted(caller)
                if side is not None:
                    with side:
                        Handler(side, address, self._proxy)
        except OSError as error:
            LOG.debug("%s: %s left: %s", self.name, address[0], error)
        except Exception:
            LOG.exception("%s failed at a connection", self.name)
        finally:
            self._room.release()

    def _encrypted(self, caller: socket.socket) -> socket.socket | None:
        """Answer the connection, in TLS if it begins so; None for one that must and does not."""
        if self._encryption is None:
            return caller
        first = caller.recv(1, socket.MSG_PEEK)
        if first not in _TLS_FIRST_BYTES:
            return None if self._ssl_only or not first else caller
        return self._encryption.wrap_socket(caller, server_side=True)
