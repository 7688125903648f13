"""The way out: guests reach the world through their namespace's address, and that through the host's own."""

from __future__ import annotations

import hashlib
import logging

from novalike.agents.network import names
from novalike.agents.network.ownership import Ownership
from novalike.objects.network_state import DesiredNetwork
from novalike.privileged import namespaces, nft

LOG = logging.getLogger(__name__)
FAMILY = "inet"
HOST_TABLE = "novalike_nat"                          # and the owner: every agent has a table of its own
INNER_TABLE = "novalike"


class Outside:
    """Keeps address translation on the host and in the namespaces. Tables are replaced only when they differ from before:
    what they translate already goes on in either case."""

    def __init__(self, ownership: Ownership, *, transit: str, nat: bool, host_access: bool) -> None:
        self._table = f"{HOST_TABLE}_{ownership.owner}"
        self._group = ownership.group
        self._transit = transit
        self._nat = nat
        self._on = nat or host_access

    def ensure_host(self) -> None:
        """Make the host forward and translate for all namespaces. Raises NovalikeError."""
        if not self._on:
            return
        namespaces.set_sysctl({"ipv4/ip_forward": "1"})
        # What crosses a bridge comes by here too (br_netfilter), and must arrive as it was sent.
        rules = f'    ip saddr {self._transit} oifname != "{names.OUTER}*" oifname != "{names.BRIDGE}*" masquerade\n' if self._nat else ""
        self._ensure(self._table, None, (
            f"  chain postrouting {{\n    type nat hook postrouting priority 100; policy accept;\n{rules}  }}\n"
            # The host has routes to several networks, maybe of several clouds; it must not become a way from one to another.
            "  chain forward {\n    type filter hook forward priority 0; policy accept;\n"
            f'    iifname "{names.OUTER}*" oifname "{names.OUTER}*" drop\n'
            f"{'' if self._nat else self._answers_only()}  }}\n"
        ))

    def _answers_only(self) -> str:
        return f"    iifgroup {self._group} ct state established,related accept\n    iifgroup {self._group} drop\n"

    def ensure_namespace(self, network: DesiredNetwork, namespace: str) -> None:
        """Make a network's namespace let its guests, and nobody else, out. Raises NovalikeError."""
        if not self._on:
            return
        spans = ", ".join(sorted(subnet.cidr for subnet in network.subnets if subnet.version == 4))
        out = f'    oifname "{names.WAN}" ip saddr {{ {spans} }} masquerade\n' if spans else ""
        only = f'    iifname "{names.LAN}" oifname "{names.WAN}" ip saddr != {{ {spans} }} drop\n' if spans else ""
        if network.routed:
            # The router is the way out, if it is one; and what the host sends must be answered to here, not there.
            out = f'    oifname "{names.LAN}" masquerade\n'
            only = f'    iifname "{names.LAN}" oifname "{names.WAN}" ct state new drop\n'
        self._ensure(INNER_TABLE, namespace, (
            f"  chain postrouting {{\n    type nat hook postrouting priority 100; policy accept;\n{out}  }}\n"
            f"  chain forward {{\n    type filter hook forward priority 0; policy accept;\n{only}  }}\n"
        ))

    def _ensure(self, table: str, namespace: str | None, chains: str) -> None:
        mark = f"is_{hashlib.sha256(chains.encode()).hexdigest()[:16]}"       # an empty chain whose name says what was loaded
        present = nft.show(FAMILY, table, namespace=namespace)
        if present is not None:
            found = {item["chain"]["name"] for item in present if "chain" in item}
            rules = sum("rule" in item for item in present)
            if mark in found and rules == chains.count("\n    ") - 2:
                return
        nft.apply(
            f"add table {FAMILY} {table}\ndelete table {FAMILY} {table}\ntable {FAMILY} {table} {{\n{chains}  chain {mark} {{ }}\n}}\n",
            namespace=namespace,
        )

    def remove_host(self) -> None:
        """Remove the host's table."""
        nft.delete(FAMILY, self._table)

    @staticmethod
    def remove_ownerless() -> None:
        """Remove the table which agents had in common when there were no owners."""
        nft.delete(FAMILY, HOST_TABLE)

