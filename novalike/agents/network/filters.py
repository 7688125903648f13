"""Security groups as rules of the packet filter: a chain for each group and direction, as few rules as say the same.

Rules of users are mostly one port for many ranges, or many ports for one: those become one rule with a set. Which rule of a
group lets something pass does not matter, so that rules may be joined and reordered freely.
"""

from __future__ import annotations

import functools
import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from novalike.objects.network_state import DesiredGroup, DesiredMembers, DesiredRule

INGRESS, EGRESS = "ingress", "egress"
#: Numbers of the protocols which Neutron knows by name.
PROTOCOLS = {
    "hopopt": 0, "icmp": 1, "igmp": 2, "ipip": 4, "tcp": 6, "egp": 8, "udp": 17, "dccp": 33, "ipv6-encap": 41, "ipv6-route": 43,
    "ipv6-frag": 44, "rsvp": 46, "gre": 47, "esp": 50, "ah": 51, "icmpv6": 58, "ipv6-icmp": 58, "ipv6-nonxt": 59, "ipv6-opts": 60,
    "ospf": 89, "vrrp": 112, "pgm": 113, "sctp": 132, "udplite": 136,
}
_ICMP = {4: 1, 6: 58}
_WITH_PORTS = {6, 17, 33, 132, 136}
#: Of IPv6, what is a header between others, and not what the packet carries.
_HEADERS = {0, 43, 44, 59, 60}

#: A protocol with its ports (or ICMP type and code): the part of a rule which says nothing of the other side.
_What = tuple[int | None, int | None, int | None]


def chain(group_id: str, direction: str) -> str:
    """Answer the name of a group's chain."""
    return f"{'in' if direction == INGRESS else 'out'}_{group_id.replace('-', '')}"


def members_set(group_id: str, version: int) -> str:
    """Answer the name of the set of the addresses of a group's members."""
    return f"m{version}_{group_id.replace('-', '')}"


@functools.lru_cache(maxsize=4096)
def rules(group: DesiredGroup, direction: str) -> tuple[str, ...]:
    """Answer the rules of a group's chain, the last of which ends it; none when the group lets nothing pass that way."""
    lines = [
        line for version in (4, 6)
        for line in _family([rule for rule in group.rules if (rule.direction, rule.version) == (direction, version)], version, direction)
    ]
    return (*lines, "return") if lines else ()


@functools.lru_cache(maxsize=1024)
def members(group: DesiredMembers, version: int) -> frozenset[str]:
    """Answer the elements of a group's set: no two of them overlap."""
    spans: Any = [span for span in map(_network, group.addresses) if span.version == version]
    return frozenset(shown(span) for span in ipaddress.collapse_addresses(spans))


def remotes(group: DesiredGroup) -> set[str]:
    """Answer the groups which a group's rules name."""
    return {rule.group for rule in group.rules if rule.group}


def shown(span: ipaddress.IPv4Network | ipaddress.IPv6Network) -> str:
    """Answer a range as nft writes it."""
    return str(span) if span.prefixlen < span.max_prefixlen else str(span.network_address)


@functools.lru_cache(maxsize=65536)
def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(text, strict=False)


def _family(found: Iterable[DesiredRule], version: int, direction: str) -> Iterator[str]:
    remote_of: dict[_What, set[str | None]] = {}
    for rule in found:
        protocol = _number(rule.protocol, version)
        if protocol not in {*_WITH_PORTS, _ICMP[version]}:
            what: _What = (protocol, None, None)
        else:
            what = (protocol, rule.first, rule.last)
        remote_of.setdefault(what, set()).add((rule.group and f"@{members_set(rule.group, version)}") or _prefix(rule.prefix))
    if None in remote_of.get((None, None, None), ()):
        remote_of = {(None, None, None): {None}}             # everything from everywhere
    whats_of: dict[frozenset[str], list[_What]] = defaultdict(list)
    for what, given in remote_of.items():
        whats_of[_joined(given)].append(what)
    side = f"{'ip' if version == 4 else 'ip6'} {'saddr' if direction == INGRESS else 'daddr'}"
    for given_remotes, whats in sorted(whats_of.items(), key=lambda item: sorted(item[0])):
        spans = sorted(remote for remote in given_remotes if not remote.startswith("@"))
        froms = [f"{side} {remote} " for remote in sorted(given_remotes) if remote.startswith("@")]
        if spans:
            froms.append(f"{side} {_either(spans)} ")
        for who in froms or [""]:
            for matched in _matches(whats, version):
                yield f"ether type ip{'6' if version == 6 else ''} {who}{matched}accept"


def _joined(remotes_given: set[str | None]) -> frozenset[str]:
    """Answer the same addresses in fewer remotes; none means all."""
    if None in remotes_given:
        return frozenset()
    spans: Any = [_network(remote) for remote in remotes_given if remote and not remote.startswith("@")]
    return frozenset(map(shown, ipaddress.collapse_addresses(spans))) | {r for r in remotes_given if r and r.startswith("@")}


def _matches(whats: Iterable[_What], version: int) -> Iterator[str]:
    """Answer what one rule each says of the protocol, for the same remote."""
    ports: dict[int, list[tuple[int, int]]] = defaultdict(list)
    whole: set[int] = set()
    types = []
    for protocol, first, last in whats:
        if protocol is None:
            yield ""
            return                                           # which is everything
        if first is None:
            whole.add(protocol)
        elif protocol in _WITH_PORTS:
            ports[protocol].append((first, first if last is None else last))
        else:
            types.append((protocol, first, last))
    for protocol in sorted(whole):
        yield f"ip6 nexthdr {protocol} " if version == 6 and protocol in _HEADERS else f"meta l4proto {protocol} "
    for protocol, ranges in sorted(ports.items()):
        if protocol not in whole:
            yield f"meta l4proto {protocol} th dport {_either(_merged(ranges))} "
    word = "icmp" if version == 4 else "icmpv6"
    for protocol, first, last in sorted(types, key=str):
        if protocol not in whole and (last is None or (protocol, first, None) not in types):
            yield f"{word} type {first} " + ("" if last is None else f"{word} code {last} ")


def _merged(ranges: Iterable[tuple[int, int]]) -> list[str]:
    """Answer ranges of ports of which no two overlap or touch."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return [str(low) if low == high else f"{low}-{high}" for low, high in merged]


def _either(values: list[str]) -> str:
    return values[0] if len(values) == 1 else f"{{ {', '.join(values)} }}"


def _number(protocol: str | None, version: int) -> int | None:
    if protocol is None or protocol == "any":
        return None
    number = PROTOCOLS[protocol] if protocol in PROTOCOLS else int(protocol)
    return _ICMP[version] if number in _ICMP.values() else number


def _prefix(prefix: str | None) -> str | None:
    return None if prefix is None or _network(prefix).prefixlen == 0 else shown(_network(prefix))
