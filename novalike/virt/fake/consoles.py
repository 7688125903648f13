"""Consoles of pretended guests: a screen which speaks enough RFB for a viewer, and a serial port which shows the log and echoes.

Each listens on a port of loopback from the first time somebody asks for it, until its guest is gone.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import struct
import threading
from collections.abc import Callable

from novalike.objects.console import NO_PORT, ConsolePorts, Protocol
from novalike.objects.network_info import Vif
from novalike.objects.states import PowerState
from novalike.virt.fake.core import FakeCore

LOG = logging.getLogger(__name__)

WIDTH, HEIGHT = 320, 200
_LISTEN = "127.0.0.1"
_PIXELS = struct.Struct("!BBBBHHHBBBxxx")
#: 32 bits a pixel, 24 used, little endian, true colour: 255 of each at bit 16, 8 and 0.
_FORMAT = _PIXELS.pack(32, 24, 0, 1, 255, 255, 255, 16, 8, 0)


class ConsoledGuests(FakeCore):
    """The fake driver's Consoles."""

    _consoles: dict[tuple[str, Protocol], _Listener] | None = None

    def console_ports(self, instance_uuid: str, protocol: Protocol) -> ConsolePorts | None:
        guest = self._defined(instance_uuid)
        speak = {Protocol.VNC: _screen, Protocol.SERIAL: self._serial}.get(protocol)
        if speak is None:
            return None
        if guest.power_state not in (PowerState.RUNNING, PowerState.PAUSED):
            self._close_consoles(instance_uuid)
            return ConsolePorts(plain=NO_PORT)
        if self._consoles is None:
            self._consoles = {}
        key = instance_uuid, protocol
        if key not in self._consoles:
            self._consoles[key] = _Listener(lambda caller: speak(caller, instance_uuid))
        return ConsolePorts(plain=self._consoles[key].port)

    def destroy(self, instance_uuid: str, instance_name: str, vifs: tuple[Vif, ...]) -> None:
        self._close_consoles(instance_uuid)
        super().destroy(instance_uuid, instance_name, vifs)

    def stop(self) -> None:
        consoles, self._consoles = self._consoles or {}, None
        for listener in consoles.values():
            listener.close()
        super().stop()

    def _close_consoles(self, instance_uuid: str) -> None:
        for protocol in Protocol:
            listener = (self._consoles or {}).pop((instance_uuid, protocol), None)
            if listener is not None:
                listener.close()

    def _serial(self, caller: socket.socket, instance_uuid: str) -> None:
        """Show what the guest wrote since it booted, down to its login prompt; then echo."""
        caller.sendall(self.hypervisor.console(instance_uuid).rstrip("\n").replace("\n", "\r\n").encode() + b" ")
        while typed := caller.recv(4096):
            caller.sendall(typed)


class _Listener:
    """Serves callers on a free port of loopback, each by `speak` in its own thread, until closed; that ends all of them."""

    def __init__(self, speak: Callable[[socket.socket], None]) -> None:
        self._speak = speak
        self._listener = socket.create_server((_LISTEN, 0))
        self._callers: set[socket.socket] = set()
        self._closed = False
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, name=f"fake console {self.port}", daemon=True).start()

    def close(self) -> None:
        self._closed = True
        for one in (self._listener, *self._callers):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while not self._closed:
            try:
                caller, _address = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._call, args=(caller,), name=f"fake console {self.port} viewer", daemon=True).start()

    def _call(self, caller: socket.socket) -> None:
        self._callers.add(caller)
        try:
            with caller:
                self._speak(caller)
        except (OSError, EOFError) as error:
            LOG.debug("A viewer of a fake console left: %s", error)
        finally:
            self._callers.discard(caller)


def _screen(caller: socket.socket, instance_uuid: str) -> None:
    """Be an RFB 3.8 server without a password: a picture of stripes, one more white pixel for each key pressed."""
    caller.sendall(b"RFB 003.008\n")
    _take(caller, 12)
    caller.sendall(bytes([1, 1]))                        # one way to log in: none at all
    _take(caller, 1)
    caller.sendall(struct.pack("!I", 0))
    _take(caller, 1)                                     # whether others may look as well: they may
    name = f"fake {instance_uuid}".encode()
    caller.sendall(struct.pack("!HH", WIDTH, HEIGHT) + _FORMAT + struct.pack("!I", len(name)) + name)
    keys = shown = 0
    drawn = False
    while True:
        kind = _take(caller, 1)[0]
        if kind == 0:                                    # SetPixelFormat: viewers ask for what we have
            _take(caller, 19)
        elif kind == 2:                                  # SetEncodings: raw always goes
            _take(caller, 4 * struct.unpack("!xH", _take(caller, 3))[0])
        elif kind == 3:                                  # FramebufferUpdateRequest
            incremental = _take(caller, 9)[0]
            if incremental and drawn and keys == shown:
                caller.sendall(struct.pack("!BxH", 0, 0))
                continue
            caller.sendall(struct.pack("!BxHHHHHi", 0, 1, 0, 0, WIDTH, HEIGHT, 0) + _picture(keys))
            drawn, shown = True, keys
        elif kind == 4:                                  # KeyEvent
            keys += _take(caller, 7)[0]
        elif kind == 5:                                  # PointerEvent
            _take(caller, 5)
        elif kind == 6:                                  # ClientCutText
            _take(caller, struct.unpack("!xxxI", _take(caller, 7))[0])
        else:
            return


def _picture(keys: int) -> bytes:
    line = b"".join(struct.pack("<I", (column * 255 // WIDTH) << 16 | (0x40 if column & 16 else 0xC0) << 8) for column in range(WIDTH))
    typed = b"\xff\xff\xff\x00" * min(keys, WIDTH)
    return (typed + line[len(typed):]) + line * (HEIGHT - 1)


def _take(caller: socket.socket, count: int) -> bytes:
    """Read exactly so many bytes; EOFError when the viewer leaves before."""
    found = b""
    while len(found) < count:
        piece = caller.recv(min(65536, count - len(found)))
        if not piece:
            raise EOFError("the viewer left")
        found += piece
    return found
