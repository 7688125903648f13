"""Network interfaces of this host and its network namespaces. Need root (CAP_NET_ADMIN)."""

from __future__ import annotations

import json
import logging
import re
import socket
import subprocess
from collections.abc import Sequence
from typing import Any

from novalike.exception import NovalikeError

LOG = logging.getLogger(__name__)
TIMEOUT = 15
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,14}")


def exists(name: str) -> bool:
    """Answer whether this network namespace has an interface of that name.

    Asked of the kernel and not of /sys, which may show another namespace than the one this process is in.
    """
    try:
        return socket.if_nametoindex(checked(name)) > 0
    except OSError:
        return False


def names() -> frozenset[str]:
    """Answer the names of this network namespace's interfaces. Costs next to nothing."""
    return frozenset(name for _, name in socket.if_nameindex())


def is_bridge(name: str) -> bool:
    """Answer whether that interface is a Linux bridge."""
    return exists(name) and any(link.get("linkinfo", {}).get("info_kind") == "bridge" for link in show(device=name))


def ensure_bridge(name: str, *, mtu: int | None = None) -> bool:
    """Make a bridge and bring it up unless it exists; answer whether it was made.

    An existing bridge is left as its owner (the network agent) set it. Raises NovalikeError when something else has the name.
    """
    if is_bridge(name):
        return False
    if exists(name):
        raise NovalikeError(f"{name} exists and is no bridge")
    # No forward delay: without a spanning tree it only keeps a new guest off the network for seconds.
    made = _ip("link", "add", "name", name, *(["mtu", str(mtu)] if mtu else []), "type", "bridge", "forward_delay", "0", fine="File exists")
    _ip("link", "set", "dev", name, "up")
    return made


def ensure_tap(name: str, *, mtu: int | None = None, mac: str | None = None) -> None:
    """Make a tap device which outlives whoever opens it, unless it exists, and bring it up."""
    if not exists(name):
        _ip("tuntap", "add", "dev", name, "mode", "tap", fine="File exists")
    set_up(name, mtu=mtu, mac=mac)


def ensure_pair(name: str, peer: str, *, mtu: int | None = None) -> None:
    """Make two interfaces with a wire between them unless they exist, and bring them up."""
    if not exists(checked(peer)):
        _ip("link", "add", "name", checked(name), "type", "veth", "peer", "name", peer, fine="File exists")
    set_up(name, mtu=mtu)
    set_up(peer, mtu=mtu)


def ensure_vlan(name: str, parent: str, tag: int) -> None:
    """Make the interface of a VLAN of another interface unless it exists, and bring it up."""
    if not exists(name):
        _ip("link", "add", "link", checked(parent), "name", name, "type", "vlan", "id", str(tag), fine="File exists")
    set_up(name)


def set_up(name: str, *, mtu: int | None = None, mac: str | None = None, master: str | None = None) -> None:
    """Bring an interface up, with this size of packets and address, in this bridge."""
    values = {"mtu": str(mtu) if mtu else None, "address": mac, "master": checked(master) if master else None}
    _ip("link", "set", "dev", checked(name), *(word for key, value in values.items() if value for word in (key, value)), "up")


def delete(name: str) -> bool:
    """Remove an interface; answer whether there was one."""
    return exists(name) and _ip("link", "delete", "dev", name, fine="Cannot find device")


def show(namespace: str | None = None, *, device: str | None = None) -> list[dict[str, Any]]:
    """Answer the interfaces of a network namespace (None: this one) with their addresses, as `ip -json` words them.

    With `device` only that one is answered, or none when there is no such interface.
    """
    where = ["dev", checked(device)] if device else []
    done = _run(["ip", *_inside(namespace), "-json", "-details", "address", "show", *where])
    if done.returncode and not (device and "does not exist" in done.stderr):
        raise NovalikeError("Network interfaces could not be listed.", details=done.stderr.strip())
    return [link for link in json.loads(done.stdout or "[]") if link] if not done.returncode else []


def loose() -> set[str]:
    """Answer the names of this network namespace's interfaces which are in no bridge."""
    done = _run(["ip", "-json", "link", "show", "nomaster"])
    if done.returncode:
        raise NovalikeError("Network interfaces could not be listed.", details=done.stderr.strip())
    return {link["ifname"] for link in json.loads(done.stdout or "[]") if link}


def routes(namespace: str | None = None, *, version: int = 4) -> list[dict[str, Any]]:
    """Answer the routes of a network namespace (None: this one), as `ip -json` words them."""
    done = _run(["ip", *_inside(namespace), f"-{version}", "-json", "route", "show"])
    if done.returncode:
        raise NovalikeError("Routes could not be listed.", details=done.stderr.strip())
    return list(json.loads(done.stdout or "[]"))


def forwarding_entries(device: str) -> list[dict[str, Any]]:
    """Answer the forwarding entries of a bridge port, as `bridge -json` words them."""
    done = _run(["bridge", "-json", "fdb", "show", "dev", checked(device)])
    return [] if done.returncode else list(json.loads(done.stdout or "[]"))


def change_forwarding(commands: Sequence[str]) -> None:
    """Run lines of `bridge -batch`; raises NovalikeError at the first that fails."""
    _batch(["bridge", "-batch", "-"], commands)


def change(commands: Sequence[str], *, namespace: str | None = None) -> None:
    """Run lines of `ip -batch` in a network namespace (None: this one); raises NovalikeError at the first that fails."""
    _batch(["ip", *_inside(namespace), "-batch", "-"], commands)


def _batch(command: list[str], lines: Sequence[str]) -> None:
    if not lines:
        return
    text = "\n".join(lines)
    LOG.debug("%s: %s", " ".join(command), text)
    done = _run(command, text + "\n")
    if done.returncode:
        raise NovalikeError("A network interface could not be changed.", details=f"{text}: {done.stderr.strip()}")


def _inside(namespace: str | None) -> list[str]:
    return ["-netns", namespace] if namespace else []


def _run(command: list[str], text: str | None = None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, input=text, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NovalikeError("A network interface could not be changed.", details=f"{' '.join(command)}: {error}") from error


def _ip(*arguments: str, fine: str | None = None) -> bool:
    """Run `ip`. Answers False when it failed with the text which is `fine`; raises NovalikeError for other failures."""
    try:
        done = subprocess.run(["ip", *arguments], capture_output=True, text=True, timeout=TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NovalikeError("A network interface could not be changed.", details=f"ip {' '.join(arguments)}: {error}") from error
    if done.returncode == 0:
        return True
    if fine and fine in done.stderr:
        return False
    raise NovalikeError("A network interface could not be changed.", details=f"ip {' '.join(arguments)}: {done.stderr.strip()}")


def checked(name: str) -> str:
    """Answer the name of an interface; refuse what could be a path or an option instead. Raises NovalikeError."""
    if not _NAME.fullmatch(name):
        raise NovalikeError(f"{name!r} is no interface name")
    return name
