"""Security groups and port security as rules of the packet filter; that the kernel takes them, and what passes then, is in
tests/live/test_security_groups.py."""

from __future__ import annotations

import ipaddress
import random
from dataclasses import dataclass, replace
from typing import Any

import pytest

from novalike.agents.network import filters, guard
from novalike.agents.network.firewall import bridge, tracking
from novalike.agents.network.tables import Contents, Present, Table, present
from novalike.objects.network_state import (
    DesiredGroup,
    DesiredMembers,
    DesiredNetwork,
    DesiredPort,
    DesiredRule,
)

WEB, DB = "0a1b2c3d-4e5f-4000-8000-000000000001", "1a1b2c3d-4e5f-4000-8000-000000000002"
MEMBERS = DesiredMembers(id=DB, revision=1, addresses=("10.0.0.5", "10.0.1.0/24", "10.0.1.7", "fd00::5"))


@dataclass(frozen=True)
class Packet:
    remote: str
    protocol: int
    first: int | None = None                     # port, or ICMP type
    last: int | None = None                      # ICMP code

    @property
    def version(self) -> int:
        return ipaddress.ip_address(self.remote).version


def allowed(rule: DesiredRule, packet: Packet) -> bool:
    """What Neutron's documentation says of one rule."""
    if rule.version != packet.version:
        return False
    remotes = MEMBERS.addresses if rule.group else [rule.prefix] if rule.prefix else []
    if remotes and not any(ipaddress.ip_address(packet.remote) in ipaddress.ip_network(remote) for remote in remotes):
        return False
    if rule.protocol is None:
        return True
    number = filters.PROTOCOLS.get(rule.protocol) or int(rule.protocol)
    if number in (1, 58):
        number = 58 if rule.version == 6 else 1
    if number != packet.protocol:
        return False
    if rule.first is None:
        return True
    if number in (1, 58):
        return rule.first == packet.first and rule.last in (None, packet.last)
    return packet.first is not None and rule.last is not None and rule.first <= packet.first <= rule.last


def accepted(line: str, packet: Packet) -> bool:
    """What nft makes of one line, as far as `filters` uses its language."""
    words = line.replace("{ ", "{").replace(", ", ",").replace(" }", "}").split()
    if words == ["return"]:
        return False
    assert words.pop() == "accept"
    facts = {
        "ether type": "ip6" if packet.version == 6 else "ip", "meta l4proto": packet.protocol, "ip6 nexthdr": packet.protocol,
        "icmp type": packet.first if packet.protocol == 1 else None, "icmp code": packet.last,
        "icmpv6 type": packet.first if packet.protocol == 58 else None, "icmpv6 code": packet.last, "th dport": packet.first,
        "ip saddr": packet.remote, "ip6 saddr": packet.remote,
    }
    return all(
        _is(facts[f"{words[at]} {words[at + 1]}"], words[at + 2].strip("{}").split(",")) for at in range(0, len(words), 3)
    )


def _is(fact: Any, wanted: list[str]) -> bool:
    for value in wanted:
        if value.startswith("@"):
            version = int(value[2])
            if _is(fact, sorted(filters.members(MEMBERS, version))):
                return True
        elif isinstance(fact, str) and fact[:2] != "ip":
            span = ipaddress.ip_network(value)
            if ipaddress.ip_address(fact) in span:
                return True
        elif isinstance(fact, int) and "-" in value:
            low, high = value.split("-")
            if int(low) <= fact <= int(high):
                return True
        elif str(fact) == value:
            return True
    return False


@pytest.mark.parametrize("seed", range(20))
def test_fewer_rules_say_the_same(seed: int) -> None:
    chance = random.Random(seed)

    def rule() -> DesiredRule:
        version = chance.choice((4, 4, 6))
        protocol = chance.choice((None, "tcp", "tcp", "udp", "icmp", "132", "50", "ipv6-icmp" if version == 6 else "1"))
        first = last = None
        if protocol in ("tcp", "udp", "132") and chance.random() < 0.8:
            first = chance.randrange(1, 40)
            last = first + chance.randrange(0, 10)
        elif protocol in ("icmp", "1", "ipv6-icmp") and chance.random() < 0.8:
            first, last = chance.randrange(3), chance.choice((None, 0, 1))
        remote: dict[str, str] = chance.choice((
            {}, {"group": DB}, {"prefix": f"10.0.{chance.randrange(3)}.0/{chance.choice((22, 24, 25))}" if version == 4 else "fd00::/64"},
            {"prefix": "0.0.0.0/0" if version == 4 else "::/0"},
        ))
        if version == 4 and "/22" in remote.get("prefix", ""):
            remote = {"prefix": "10.0.0.0/22"}
        return DesiredRule(direction="ingress", version=version, protocol=protocol, first=first, last=last, **remote)

    group = DesiredGroup(id=WEB, revision=1, rules=tuple(rule() for _ in range(chance.randrange(1, 25))))
    lines = filters.rules(group, filters.INGRESS)
    for _ in range(400):
        protocol = chance.choice((1, 6, 17, 50, 58, 132))
        packet = Packet(
            remote=chance.choice((f"10.0.{chance.randrange(4)}.{chance.choice((5, 7, 200))}", f"fd00::{chance.randrange(4, 7)}", "fd01::5")),
            protocol=protocol, first=None if protocol == 50 else chance.randrange(3) if protocol in (1, 58) else chance.randrange(1, 52),
            last=chance.randrange(2) if protocol in (1, 58) else None,
        )
        expected = any(allowed(one, packet) for one in group.rules)
        assert any(accepted(line, packet) for line in lines) == expected, (packet, group.rules, lines)


def test_what_users_mostly_write_becomes_one_rule() -> None:
    ranges = [DesiredRule(direction="ingress", protocol="tcp", first=22, last=22, prefix=f"10.{number}.0.0/16") for number in range(0, 256, 2)]
    lines = filters.rules(DesiredGroup(id=WEB, revision=1, rules=tuple(ranges)), filters.INGRESS)
    assert len(lines) == 2, "one rule with a set, and the end"
    ports = [DesiredRule(direction="egress", protocol="udp", first=port, last=port) for port in (53, 54, 123)]
    assert filters.rules(DesiredGroup(id=WEB, revision=1, rules=tuple(ports)), filters.EGRESS) == (
        "ether type ip meta l4proto 17 th dport { 53-54, 123 } accept", "return",
    )


def port(number: int = 5, **values: Any) -> DesiredPort:
    return DesiredPort(**{
        "id": f"p{number}", "tap": f"tap{number}", "mac": f"fa:16:3e:00:00:{number:02x}", "addresses": (("s", f"10.0.0.{number}"),),
        "groups": (WEB,), **values,
    })


def network(*ports: DesiredPort, name: str = "nlb0") -> DesiredNetwork:
    return DesiredNetwork(id=name, bridge=name, ports=ports)


SSH = DesiredGroup(id=WEB, revision=1, rules=(
    DesiredRule(direction="ingress", protocol="tcp", first=22, last=22), DesiredRule(direction="ingress", group=DB),
))


def test_a_guarded_port_sends_from_its_own_addresses_and_pairs_only() -> None:
    paired = port(pairs=(("10.0.0.128/25", ""), ("10.0.0.9", "fa:16:3e:aa:aa:aa"), ("fd00::/64", "")))
    elements = guard.elements(paired)
    assert elements["macs"] == {"tap5 . fa:16:3e:00:00:05", "tap5 . fa:16:3e:aa:aa:aa"}
    assert elements["addresses"] == {
        "tap5 . fa:16:3e:00:00:05 . 10.0.0.5", "tap5 . fa:16:3e:00:00:05 . 10.0.0.128/25", "tap5 . fa:16:3e:aa:aa:aa . 10.0.0.9",
    }, "an address goes with its own MAC address"
    assert "tap5 . fa:16:3e:00:00:05 . fe80::f816:3eff:fe00:5" in elements["addresses6"]
    assert "tap5 . 0xfd000000000000000000000000000000-0xfd00000000000000ffffffffffffffff" in elements["targets"]


def test_ports_of_the_same_groups_share_their_chains() -> None:
    contents = bridge([network(port(5), port(6), port(7, groups=()))], {WEB: SSH}, {DB: MEMBERS})
    ways = dict(element.split(" : ") for element in contents.elements["to_guest"])
    assert ways["tap5"] == ways["tap6"] != ways["tap7"]
    shared, alone = (contents.chains[ways[tap].removeprefix("goto ")] for tap in ("tap5", "tap7"))
    assert f"jump {filters.chain(WEB, 'ingress')}" in shared
    assert shared[-1] == alone[-1] == "drop"
    assert not [line for line in alone if line.startswith("jump") and line != "jump always_to"]
    assert filters.chain(WEB, "egress") not in contents.chains, "nothing may go out by this group"
    assert contents.elements[filters.members_set(DB, 4)] == {"10.0.0.5", "10.0.1.0/24"}, "what overlaps is joined"
    assert contents.elements[filters.members_set(DB, 6)] == {"fd00::5"}


def test_unprotected_and_disabled_ports_and_unknown_groups() -> None:
    contents = bridge([network(port(5, guarded=False), port(6, up=False), port(7))], {}, {})
    assert contents.elements["unprotected"] == {"tap5"}
    assert contents.elements["taps"] == {"tap6", "tap7"}
    ways = dict(element.split(" : ") for element in contents.elements["from_guest"])
    assert ways["tap6"] == "goto closed"
    assert "tap5" not in ways
    assert contents.chains[ways["tap7"].removeprefix("goto ")][-1] == "drop", "a group which is not known lets nothing pass"


def test_stateless_groups_get_no_answers_let_in() -> None:
    for stateful in (True, False):
        contents = bridge([network(port())], {WEB: replace(SSH, stateful=stateful)}, {DB: MEMBERS})
        way = next(iter(contents.elements["to_guest"])).partition("goto ")[2]
        assert any("0x01000000" in line for line in contents.chains[way]) is stateful


def test_networks_keep_their_zones_and_share_none() -> None:
    first = tracking([network(name="nlb1"), network(name="nlb2")], None)
    kept = dict(element.split(" : ") for element in first.elements["zones"])
    clash = present(Contents(elements={"zones": frozenset({f"nlb9 : {kept['nlb2']}", "nlb1 : 77"})}))
    again = dict(element.split(" : ") for element in tracking([network(name=name) for name in ("nlb1", "nlb2", "nlb9")], clash).elements["zones"])
    assert again["nlb1"] == "77"
    assert again["nlb9"] == kept["nlb2"] != again["nlb2"]
    assert all(1 <= int(zone) <= 65535 for zone in again.values())


TABLE = Table(
    family="bridge", name="t", text="  set s { type ifname; }\n  chain base {\n    type filter hook forward priority 0;\n    drop\n  }\n",
    sets=frozenset({"s"}), chains=frozenset({"base"}),
)
BEFORE = Contents(
    elements={"s": frozenset({"a", "b : goto one"}), "m": frozenset({"10.0.0.1"})}, declared={"m": "type ipv4_addr;"},
    chains={"one": ("accept", "drop"), "two": ("drop",)},
)


def test_only_what_differs_is_changed() -> None:
    assert TABLE.script(present(BEFORE), BEFORE) == ""
    after = replace(BEFORE, elements={**BEFORE.elements, "s": frozenset({"a", "c"})})
    assert TABLE.script(present(BEFORE), after).splitlines() == ["delete element bridge t s { b }", "add element bridge t s { c }"]
    changed = TABLE.script(present(BEFORE), replace(BEFORE, chains={**BEFORE.chains, "one": ("accept", "return")}))
    assert "flush chain bridge t one" in changed
    assert "two" not in changed
    gone = TABLE.script(present(BEFORE), Contents(elements={"s": BEFORE.elements["s"]})).splitlines()
    assert gone == [
        "flush chain bridge t one", "flush chain bridge t two", "delete chain bridge t one", "delete chain bridge t two", "delete set bridge t m",
    ], "rules go before the sets and chains they name"


def test_what_the_kernel_lists_is_compared_by_what_was_loaded() -> None:
    prints = BEFORE.prints()
    listing: list[dict[str, Any]] = [
        {"chain": {"name": "base"}}, {"rule": {"chain": "base"}}, {"chain": {"name": TABLE.version}},
        {"set": {"name": "s", "elem": ["a"]}}, {"map": {"name": "v", "elem": [["b", {"goto": {"target": "one"}}]]}},
        {"set": {"name": "m", "elem": [{"prefix": {"addr": "10.0.0.0", "len": 8}}, {"concat": ["tap1", {"range": ["1", "2"]}]}]}},
        {"chain": {"name": "one"}}, {"rule": {"chain": "one"}}, {"rule": {"chain": "one", "comment": prints["one"].split()[1]}},
    ]
    found = TABLE.read(listing)
    assert found == Present(
        elements={"s": frozenset({"a"}), "v": frozenset({"b : goto one"}), "m": frozenset({"10.0.0.0/8", "tap1 . 1-2"})},
        chains={"one": prints["one"]},
    )
    assert TABLE.read(None) is None
    assert TABLE.read(listing[:1] + listing[2:]) is None, "a rule of ours was removed"
    assert TABLE.read(listing[:2] + listing[3:]) is None, "another version made it"
    assert TABLE.script(None, BEFORE).startswith("add table bridge t\ndelete table bridge t\ntable bridge t {")


def test_a_ports_limits_are_chains_of_its_own() -> None:
    def contents(*limits: tuple[str, int]) -> Contents:
        port = DesiredPort(id="aaaa-bb", tap="tapaaaa-bb", mac="fa:16:3e:00:00:01", guarded=False, bandwidth=limits)
        return bridge([DesiredNetwork(id="n", bridge="nlbn", ports=(port,))], {}, {})

    free, both = contents(), contents(
        ("inbound_average", 1000), ("inbound_peak", 3000), ("inbound_burst", 500), ("outbound_average", 20), ("outbound_peak", 10),
    )
    assert (free.chains, free.elements["limit_from"], free.elements["limit_to"]) == ({}, frozenset(), frozenset())
    assert both.chains == {
        "limit_to_aaaabb": (
            "limit rate over 3000 kbytes/second burst 0 kbytes drop", "limit rate over 1000 kbytes/second burst 500 kbytes drop",
        ),
        "limit_from_aaaabb": ("limit rate over 20 kbytes/second burst 108 kbytes drop",),
    }, "no peak below the average, and no bucket which the largest packet does not fit in"
    assert both.elements["limit_to"] == {"tapaaaa-bb : jump limit_to_aaaabb"}
