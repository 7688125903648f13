"""kill -9 of the network agent after each of its steps: guests notice nothing, and the next agent ends what this one began."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Iterator
from dataclasses import replace

import pytest

from novalike.agents.network import names
from novalike.objects.network_state import DesiredGroup, DesiredNetwork, DesiredPort, DesiredRouter, DesiredRule
from novalike.privileged import namespaces
from tests.live import test_network_agent as agent_tests
from tests.live.test_network_agent import Lab, configure, dhcp, ping, until
from tests.live.test_routers import PORT, Speaker, call, echoes, leg
from tests.live.test_security_groups import ALL_OUT, CLIENTS, passes, tcp

lab = agent_tests.lab
pytestmark = agent_tests.pytestmark
#: How many commands more each agent gets to run than the one before. It takes about 70 for all that is to be done here.
STEP = 9
OUTSIDE, FLOATING = "172.24.4.99", "172.24.4.50"


def routed(network: DesiredNetwork) -> DesiredNetwork:
    """The network as it is when a router is its gateway."""
    prefix = network.subnets[0].cidr.removesuffix(".0/24")
    return replace(network, routed=True, subnets=(replace(network.subnets[0], server=f"{prefix}.2", routed=True),))


class Street:
    """A network which stays, with a flow between two guests; one which goes, with its router; and one which comes with another."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.external = lab.network("172.24.4", external=True)
        self.stays, self.goes, self.comes = lab.network(), routed(lab.network("10.8.0")), routed(lab.network("10.9.0"))
        self.here = tuple(lab.port(self.stays, f"10.7.0.{5 + number}", groups=(CLIENTS,)) for number in range(2))
        self.there = lab.port(self.comes, "10.9.0.5")
        self.goes = replace(self.goes, ports=(lab.port(self.goes, "10.8.0.5"),))
        self.old, self.new = self.router(self.goes, "172.24.4.10"), self.router(self.comes, "172.24.4.11", (FLOATING, "10.9.0.5"))
        self.rules(tcp(PORT))
        self.speakers: list[Speaker] = []

    def router(self, network: DesiredNetwork, outer: str, *floating: tuple[str, str]) -> DesiredRouter:
        gateway, number = network.subnets[0].gateway, int(outer.rpartition(".")[2])
        return DesiredRouter(id=str(uuid.uuid4()), gateways=("172.24.4.1",), floating=floating, legs=(
            leg(network, f"fa:16:3e:01:00:{number:02x}", (gateway or "", network.subnets[0].cidr)),
            leg(self.external, f"fa:16:3e:02:00:{number:02x}", (outer, "172.24.4.0/24"), external=True),
        ))

    def rules(self, *rules: DesiredRule) -> None:
        revision = self.lab.groups[CLIENTS].revision + 1 if CLIENTS in self.lab.groups else 1
        self.lab.groups[CLIENTS] = DesiredGroup(id=CLIENTS, revision=revision, rules=(*rules, *ALL_OUT))

    def before(self) -> None:
        self.lab.want(self.external, replace(self.stays, ports=self.here), self.goes, routers=(self.old,))

    def after(self) -> None:
        self.rules(tcp(9090), DesiredRule(direction="ingress", protocol="icmp"))
        self.lab.want(self.external, replace(self.stays, ports=self.here), replace(self.comes, ports=(self.there,)), routers=(self.new,))

    def guest(self, network: DesiredNetwork, port: DesiredPort) -> str:
        made = self.lab.guest(network, port)
        address = port.addresses[0][1]
        configure(made, address, address.rpartition(".")[0] + ".1")
        self.speakers.append(Speaker(made, "0.0.0.0", address))
        return made

    def pieces(self, network: DesiredNetwork, router: DesiredRouter) -> list[str]:
        """What there is of a network and its router on the host."""
        short = names.short(network.id)
        there = [name for name in (self.lab.inside(network), f"{self.lab.prefix}r-{names.short(router.id)}") if namespaces.exists(name)]
        return there + [name for name in self.lab.links() if name.endswith(short)]


@pytest.fixture
def street(lab: Lab) -> Iterator[Street]:
    made = Street(lab)
    try:
        yield made
    finally:
        for speaker in made.speakers:
            speaker.close()


def test_an_agent_killed_after_each_step(street: Street) -> None:
    lab = street.lab
    street.before()
    lab.start()
    until("the first state", lambda: "worker revision" in lab.log(), 30)
    first, _ = (street.guest(street.stays, port) for port in street.here)
    flow, word = call(first, "10.7.0.6")
    assert word == "10.7.0.6 sees 10.7.0.5"
    assert not ping(first, "10.7.0.6"), "not before the change"
    assert len(street.pieces(street.goes, street.old)) == 5
    lab.kill()

    street.after()
    allowed = kills = 0
    while True:
        allowed += STEP
        looked = lab.log().count("worker revision")
        lab.start(commands=allowed)
        assert lab.process is not None
        until("death or success", lambda looked=looked: lab.process.poll() is not None or lab.log().count("worker revision") > looked, 30)
        if lab.process.poll() is None:
            break
        lab.process = None
        kills += 1
        assert echoes(flow), f"the flow goes on, whatever lacks after {allowed} commands"
    assert kills >= 5, "it was to be killed in the middle"

    with flow:
        assert echoes(flow)
    assert ping(first, "10.7.0.6"), "the changed rules are in force"
    assert not passes(first, "10.7.0.6", PORT)
    assert street.pieces(street.goes, street.old) == []
    guest = street.guest(street.comes, street.there)
    assert socket.inet_ntoa(dhcp(guest, street.there.mac)[0]) == "10.9.0.5"
    passer_by = DesiredPort(id=str(uuid.uuid4()), tap=f"world{uuid.uuid4().hex[:8]}", mac="fa:16:3e:03:00:99")
    world = lab.guest(street.external, passer_by)
    configure(world, OUTSIDE, "172.24.4.1")
    until("the floating address", lambda: ping(world, FLOATING))
    connection, word = call(world, FLOATING)
    connection.close()
    assert word == f"10.9.0.5 sees {OUTSIDE}"
