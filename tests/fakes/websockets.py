"""A WebSocket client which shows what the server answered, where browsers hide it."""

from __future__ import annotations

import base64
import os
import socket
import ssl
import struct
import time


class Refused(Exception):
    """The server answered with a status which is not 101: its first argument."""


class Client:
    """Opens a WebSocket at construction. Raises Refused."""

    def __init__(
        self, host: str, port: int, path: str, *, headers: dict[str, str] | None = None, encryption: ssl.SSLContext | None = None,
    ) -> None:
        self.socket: socket.socket = socket.create_connection((host, port), timeout=10)
        self._pending = b""
        self.close_code: int | None = None
        try:
            self.status = self._open(host, port, path, headers, encryption)
        except BaseException:
            self.socket.close()
            raise
        if self.status != 101:
            self.socket.close()
            raise Refused(self.status)

    def _open(self, host: str, port: int, path: str, headers: dict[str, str] | None, encryption: ssl.SSLContext | None) -> int:
        if encryption is not None:
            self.socket = encryption.wrap_socket(self.socket, server_hostname=host)
        lines = {
            "Host": f"{host}:{port}", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(), **(headers or {}),
        }
        self.socket.sendall(f"GET {path} HTTP/1.1\r\n".encode() + b"".join(f"{k}: {v}\r\n".encode() for k, v in lines.items()) + b"\r\n")
        while b"\r\n\r\n" not in self._pending:
            piece = self.socket.recv(4096)
            if not piece:
                raise ConnectionError("the server said nothing")
            self._pending += piece
        head, self._pending = self._pending.split(b"\r\n\r\n", 1)
        return int(head.split()[1])

    def send(self, message: bytes, opcode: int = 2) -> None:
        """Send a message, masked as clients must."""
        size = len(message)
        length = bytes([0x80 | size]) if size < 126 else struct.pack("!BH", 0xFE, size) if size < 65536 else struct.pack("!BQ", 0xFF, size)
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(message)) if size < 4096 else _masked(message, mask)
        self.socket.sendall(bytes([0x80 | opcode]) + length + mask + masked)

    def receive(self) -> bytes | None:
        """Answer the next message; None at the end, with its code in `close_code`."""
        while True:
            opcode, payload = self._frame()
            if opcode == 8:
                self.close_code = struct.unpack("!H", payload[:2])[0] if payload else None
                return None
            if opcode < 8:
                return payload

    def until(self, what: bytes, seconds: float = 10) -> bytes:
        """Receive until `what` came; answer all that came."""
        found, give_up = b"", time.monotonic() + seconds
        while what not in found:
            assert time.monotonic() < give_up, f"{what!r} did not come: {found[-500:]!r}"
            message = self.receive()
            assert message is not None, f"the session ended ({self.close_code}) before {what!r} came: {found[-500:]!r}"
            found += message
        return found

    def close(self) -> None:
        """Leave without a word."""
        self.socket.close()

    def _frame(self) -> tuple[int, bytes]:
        first, second = self._take(2)
        size = second & 0x7F
        if size == 126:
            size = struct.unpack("!H", self._take(2))[0]
        elif size == 127:
            size = struct.unpack("!Q", self._take(8))[0]
        return first & 0x0F, self._take(size)

    def _take(self, count: int) -> bytes:
        while len(self._pending) < count:
            piece = self.socket.recv(65536)
            if not piece:
                raise ConnectionError("the server left")
            self._pending += piece
        found, self._pending = self._pending[:count], self._pending[count:]
        return found


def _masked(message: bytes, mask: bytes) -> bytes:
    pattern = mask * (len(message) // 4 + 1)
    size = len(message)
    return (int.from_bytes(message, "big") ^ int.from_bytes(pattern[:size], "big")).to_bytes(size, "big")
