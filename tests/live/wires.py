"""What is beside the hosts of a cloud on live tests: the world outside, and what passes a guest's network card."""

from __future__ import annotations

import contextlib
import socket
import subprocess
from pathlib import Path

from devstack import nodes
from novalike.privileged import namespaces
from tests.live.clouds import Cloud

#: Where a router's side of the world is: the address of the world in it, and its range.
WORLD, RANGE = "172.24.4.1", "172.24.4.0/24"


def _ip(*words: str, check: bool = True) -> None:
    subprocess.run(["ip", *words], capture_output=True, check=check, timeout=30)


def node_namespace(cloud: Cloud, number: int) -> str:
    """Answer the network namespace which is a compute host."""
    return f"{nodes.fabric_up(cloud.state).name}-{number}"


class Outside:
    """The world outside: a namespace with WORLD in it, joined to the interface `wire` of each host (the physical network
    `public`, as its `[network] physical_interfaces` say)."""

    def __init__(self, cloud: Cloud) -> None:
        self.namespace = f"{nodes.fabric_up(cloud.state).name}-out"
        _ip("netns", "add", self.namespace)
        for line in ("link set lo up", "link add world type bridge forward_delay 0", f"addr add {WORLD}/24 dev world", "link set world up"):
            _ip("-n", self.namespace, *line.split())
        for number in range(1, cloud.stack.settings.computes + 1):
            node = node_namespace(cloud, number)
            _ip("-n", node, "link", "add", "wire", "type", "veth", "peer", "name", f"host{number}", "netns", self.namespace)
            _ip("-n", node, "link", "set", "wire", "up")
            _ip("-n", self.namespace, "link", "set", f"host{number}", "master", "world", "up")

    def ssh(self, address: str, key: Path, command: str) -> str:
        """Log in to a guest from out there; answer what a command prints in it, or nothing when it does not let us in (or its
        address is moved away meanwhile: a client which just waits is not told)."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return subprocess.run([
                "nsenter", f"--net=/run/netns/{self.namespace}", "ssh", "-i", str(key), "-o", "StrictHostKeyChecking=no", "-o",
                "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=2", "-o", "BatchMode=yes", f"root@{address}", command,
            ], capture_output=True, text=True, timeout=8, check=False).stdout.strip()
        return ""

    def reads(self, address: str, port: int) -> str:
        """Answer what a server of TCP says to somebody out there; nothing when there is no way to it."""
        with namespaces._socket_inside(self.namespace, socket.socket) as opened, contextlib.suppress(OSError):
            opened.settimeout(2)
            opened.connect((address, port))
            return opened.recv(100).decode().strip()
        return ""

    def close(self) -> None:
        """Remove it."""
        _ip("netns", "del", self.namespace, check=False)


class Wiretap:
    """Frames which pass an interface of a host, both ways, from now on."""

    def __init__(self, namespace: str, device: str) -> None:
        self._socket = namespaces._socket_inside(namespace, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)))
        self._socket.bind((device, 3))
        self._socket.setblocking(False)

    def frames(self) -> list[bytes]:
        """Answer those which passed since the last time."""
        found = []
        with contextlib.suppress(BlockingIOError):
            while True:
                found.append(self._socket.recv(65536))
        return found

    def close(self) -> None:
        self._socket.close()
