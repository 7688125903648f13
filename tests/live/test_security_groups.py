"""What passes between guests, and what a guest may pretend to be: the agent and the kernel's packet filter on a host of its own.

Guests are namespaces at the other end of a veth pair (see test_network_agent); what they send is made by hand where no honest
guest would send it.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest

from novalike.objects.network_state import DesiredGroup, DesiredMembers, DesiredNetwork, DesiredPort, DesiredRule
from novalike.privileged import namespaces
from tests.live.test_network_agent import OPEN, Lab, configure, dhcp, ping, run, until

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]
WEB, CLIENTS, QUIET = ("1" * 36, "2" * 36, "3" * 36)
ALL_OUT = (DesiredRule(direction="egress"), DesiredRule(direction="egress", version=6))
EVERYBODY = b"\xff" * 6


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path)
    try:
        yield made
    finally:
        sys.stdout.write(made.log())
        made.close()


def group(lab: Lab, group_id: str, *rules: DesiredRule, stateful: bool = True) -> None:
    """Define a security group, or change it."""
    revision = lab.groups[group_id].revision + 1 if group_id in lab.groups else 1
    lab.groups[group_id] = DesiredGroup(id=group_id, revision=revision, stateful=stateful, rules=rules)


def settle(lab: Lab) -> None:
    """Have the agent apply the desired state, and wait until it did."""
    applied = lab.log().count("port security changed")
    lab.want(*lab.networks.values())
    until("a change of port security", lambda: lab.log().count("port security changed") > applied)


def tcp(port: int, **values: object) -> DesiredRule:
    return DesiredRule(**{"direction": "ingress", "protocol": "tcp", "first": port, "last": port, **values})


def listen(namespace: str, port: int) -> socket.socket:
    def opened() -> socket.socket:
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(("0.0.0.0", port))
        made.listen()
        return made
    return namespaces._socket_inside(namespace, opened)


def connect(namespace: str, address: str, port: int, seconds: float = 0.6) -> socket.socket | None:
    """Open a connection from a guest; answer None when nothing comes back."""
    made = namespaces._socket_inside(namespace, socket.socket)
    made.settimeout(seconds)
    try:
        made.connect((address, port))
    except OSError:
        made.close()
        return None
    made.settimeout(5)
    return made


def passes(namespace: str, address: str, port: int) -> bool:
    made = connect(namespace, address, port)
    if made is not None:
        made.close()
    return made is not None


def say(sender: socket.socket, receiver: socket.socket) -> None:
    sender.sendall(b"still there")
    receiver.settimeout(5)
    assert receiver.recv(100) == b"still there"


def test_groups_let_pass_what_their_rules_say_and_flows_outlive_rules_and_agents(lab: Lab) -> None:
    network = lab.network()
    server, client = lab.port(network, "10.7.0.5", groups=(WEB,)), lab.port(network, "10.7.0.6", groups=(CLIENTS,))
    alone = lab.port(network, "10.7.0.7", groups=())
    group(lab, WEB, tcp(80), *ALL_OUT)
    group(lab, CLIENTS, *ALL_OUT)
    lab.want(replace(network, ports=(server, client, alone)))
    lab.start()
    until("the network", lambda: "1 networks changed" in lab.log())
    guests = {}
    for port in (server, client, alone):
        guests[port.id] = guest = lab.guest(network, port)
        configure(guest, port.addresses[0][1], "10.7.0.1")
    inside, outside, third = (guests[port.id] for port in (server, client, alone))
    assert socket.inet_ntoa(dhcp(third, alone.mac)[0]) == "10.7.0.7", "without any group there is DHCP"
    with contextlib.ExitStack() as stack:
        first, second = (stack.enter_context(listen(inside, port)) for port in (80, 81))
        stack.enter_context(listen(third, 80))
        assert passes(outside, "10.7.0.5", 80)
        assert not passes(outside, "10.7.0.5", 81), "no rule for that port"
        assert not ping(outside, "10.7.0.5"), "no rule for ICMP"
        assert ping(inside, "10.7.0.1"), "answers to what may go out come in"
        assert not passes(third, "10.7.0.5", 80), "nothing goes out without a group"
        assert not passes(outside, "10.7.0.7", 80), "nothing comes in without a group"

        # A rule that names a group follows its members, and a changed rule is in force within 2 s.
        group(lab, WEB, tcp(80), tcp(81, group=CLIENTS), DesiredRule(direction="ingress", protocol="icmp", first=8), *ALL_OUT)
        lab.members[CLIENTS] = DesiredMembers(id=CLIENTS, revision=1, addresses=("10.7.0.99",))
        settle(lab)
        assert ping(outside, "10.7.0.5"), "ICMP of one type"
        assert not passes(outside, "10.7.0.5", 81), "not a member"
        lab.members[CLIENTS] = DesiredMembers(id=CLIENTS, revision=2, addresses=("10.7.0.6", "10.7.0.99"))
        begun = time.monotonic()
        lab.want(*lab.networks.values())
        until("the member's way in", lambda: passes(outside, "10.7.0.5", 81))
        sys.stdout.write(f"a member's way in after {time.monotonic() - begun:.2f} s\n")

        # What was let pass goes on when its rule, the member or the agent goes.
        flow = stack.enter_context(connect(outside, "10.7.0.5", 80) or contextlib.nullcontext())
        other = stack.enter_context(connect(outside, "10.7.0.5", 81) or contextlib.nullcontext())
        first.settimeout(5)
        second.settimeout(5)
        while (far := first.accept()[0]).getpeername() != flow.getsockname():
            far.close()
        while (other_far := second.accept()[0]).getpeername() != other.getsockname():
            other_far.close()
        stack.enter_context(far)
        stack.enter_context(other_far)
        group(lab, WEB, tcp(81, group=CLIENTS), *ALL_OUT)
        lab.members[CLIENTS] = DesiredMembers(id=CLIENTS, revision=3)
        settle(lab)
        assert not passes(outside, "10.7.0.5", 80)
        assert not passes(outside, "10.7.0.5", 81)
        rules = run("nsenter", f"--net=/run/netns/{lab.host}", "nft", "-a", "list", "ruleset")
        lab.kill()
        say(flow, far)
        lab.start()
        until("a look at everything", lambda: lab.log().count("1 networks changed") == 2)
        assert run("nsenter", f"--net=/run/netns/{lab.host}", "nft", "-a", "list", "ruleset") == rules, "nothing was touched"
        say(far, flow)
        say(other, other_far)

        # What another removed is put back; and a group without outgoing rules lets nothing out.
        run("nsenter", f"--net=/run/netns/{lab.host}", "nft", "flush", "ruleset")
        assert passes(third, "10.7.0.5", 80)
        group(lab, CLIENTS)
        settle(lab)
        assert not passes(third, "10.7.0.5", 80)
        assert not ping(outside, "10.7.0.1")
        assert socket.inet_ntoa(dhcp(outside, client.mac)[0]) == "10.7.0.6"
        say(flow, far)

        # The whole port, and the whole network, can be shut; a tap which nobody announced is.
        lab.networks = {network.id: replace(network, ports=(replace(server, up=False), client))}
        group(lab, WEB, tcp(80), *ALL_OUT)
        group(lab, CLIENTS, *ALL_OUT)
        settle(lab)
        assert not ping(inside, "10.7.0.1")
        assert ping(outside, "10.7.0.1")
        assert not ping(third, "10.7.0.1"), "the desired state has no such port (any more)"


class Wire:
    """A guest's network card, from which and to which go frames made by hand."""

    def __init__(self, namespace: str, mac: str) -> None:
        self.mac = bytes.fromhex(mac.replace(":", ""))
        self._socket = namespaces._socket_inside(namespace, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)))
        self._socket.bind(("eth0", 3))

    def send(self, kind: int, payload: bytes, *, to: bytes = EVERYBODY, mac: bytes | None = None) -> None:
        self._socket.send(to + (mac or self.mac) + struct.pack("!H", kind) + payload)

    def received(self, words: bytes, seconds: float) -> set[bytes]:
        """Answer the first byte after `words` of each frame that has them, until one says `.` or the time is over."""
        found: set[bytes] = set()
        give_up = time.monotonic() + seconds
        while b"." not in found and (left := give_up - time.monotonic()) > 0:
            if select.select([self._socket], [], [], left)[0]:
                _, marked, rest = self._socket.recv(2048).partition(words)
                if marked:
                    found.add(rest[:1])
        return found

    def close(self) -> None:
        self._socket.close()


def summed(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data)) if len(data) % 2 == 0 else summed(data + b"\0") ^ 0xFFFF
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def udp4(source: str, payload: bytes, *, ports: tuple[int, int] = (5000, 5000), target: str = "10.7.0.6") -> bytes:
    body = struct.pack("!HHHH", *ports, 8 + len(payload), 0) + payload
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 1, 0, 64, 17, 0, IPv4Address(source).packed, IPv4Address(target).packed)
    return head[:10] + struct.pack("!H", summed(head)) + head[12:] + body


def packet6(source: str, following: int, body: bytes, *, target: str = "ff02::1") -> bytes:
    addresses = IPv6Address(source).packed + IPv6Address(target).packed
    at = {58: 2, 17: 6}[following]
    checksum = summed(addresses + struct.pack("!II", len(body), following) + body)
    body = body[:at] + struct.pack("!H", checksum) + body[at + 2:]
    return struct.pack("!IHBB", 6 << 28, len(body), following, 255) + addresses + body


def arp(mac: bytes, address: str, words: bytes) -> bytes:
    return struct.pack("!HHBBH", 1, 0x800, 6, 4, 2) + mac + IPv4Address(address).packed + EVERYBODY + IPv4Address("10.7.0.6").packed + words


def link_local(mac: str) -> str:
    octets = bytes.fromhex(mac.replace(":", ""))
    return str(IPv6Address(b"\xfe\x80" + bytes(6) + bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:]))


def forgeries(port: DesiredPort) -> dict[str, tuple[int, bytes, bytes | None, bool]]:
    """What a guest may try: ether type, payload, the MAC address it is sent from (None: its own), and whether it is allowed.
    The key's first letter is in the payload."""
    mac, other = bytes.fromhex(port.mac.replace(":", "")), bytes.fromhex("fa163eaaaaaa")
    own6 = link_local(port.mac)

    def words(letter: str) -> bytes:
        return b"forged" + letter.encode() + b"."

    def udp6(source: str, letter: str, ports: tuple[int, int] = (5000, 5000)) -> bytes:
        body = words(letter)
        return packet6(source, 17, struct.pack("!HHHH", *ports, 8 + len(body), 0) + body)

    def icmp6(source: str, kind: int, body: bytes, letter: str) -> bytes:
        return packet6(source, 58, struct.pack("!BBHI", kind, 0, 0, 0) + body + words(letter))

    return {
        "a packet of its own": (0x800, udp4("10.7.0.5", words("a")), None, True),
        "b from another MAC address": (0x800, udp4("10.7.0.5", words("b")), other, False),
        "c from another address": (0x800, udp4("10.7.0.9", words("c")), None, False),
        "d as a DHCP server": (0x800, udp4("10.7.0.5", words("d"), ports=(67, 68)), None, False),
        "e ARP of its own": (0x806, arp(mac, "10.7.0.5", words("e")), None, True),
        "f ARP of the gateway": (0x806, arp(mac, "10.7.0.1", words("f")), None, False),
        "g ARP with another MAC address inside": (0x806, arp(other, "10.7.0.5", words("g")), None, False),
        "h its pair": (0x800, udp4("10.7.0.200", words("h")), None, True),
        "i its pair's MAC address and address": (0x800, udp4("10.7.0.210", words("i")), bytes.fromhex("fa163ebbbbbb"), True),
        "j its own address from its pair's MAC address": (0x800, udp4("10.7.0.5", words("j")), bytes.fromhex("fa163ebbbbbb"), False),
        "k IPv6 of its own": (0x86DD, udp6(own6, "k"), None, True),
        "l IPv6 of another": (0x86DD, udp6("fe80::1", "l"), None, False),
        "m as a router": (0x86DD, icmp6(own6, 134, bytes(8), "m"), None, False),
        "n as a DHCPv6 server": (0x86DD, udp6(own6, "n", ports=(547, 546)), None, False),
        "o as its own neighbour": (0x86DD, icmp6(own6, 136, IPv6Address(own6).packed, "o"), None, True),
        "p as another's neighbour": (0x86DD, icmp6(own6, 136, IPv6Address("fe80::1").packed, "p"), None, False),
        "q in a VLAN": (0x8100, struct.pack("!HH", 5, 0x800) + udp4("10.7.0.5", words("q")), None, False),
        "r of an unknown kind": (0x88CC, words("r"), None, False),
    }


def test_a_guest_cannot_pretend_to_be_another(lab: Lab) -> None:
    network = lab.network()
    pairs = (("10.7.0.200", ""), ("10.7.0.208/29", "fa:16:3e:bb:bb:bb"))
    liar, witness = lab.port(network, "10.7.0.5", pairs=pairs), lab.port(network, "10.7.0.6")
    lab.want(replace(network, ports=(liar, witness)))
    lab.start()
    until("the network", lambda: "1 networks changed" in lab.log())
    tried = forgeries(liar)
    wires = [Wire(lab.guest(network, port), port.mac) for port in (liar, witness)]
    try:
        def sent() -> set[bytes]:
            for kind, payload, mac, _ in tried.values():
                wires[0].send(kind, payload, mac=mac)
            wires[0].send(0x800, udp4("10.7.0.5", b"forged.."))
            return wires[1].received(b"forged", 5) - {b"."}

        expected = {name[0].encode() for name, (*_, allowed) in tried.items() if allowed}
        until("the bridge's port to forward", lambda: b"a" in sent())
        names = {name[0].encode(): name for name in tried}
        found = sent()
        assert {names[letter] for letter in found} == {names[letter] for letter in expected}

        # Without port security it may be whom it likes.
        lab.networks = {network.id: replace(network, ports=(replace(liar, guarded=False, groups=()), witness))}
        settle(lab)
        assert {names[letter] for letter in names} - {names[letter] for letter in sent()} <= {
            names[b"q"], names[b"r"],
        }, "the other guest's own protection takes only what is no IP"
    finally:
        for wire in wires:
            wire.close()


def test_networks_with_the_same_addresses_do_not_know_each_others_flows(lab: Lab) -> None:
    networks: list[DesiredNetwork] = []
    guests: list[str] = []
    group(lab, CLIENTS, *ALL_OUT)
    group(lab, QUIET, *ALL_OUT)
    for _ in range(2):
        network = lab.network()
        ports = tuple(lab.port(network, address, groups=(who,)) for address, who in (("10.7.0.5", OPEN.id), ("10.7.0.6", QUIET)))
        networks.append(replace(network, ports=ports))
    lab.want(*networks)
    lab.start()
    until("the networks", lambda: "2 networks changed" in lab.log())
    for network in networks:
        for port in network.ports:
            guests.append(lab.guest(network, port))
            configure(guests[-1], port.addresses[0][1], "10.7.0.1")

    def datagrams(namespace: str) -> socket.socket:
        def opened() -> socket.socket:
            made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            made.bind(("0.0.0.0", 7000))
            made.settimeout(1)
            return made
        return namespaces._socket_inside(namespace, opened)

    with contextlib.ExitStack() as stack:
        one, quiet, two, other_quiet = (stack.enter_context(datagrams(guest)) for guest in guests)
        until("the first network's flow", lambda: _exchange(quiet, one))
        two.sendto(b"hello", ("10.7.0.6", 7000))
        with pytest.raises(TimeoutError):
            other_quiet.recv(100)


def _exchange(asking: socket.socket, answering: socket.socket) -> bool:
    """Have a guest which lets nothing in ask another, and be answered."""
    try:
        asking.sendto(b"hello", ("10.7.0.5", 7000))
        _, source = answering.recvfrom(100)
        answering.sendto(b"hello yourself", source)
        return asking.recv(100) == b"hello yourself"
    except TimeoutError:
        return False
