"""What may leave a guest: only its own MAC and IP addresses, no DHCP answers, no router advertisements.

One table of constant rules over sets; a port's change adds or removes set elements, in one transaction. Frames are checked
where they enter the bridge; frames of taps which are not in the sets (no guests, or guests of another agent) pass. Security groups are not enforced here (yet): what guests may say to each other is not limited.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Iterable
from typing import Any

from novalike.agents.network import names
from novalike.objects.network_state import DesiredNetwork, DesiredPort
from novalike.privileged import nft

LOG = logging.getLogger(__name__)
FAMILY, TABLE = "bridge", "novalike_guard"            # and the owner: every agent has a table of its own
SETS = ("taps", "macs", "addresses", "addresses6")
#: Raised when the rules below change, so that an upgraded agent replaces what an older one made.
_VERSION = 1

_RULES = f"""{{
  set taps {{ type ifname; }}
  set macs {{ type ifname . ether_addr; }}
  set addresses {{ type ifname . ipv4_addr; flags interval; }}
  set addresses6 {{ type ifname . ipv6_addr; flags interval; }}
  chain guests {{
    type filter hook prerouting priority -300; policy accept;
    iifname != @taps accept
    iifname . ether saddr != @macs drop
    ether type arp iifname . arp saddr ether != @macs drop
    ether type arp arp saddr ip 0.0.0.0 accept
    ether type arp iifname . arp saddr ip != @addresses drop
    ether type ip udp sport 67 drop
    ether type ip ip saddr 0.0.0.0 udp sport 68 udp dport 67 accept
    ether type ip iifname . ip saddr != @addresses drop
    ether type ip6 icmpv6 type {{ nd-router-advert, nd-redirect }} drop
    ether type ip6 udp sport 547 drop
    ether type ip6 ip6 saddr {{ ::, fe80::/10 }} accept
    ether type ip6 iifname . ip6 saddr != @addresses6 drop
  }}
  # Every host serves its own guests: DHCP, gateway and metadata never cross a tunnel. Agents agree on that, whose it is.
  chain tunnels {{
    type filter hook forward priority -200; policy accept;
    iifname "{names.INNER}*" oifname "{names.TUNNEL}*" drop
    iifname "{names.TUNNEL}*" oifname "{names.INNER}*" drop
  }}
  chain version_{_VERSION} {{ }}
}}
"""

Elements = dict[str, set[str]]


class Guard:
    """Keeps an owner's table as the ports need it."""

    def __init__(self, owner: str) -> None:
        self._table = f"{TABLE}_{owner}"
        self._present: Elements | None = None        # as far as we know; None: the kernel must be asked

    def ensure(self, wanted: Iterable[DesiredNetwork], *, thorough: bool) -> None:
        """Make the sets hold what these networks' ports need; look at the kernel first if `thorough`. Raises NovalikeError."""
        elements = render(wanted)
        if thorough or self._present is None:
            self._present = self._read()
        script = []
        if self._present is None:
            script.append(f"add table {FAMILY} {self._table}\ndelete table {FAMILY} {self._table}\ntable {FAMILY} {self._table} {_RULES}")
        present = self._present or {name: set() for name in SETS}
        for name in SETS:
            # What is to go goes first: an interval may not overlap one that is there. It is one transaction all the same.
            for verb, changed in (("delete", present[name] - elements[name]), ("add", elements[name] - present[name])):
                if changed:
                    script.append(f"{verb} element {FAMILY} {self._table} {name} {{ {', '.join(sorted(changed))} }}")
        if script:
            self._present = None
            nft.apply("\n".join(script) + "\n")
        self._present = elements

    def _read(self) -> Elements | None:
        found = nft.show(FAMILY, self._table)
        if found is None or not any(item.get("chain", {}).get("name") == f"version_{_VERSION}" for item in found):
            return None
        elements: Elements = {name: set() for name in SETS}
        rules = 0
        for item in found:
            rules += "rule" in item
            if "set" in item and item["set"]["name"] in elements:
                elements[item["set"]["name"]] = {_element(value) for value in item["set"].get("elem", [])}
        return elements if rules == _RULES.count(" drop\n") + _RULES.count(" accept\n") else None

    def remove(self) -> None:
        """Remove the table."""
        self._present = None
        nft.delete(FAMILY, self._table)

    @staticmethod
    def remove_ownerless() -> None:
        """Remove the table which agents had in common when there were no owners."""
        nft.delete(FAMILY, TABLE)


def render(wanted: Iterable[DesiredNetwork]) -> Elements:
    """Answer the elements of each set."""
    elements: Elements = {name: set() for name in SETS}
    for network in wanted:
        for port in network.ports:
            if port.guarded:
                _port(port, elements)
    return elements


def _port(port: DesiredPort, elements: Elements) -> None:
    tap = f'"{port.tap}"'
    elements["taps"].add(tap)
    elements["macs"] |= {f"{tap} . {mac}" for mac in (port.mac, *(mac for _, mac in port.pairs if mac))}
    spans = [ipaddress.ip_network(a, strict=False) for a in (*(a for _, a in port.addresses), *(a for a, _ in port.pairs))]
    for version, name in ((4, "addresses"), (6, "addresses6")):
        ours: Any = [span for span in spans if span.version == version]
        for span in ipaddress.collapse_addresses(ours):
            shown = str(span) if span.prefixlen < span.max_prefixlen else str(span.network_address)
            elements[name].add(f"{tap} . {shown}")


def _element(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    tap, other = value["concat"]
    if isinstance(other, dict):
        other = f"{other['prefix']['addr']}/{other['prefix']['len']}" if "prefix" in other else "-".join(other["range"])
    return f'"{tap}" . {other}'
