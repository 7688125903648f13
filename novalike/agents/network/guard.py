"""What may leave a guest: only its own MAC and IP addresses, no DHCP answers, no router advertisements.

Frames are checked where they enter the bridge, by constant rules over sets; a port's change adds or removes elements. Frames of
taps which are not in the sets (no guests, unprotected ports, or guests of another agent) pass.
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Iterable
from typing import Any

from novalike.agents.network.filters import shown
from novalike.objects.network_state import DesiredPort

SETS = frozenset({"taps", "macs", "addresses", "addresses6", "targets"})
CHAINS = frozenset({"guests", "to_host"})

# A guest's frame for the bridge itself is for nobody: the host has no address there, but would answer for those it has
# elsewhere, and forward what it is sent.
TEXT = """\
  set taps { type ifname; }
  set macs { type ifname . ether_addr; }
  set addresses { type ifname . ether_addr . ipv4_addr; flags interval; }
  set addresses6 { type ifname . ether_addr . ipv6_addr; flags interval; }
  set targets { typeof iifname . @th,64,128; flags interval; }
  chain guests {
    type filter hook prerouting priority -300; policy accept;
    iifname != @taps accept
    iifname . ether saddr != @macs drop
    ether type arp iifname . arp saddr ether != @macs drop
    ether type arp arp saddr ip 0.0.0.0 accept
    ether type arp iifname . arp saddr ether . arp saddr ip != @addresses drop
    ether type arp accept
    ether type ip udp sport 67 drop
    ether type ip ip saddr 0.0.0.0 udp sport 68 udp dport 67 accept
    ether type ip iifname . ether saddr . ip saddr != @addresses drop
    ether type ip accept
    ether type != ip6 drop
    icmpv6 type { nd-router-advert, nd-redirect } drop
    udp sport 547 drop
    icmpv6 type nd-neighbor-advert iifname . @th,64,128 != @targets drop
    ip6 saddr :: icmpv6 type { nd-router-solicit, nd-neighbor-solicit, mld-listener-report, mld2-listener-report } accept
    iifname . ether saddr . ip6 saddr != @addresses6 drop
  }
  chain to_host {
    type filter hook input priority -200; policy accept;
    iifname @taps drop
  }
"""


@functools.lru_cache(maxsize=16384)
def elements(port: DesiredPort) -> dict[str, frozenset[str]]:
    """Answer what a guarded port adds to each set."""
    spans: dict[str, list[ipaddress.IPv4Network | ipaddress.IPv6Network]] = {port.mac: [
        *(ipaddress.ip_network(address, strict=False) for _, address in port.addresses), _link_local(port.mac),
    ]}
    for address, mac in port.pairs:
        spans.setdefault(mac or port.mac, [_link_local(mac)] if mac else []).append(ipaddress.ip_network(address, strict=False))
    four, six, targets = set(), set(), []
    for mac, found in spans.items():
        for span in _collapsed(found, 4):
            four.add(f"{port.tap} . {mac} . {shown(span)}")
        for span in _collapsed(found, 6):
            six.add(f"{port.tap} . {mac} . {shown(span)}")
            targets.append(span)
    return {
        "taps": frozenset({port.tap}), "macs": frozenset(f"{port.tap} . {mac}" for mac in spans), "addresses": frozenset(four),
        "addresses6": frozenset(six), "targets": frozenset(f"{port.tap} . {_hex(span)}" for span in _collapsed(targets, 6)),
    }


def _collapsed(found: Iterable[Any], version: int) -> Iterable[Any]:
    spans: Any = [span for span in found if span.version == version]
    return ipaddress.collapse_addresses(spans)


def _link_local(mac: str) -> ipaddress.IPv6Network:
    """Answer the address which a guest makes itself of its MAC address."""
    octets = bytes.fromhex(mac.replace(":", ""))
    identifier = bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:]
    return ipaddress.IPv6Network((b"\xfe\x80" + bytes(6) + identifier, 128))


def _hex(span: Any) -> str:
    first, last = int(span.network_address), int(span.broadcast_address)
    return f"0x{first:032x}" if first == last else f"0x{first:032x}-0x{last:032x}"
