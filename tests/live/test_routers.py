"""Routers and floating addresses on a host of its own, with guests in two projects which have the same range."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace

import pytest

from novalike.agents.network import names
from novalike.objects.network_state import DesiredLeg, DesiredNetwork, DesiredPort, DesiredRouter, DesiredSubnet
from novalike.privileged import namespaces
from tests.live import test_network_agent as agent_tests
from tests.live.test_network_agent import FakeMetadata, Lab, ask, configure, dhcp, ping, run, until

lab = agent_tests.lab
pytestmark = agent_tests.pytestmark
PORT = 8080


class Speaker:
    """A server in a guest, which says its name and whom it sees, and then echoes."""

    def __init__(self, namespace: str, address: str, name: str) -> None:
        self._socket = namespaces.listen(namespace, address, PORT)
        self._socket.settimeout(0.2)
        self._name = name
        self._open = True
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with self._socket:
            while self._open:
                with contextlib.suppress(TimeoutError):
                    connection, peer = self._socket.accept()
                    threading.Thread(target=self._one, args=(connection, peer[0]), daemon=True).start()

    def _one(self, connection: socket.socket, peer: str) -> None:
        with connection, contextlib.suppress(OSError):
            connection.sendall(f"{self._name} sees {peer}".encode())
            while word := connection.recv(100):
                connection.sendall(word)

    def close(self) -> None:
        self._open = False
        self._thread.join(5)


def connected(namespace: str, address: str) -> socket.socket:
    made = namespaces._socket_inside(namespace, lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM))
    made.settimeout(5)
    try:
        made.connect((address, PORT))
    except OSError:
        made.close()
        raise
    return made


def call(namespace: str, address: str) -> tuple[socket.socket, str]:
    """Connect from a namespace; answer the connection and what was said first."""
    made = connected(namespace, address)
    return made, made.recv(100).decode()


def says(namespace: str, address: str) -> str:
    connection, word = call(namespace, address)
    connection.close()
    return word


def echoes(connection: socket.socket) -> bool:
    connection.settimeout(2)
    try:
        connection.sendall(b"still there?")
        return connection.recv(100) == b"still there?"
    except OSError:
        return False


class Project:
    """A project with a network, two guests and a router to the outside; its range is everybody's."""

    def __init__(self, lab: Lab, name: str, external: DesiredNetwork, outer: str) -> None:
        self.lab, self.name = lab, name
        network = lab.network("10.7.0", routed=True)
        subnet = replace(network.subnets[0], server="10.7.0.2", routed=True)
        six = DesiredSubnet(id=str(uuid.uuid4()), cidr="fd00:7::/64", version=6, gateway="fd00:7::1", mode="slaac", routed=True)
        network = replace(network, subnets=(subnet, six))
        self.ports = tuple(lab.port(network, address) for address in ("10.7.0.5", "10.7.0.6"))
        self.network = replace(network, ports=self.ports)
        self.router = DesiredRouter(id=str(uuid.uuid4()), gateways=("172.24.4.1",), legs=(
            leg(network, "fa:16:3e:01:00:01", ("10.7.0.1", "10.7.0.0/24")),
            replace(leg(network, "fa:16:3e:01:00:02", ("fd00:7::1", "fd00:7::/64")), advertised=(("fd00:7::/64", "slaac", ()),)),
            leg(external, f"fa:16:3e:02:00:{int(outer.rpartition('.')[2]):02x}", (outer, "172.24.4.0/24"), external=True),
        ))
        self.guests: list[str] = []
        self.speakers: list[Speaker] = []

    def boot(self) -> None:
        for number, port in enumerate(self.ports):
            guest = self.lab.guest(self.network, port)
            address = port.addresses[0][1]
            configure(guest, address, "10.7.0.1")
            run("ip", "-n", guest, "route", "add", "169.254.169.254", "via", "10.7.0.1")     # as one which asked no DHCP server
            self.guests.append(guest)
            self.speakers.append(Speaker(guest, "0.0.0.0", f"{self.name}{number}"))


def leg(network: DesiredNetwork, mac: str, *addresses: tuple[str, str], external: bool = False) -> DesiredLeg:
    return DesiredLeg(id=str(uuid.uuid4()), network_id=network.id, bridge=network.bridge, mac=mac, mtu=1400, addresses=addresses, external=external)


class Town:
    """Two projects, the external network, and somebody outside."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.external = lab.network("172.24.4", external=True)
        self.one, self.two = Project(lab, "one", self.external, "172.24.4.10"), Project(lab, "two", self.external, "172.24.4.11")
        self.want()
        lab.start()
        until("the routers", lambda: all(self.ready(project.router) for project in (self.one, self.two)), 30)
        self.one.boot()
        self.two.boot()
        passer_by = DesiredPort(id=str(uuid.uuid4()), tap=f"world{uuid.uuid4().hex[:8]}", mac="fa:16:3e:03:00:99")
        self.outside = lab.guest(self.external, passer_by)
        configure(self.outside, "172.24.4.99", "172.24.4.1")
        self.speaker = Speaker(self.outside, "172.24.4.99", "outside")

    def want(self) -> None:
        self.lab.want(self.external, self.one.network, self.two.network, routers=(self.one.router, self.two.router))

    def ready(self, router: DesiredRouter) -> bool:
        inside = self.inside(router)
        return namespaces.exists(inside) and "is_" in run("nsenter", f"--net=/run/netns/{inside}", "nft", "list", "ruleset", check=False)

    def inside(self, router: DesiredRouter) -> str:
        return f"{self.lab.prefix}r-{names.short(router.id)}"

    def lead(self, project: Project, *floating: tuple[str, str]) -> None:
        project.router = replace(project.router, floating=floating)
        self.want()

    def close(self) -> None:
        for speaker in (*self.one.speakers, *self.two.speakers, self.speaker):
            speaker.close()


@pytest.fixture
def town(lab: Lab) -> Iterator[Town]:
    made = Town(lab)
    try:
        yield made
    finally:
        made.close()


def test_floating_addresses_reach_the_right_one_of_two_projects_with_the_same_range(town: Town) -> None:
    town.lead(town.one, ("172.24.4.50", "10.7.0.5"))
    town.lead(town.two, ("172.24.4.60", "10.7.0.5"))
    until("floating addresses", lambda: ping(town.outside, "172.24.4.50") and ping(town.outside, "172.24.4.60"))
    assert says(town.outside, "172.24.4.50") == "one0 sees 172.24.4.99"
    assert says(town.outside, "172.24.4.60") == "two0 sees 172.24.4.99"
    assert says(town.one.guests[0], "172.24.4.99") == "outside sees 172.24.4.50", "a server with a floating address shows that"
    assert says(town.one.guests[1], "172.24.4.99") == "outside sees 172.24.4.10", "others show their router's"
    assert says(town.one.guests[1], "172.24.4.50") == "one0 sees 172.24.4.10", "neighbours reach each other by floating addresses too"
    assert says(town.one.guests[0], "172.24.4.60") == "two0 sees 172.24.4.50"
    assert says(town.one.guests[0], "10.7.0.6").startswith("one1"), "and in the own range everybody stays among his own"
    run("ip", "-n", town.outside, "route", "add", "10.7.0.0/24", "via", "172.24.4.10")
    assert not ping(town.outside, "10.7.0.6"), "whoever has no floating address is not reached from outside"
    assert ping(town.lab.host, "172.24.4.50"), "the host reaches floating addresses"

    metadata = FakeMetadata(town.lab.host)
    try:
        for project in (town.one, town.two):
            ask(project.guests[0], "GET / HTTP/1.1\nHost: x\nX-Instance-ID: evil\nX-Forwarded-For: 10.7.0.6\nConnection: close\n\n")
    finally:
        metadata.close()
    asked = [{name.lower(): value for name, value in seen.items()}["x-instance-id"] for seen in metadata.seen]
    assert asked == [town.one.ports[0].device_id, town.two.ports[0].device_id], "by the router's path, each is known for what it is"
    options = dhcp(town.one.guests[0], town.one.ports[0].mac)
    assert (options[3], options[54]) == (socket.inet_aton("10.7.0.1"), socket.inet_aton("10.7.0.2")), "DHCP is served beside the router"
    until("an IPv6 router", lambda: "default via fe80" in run("ip", "-n", town.one.guests[0], "-6", "route"), 25)


def test_a_floating_address_moves_without_a_gap_and_its_old_connections_end(town: Town) -> None:
    town.lead(town.one, ("172.24.4.50", "10.7.0.5"))
    until("the floating address", lambda: ping(town.outside, "172.24.4.50"))
    old, word = call(town.outside, "172.24.4.50")
    assert (word, echoes(old)) == ("one0 sees 172.24.4.99", True)
    town.lead(town.one, ("172.24.4.50", "10.7.0.6"))
    answers, cut = [], 0
    deadline = time.monotonic() + 15
    while not answers or not answers[-1].startswith("one1"):
        assert time.monotonic() < deadline, "the address did not move"
        try:
            connection = connected(town.outside, "172.24.4.50")  # where nobody answers, this waits until it raises TimeoutError
        except ConnectionError:                                  # who was just being connected to the one is told
            cut += 1
            continue
        with connection:
            try:
                answers.append(connection.recv(100).decode())
            except OSError:                                      # and who waited for a word of it, waits
                cut += 1
    assert cut <= 1, "all but the connection of that moment are answered by the one or the other"
    assert not echoes(old), "who had the address has it no more"
    old.close()
    town.lead(town.one)
    town.lead(town.two, ("172.24.4.50", "10.7.0.5"))             # to another project's router: another MAC address
    until("the move to another router", lambda: says(town.outside, "172.24.4.50").startswith("two0"))


def test_routers_outlive_their_agent_and_come_back_when_lost(town: Town) -> None:
    town.lead(town.one, ("172.24.4.50", "10.7.0.5"))
    until("the floating address", lambda: ping(town.outside, "172.24.4.50"))
    connection, _ = call(town.outside, "172.24.4.50")
    town.lab.kill()
    assert echoes(connection), "without an agent all goes on"
    looked = town.lab.log().count("worker revision")
    town.lab.start()
    until("the agent's look around", lambda: town.lab.log().count("worker revision") > looked, 60)
    assert echoes(connection), "a restart cuts nothing off"
    connection.close()
    run("ip", "netns", "del", town.inside(town.one.router))
    run("ip", "netns", "del", town.lab.inside(town.one.network))
    lost = time.monotonic()                                      # nobody rings
    until("the router", lambda: town.ready(town.one.router) and ping(town.outside, "172.24.4.50"), 40)
    sys.stdout.write(f"a lost router is back after {time.monotonic() - lost:.1f} s\n")
    assert ping(town.one.guests[0], "172.24.4.99")
    town.one.router = replace(town.one.router, legs=town.one.router.legs[:1], gateways=(), floating=())
    town.want()
    until("the way out to go", lambda: not ping(town.one.guests[0], "172.24.4.99"))
    assert ping(town.one.guests[0], "10.7.0.1")
    town.lab.want(town.external, town.one.network, town.two.network)
    until("the routers to go", lambda: not namespaces.exists(town.inside(town.one.router)) and not namespaces.exists(town.inside(town.two.router)))
    until("their legs to go", lambda: not [name for name in town.lab.links() if name.startswith(names.ROUTER)])
