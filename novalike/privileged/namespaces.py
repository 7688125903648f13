"""Network namespaces, by the names `ip netns` shows. Need root (CAP_SYS_ADMIN)."""

from __future__ import annotations

import ctypes
import logging
import os
import re
import socket
import subprocess
from collections.abc import Callable, Mapping

from novalike.exception import NovalikeError

LOG = logging.getLogger(__name__)
TIMEOUT = 15
FOLDER = "/run/netns"
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,80}")
_CLONE_NEWNET = 0x40000000
_ETH_ARP = 0x0806
_libc = ctypes.CDLL(None, use_errno=True)


def names(prefix: str) -> list[str]:
    """Answer the names of namespaces which start so."""
    try:
        return sorted(name for name in os.listdir(FOLDER) if name.startswith(prefix))
    except FileNotFoundError:
        return []


def exists(name: str) -> bool:
    """Tell whether there is such a namespace: a name whose mount was lost is none."""
    try:
        return os.stat(path(name)).st_dev != os.stat(FOLDER).st_dev
    except FileNotFoundError:
        return False


def ensure(name: str) -> bool:
    """Make a namespace with its loopback up unless it exists; answer whether it was made."""
    if exists(name):
        return False
    if os.path.lexists(path(name)):                  # left over from a crash or a reboot: a name without a namespace
        os.unlink(path(name))
    _run(["ip", "netns", "add", name])
    _run(["ip", "-netns", name, "link", "set", "dev", "lo", "up"])
    return True


def delete(name: str) -> bool:
    """Remove a namespace with all interfaces in it; answer whether there was one. It lives on while a process is in it."""
    if not os.path.lexists(path(name)):
        return False
    _run(["ip", "netns", "delete", name])
    return True


def path(name: str) -> str:
    """Answer the file by which a namespace is entered. Raises NovalikeError for what is no name."""
    if not _NAME.fullmatch(name) or name in {".", ".."}:
        raise NovalikeError(f"{name!r} is no name of a namespace")
    return f"{FOLDER}/{name}"


def inside(name: str | None, command: list[str]) -> list[str]:
    """Answer the command line which runs a command in a namespace (None: this one)."""
    return command if name is None else ["nsenter", f"--net={path(name)}", *command]


def set_sysctl(values: Mapping[str, str], *, namespace: str | None = None) -> None:
    """Set network parameters, by path below net (`ipv4/ip_forward`)."""
    if namespace is None:
        for name, value in values.items():
            file = f"/proc/sys/net/{name}"
            with open(file, encoding="ascii") as now:
                if now.read().strip() == value:
                    continue
            with open(file, "w", encoding="ascii") as change:
                change.write(value)
    elif values:
        _run(inside(namespace, ["sysctl", "-q", "-w", *(f"net/{name}={value}" for name, value in values.items())]))


def listen(name: str, address: str, port: int, *, backlog: int = 64) -> socket.socket:
    """Answer a TCP socket which listens inside a namespace.

    The calling thread enters the namespace for the few system calls which make the socket and leaves it before anything
    else runs: nothing in between waits, so that no green thread can run in the wrong place.
    """
    return _socket_inside(name, lambda: _listening(address, port, backlog))


def send_datagram(name: str, message: bytes, target: tuple[str, int], *, source: tuple[str, int]) -> None:
    """Send one UDP datagram from inside a namespace."""
    def make() -> socket.socket:
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(source)
        return opened

    with _socket_inside(name, make) as opened:
        opened.sendto(message, target)


def announce(name: str, device: str, address: str) -> None:
    """Tell the neighbours of an interface in a namespace that it has an IPv4 address now (a gratuitous ARP). IPv6 addresses
    and interfaces without a MAC address are passed over: theirs are found anew."""
    if ":" in address:
        return

    def make() -> socket.socket:
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_ARP))
        opened.bind((device, _ETH_ARP))
        return opened

    with _socket_inside(name, make) as opened:
        mac, ip = opened.getsockname()[4], socket.inet_aton(address)
        if len(mac) != 6:
            return
        for operation in (1, 2):                     # some heed a request only, others an answer
            arp = b"\x00\x01\x08\x00\x06\x04" + operation.to_bytes(2, "big") + mac + ip + (b"\xff" * 6 if operation == 2 else bytes(6)) + ip
            opened.send(b"\xff" * 6 + mac + _ETH_ARP.to_bytes(2, "big") + arp)


def _listening(address: str, port: int, backlog: int) -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((address, port))
        opened.listen(backlog)
    except BaseException:
        opened.close()
        raise
    return opened


def _socket_inside(name: str, make: Callable[[], socket.socket]) -> socket.socket:
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        there = os.open(path(name), os.O_RDONLY)
        try:
            _enter(there)
            try:
                return make()
            finally:
                _enter(home)
        finally:
            os.close(there)
    except OSError as error:
        raise NovalikeError("A socket could not be opened in a network namespace.", details=f"{name}: {error}") from error
    finally:
        os.close(home)


def _enter(descriptor: int) -> None:
    if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NovalikeError("A network namespace could not be changed.", details=f"{' '.join(command)}: {error}") from error
    if done.returncode:
        raise NovalikeError("A network namespace could not be changed.", details=f"{' '.join(command)}: {done.stderr.strip()}")
