"""Packet filter tables. Need root (CAP_NET_ADMIN)."""

from __future__ import annotations

import json
import logging
import os
import subprocess
from typing import Any

from novalike.exception import NovalikeError
from novalike.privileged import namespaces

LOG = logging.getLogger(__name__)
TIMEOUT = 30
_BRIDGED = "/proc/sys/net/bridge"


def show(family: str, table: str, *, namespace: str | None = None) -> list[dict[str, Any]] | None:
    """Answer a table's objects as `nft -j` words them, or None when there is no such table."""
    done = _run(namespaces.inside(namespace, ["nft", "-j", "list", "table", family, table]))
    if done.returncode:
        if "No such file or directory" in done.stderr:
            return None
        raise NovalikeError("The packet filter could not be read.", details=done.stderr.strip())
    return list(json.loads(done.stdout)["nftables"])


def tables() -> set[tuple[str, str]]:
    """Answer the tables of this network namespace, as (family, name)."""
    done = _run(["nft", "-j", "list", "tables"])
    if done.returncode:
        raise NovalikeError("The packet filter could not be read.", details=done.stderr.strip())
    found = (item["table"] for item in json.loads(done.stdout)["nftables"] if "table" in item)
    return {(table["family"], table["name"]) for table in found}


def apply(script: str, *, namespace: str | None = None) -> None:
    """Run an nft script in one transaction: all of it takes effect, or nothing."""
    LOG.debug("nft in %s: %s", namespace or "this namespace", script)
    done = _run(namespaces.inside(namespace, ["nft", "-f", "-"]), script)
    if done.returncode:
        raise NovalikeError("The packet filter could not be changed.", details=f"{script}: {done.stderr.strip()}")


def delete(family: str, table: str, *, namespace: str | None = None) -> None:
    """Remove a table. Fine when there is none."""
    apply(f"add table {family} {table}\ndelete table {family} {table}\n", namespace=namespace)


def require_bridged() -> None:
    """Make sure that the kernel can hand bridged packets to connection tracking. Raises NovalikeError."""
    if os.path.isdir(_BRIDGED):
        return
    _run(["modprobe", "br_netfilter"])
    if not os.path.isdir(_BRIDGED):
        raise NovalikeError("This kernel cannot track connections across bridges: it has no br_netfilter.")
    # It was us who brought this, and only for our own bridges, which say so each by itself.
    for name in ("arptables", "iptables", "ip6tables"):
        with open(f"{_BRIDGED}/bridge-nf-call-{name}", "w") as file:
            file.write("0")


def _run(command: list[str], text: str | None = None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, input=text, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NovalikeError("The packet filter could not be changed.", details=f"{' '.join(command)}: {error}") from error
