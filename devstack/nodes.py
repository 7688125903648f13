"""Pretended compute hosts on one machine: each a network namespace on a common bridge, with its own libvirtd.

A node also has a mount namespace in which /run/netns is its own, so that the network agents of two nodes may use the same
names. Its daemons reach the control plane at the bridge's address in the caller's namespace.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from devstack import libvirtd, processes


@dataclass(frozen=True)
class Fabric:
    """The wire between nodes and control plane: a bridge named after the state directory, with 172.31.NET.254/24 on it."""

    name: str
    network: int

    @property
    def address(self) -> str:
        """Where nodes reach the control plane."""
        return f"172.31.{self.network}.254"

    def node_address(self, number: int) -> str:
        """Where node `number` is reached."""
        return f"172.31.{self.network}.{number}"


@dataclass(frozen=True)
class Node:
    """One pretended host. `enter` is put before a command which shall run in it."""

    name: str
    address: str
    libvirt_uri: str
    enter: tuple[str, ...]


def _ip(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["ip", *words], check=check, capture_output=True, text=True, timeout=30)


def fabric_up(state: Path) -> Fabric:
    """Make the bridge; fine when it is there."""
    digest = hashlib.sha256(str(state.resolve()).encode()).digest()
    fabric = Fabric(f"nlf{digest.hex()[:8]}", digest[4])
    if _ip("link", "show", fabric.name, check=False).returncode != 0:
        _ip("link", "add", fabric.name, "type", "bridge", "forward_delay", "0")
    _ip("addr", "replace", f"{fabric.address}/24", "dev", fabric.name)
    _ip("link", "set", fabric.name, "up")
    return fabric


def fabric_down(fabric: Fabric) -> None:
    """Remove the bridge; fine when it is gone."""
    _ip("link", "del", fabric.name, check=False)


def up(fabric: Fabric, state: Path, number: int) -> Node:
    """Bring up node `number` (1 to 250) with its libvirtd; fine when it is up. About 1.5 s, the first ever a second more."""
    name = f"{fabric.name}-{number}"
    address = fabric.node_address(number)
    home = state / f"node{number}"
    home.mkdir(parents=True, exist_ok=True)
    if name not in _ip("netns", "list").stdout.split():
        outside = f"{fabric.name}v{number}"[-15:]
        _ip("netns", "add", name)
        _ip("-n", name, "link", "set", "lo", "up")
        _ip("link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("link", "set", outside, "master", fabric.name, "up")
        _ip("-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
        _ip("-n", name, "link", "set", "eth0", "up")
        _ip("-n", name, "route", "add", "default", "via", fabric.address)
    holder = processes.read_pid(home / "holder.pid")
    if holder is None:
        holder = processes.start("holder", [
            "nsenter", f"--net=/run/netns/{name}", "unshare", "--mount", "--propagation", "private", "sh", "-c",
            'mkdir -p /run/netns && mount -t tmpfs -o mode=755 tmpfs /run/netns && touch "$0" && exec sleep infinity', str(home / "ready"),
        ], home)
        processes.wait_for(f"node {number}", (home / "ready").exists, timeout=10, log=home / "holder.log", pid=holder)
    uri = libvirtd.start(home / "libvirt", network_namespace=name, hostname=f"node{number}")
    return Node(name, address, uri, ("nsenter", f"--target={holder}", "--net", "--mount", "--"))


def down(fabric: Fabric, state: Path, number: int) -> None:
    """End a node's guests, libvirtd and namespaces; what it stored goes with it."""
    home = state / f"node{number}"
    libvirtd.stop(home / "libvirt")
    processes.stop(home / "holder.pid")
    _ip("netns", "del", f"{fabric.name}-{number}", check=False)
    shutil.rmtree(home, ignore_errors=True)
