"""A router serves guests of two hosts, and another host takes it over when its agent dies.

Hosts are namespaces, joined by a wire for VXLAN and by another one to the outside; agents are real. What the control plane decides
is played here (it is in tests/unit/network/local/test_failover.py).
"""

from __future__ import annotations

import json
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from novalike.agents.network import names
from novalike.objects.network_state import DesiredNetwork, DesiredRouter, DesiredSubnet
from novalike.privileged import namespaces
from tests.live import test_network_agent as agent_tests
from tests.live.test_network_agent import FakeMetadata, Lab, ask, configure, ping, run, until
from tests.live.test_routers import Speaker, call, echoes, leg, says

pytestmark = agent_tests.pytestmark
WORLD, FLOATING = "172.24.4.99", "172.24.4.50"
DOWN_TIME = 4                                    # seconds after which a silent agent counts as dead


class Region:
    """Two hosts with a guest each, and the outside."""

    def __init__(self, folder: Path) -> None:
        self.labs = []
        for number in range(2):
            (folder / str(number)).mkdir()
            self.labs.append(Lab(folder / str(number)))
            self.labs[-1].others = True
        one, two = self.labs
        self.world = f"t{one.id}-world"
        one.guests.append(self.world)                            # removed with it
        run("ip", "netns", "add", self.world)
        run("ip", "-n", self.world, "link", "add", "switch", "type", "bridge", "forward_delay", "0")
        run("ip", "-n", self.world, "addr", "add", f"{WORLD}/24", "dev", "switch")
        run("ip", "-n", self.world, "link", "set", "switch", "up")
        run("ip", "-n", one.host, "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", two.host)
        for number, lab in enumerate(self.labs):
            run("ip", "-n", lab.host, "addr", "add", f"198.51.100.{number}/24", "dev", "wire")
            run("ip", "-n", lab.host, "link", "set", "wire", "up")
            run("ip", "-n", lab.host, "link", "add", "ext0", "type", "veth", "peer", "name", f"to{number}", "netns", self.world)
            run("ip", "-n", self.world, "link", "set", f"to{number}", "master", "switch", "up")
        outer = DesiredSubnet(id=str(uuid.uuid4()), cidr="172.24.4.0/24", gateway=WORLD, dhcp=False)
        self.outside = replace(one.network(), wire="outside", external=True, subnets=(outer,))
        network = one.network("10.7.0", segment=77, kind="vxlan", routed=True)
        self.network = replace(network, subnets=(replace(network.subnets[0], server="10.7.0.2", routed=True),))
        self.ports = tuple(one.port(self.network, f"10.7.0.{5 + number}") for number in range(2))
        self.router = DesiredRouter(id=str(uuid.uuid4()), gateways=(WORLD,), floating=((FLOATING, "10.7.0.6"),), legs=(
            leg(self.network, "fa:16:3e:01:00:01", ("10.7.0.1", "10.7.0.0/24")),
            leg(self.outside, "fa:16:3e:02:00:01", ("172.24.4.10", "172.24.4.0/24"), external=True),
        ))
        self.guests: list[str] = []
        self.speakers: list[Speaker] = []

    def place(self, home: int) -> None:
        """Let the router be on one of the hosts."""
        for number, lab in enumerate(self.labs):
            lab.want(*self.networks(number, home), routers=(self.router,) if number == home else ())

    def networks(self, number: int, home: int) -> list[DesiredNetwork]:
        mine = replace(self.network, ports=(self.ports[number],), peers=(f"198.51.100.{1 - number}",))
        return [mine, self.outside] if number == home else [mine]

    def start(self, number: int) -> None:
        self.labs[number].start(local_ip=f"198.51.100.{number}", physical_interfaces={"outside": "ext0"}, service_down_time=DOWN_TIME)

    def boot(self) -> None:
        for number, lab in enumerate(self.labs):
            until("a tunnel", lambda lab=lab: f"nlx{names.short(self.network.id)}" in lab.links())
            guest = lab.guest(self.network, self.ports[number])
            configure(guest, f"10.7.0.{5 + number}", "10.7.0.1")         # and nothing else: these asked no DHCP server
            self.guests.append(guest)
            self.speakers.append(Speaker(guest, "0.0.0.0", f"guest {number}"))
        self.speakers.append(Speaker(self.world, WORLD, "world"))

    def inside(self, number: int) -> str:
        return f"{self.labs[number].prefix}r-{names.short(self.router.id)}"

    def close(self) -> None:
        for speaker in self.speakers:
            speaker.close()
        for lab in self.labs:
            sys.stdout.write(f"--- {lab.host}\n{lab.log()}")
            lab.close()


@pytest.fixture
def region(tmp_path: Path) -> Iterator[Region]:
    made = Region(tmp_path)
    try:
        yield made
    finally:
        made.close()


def test_a_router_serves_guests_of_two_hosts_and_is_taken_over_when_its_agent_dies(region: Region) -> None:
    region.place(0)
    region.start(0)
    region.start(1)
    region.boot()
    here, there = region.guests
    until("the way out of both", lambda: ping(here, WORLD) and ping(there, WORLD), 30)
    until("the floating address of the guest on the other host", lambda: ping(region.world, FLOATING))
    connection, word = call(region.world, FLOATING)
    assert (word, echoes(connection)) == (f"guest 1 sees {WORLD}", True)
    assert says(here, WORLD) == "world sees 172.24.4.10"

    # Metadata for a guest elsewhere, whose only route is the router: its host asks whose address that is, and heeds no header.
    (region.labs[0].folder / "elsewhere.json").write_text(json.dumps(
        {f"{region.network.id} 10.7.0.6": {"instance_uuid": region.ports[1].device_id, "project_id": "p" * 32}},
    ))
    metadata = FakeMetadata(region.labs[0].host)
    try:
        request = f"GET /latest HTTP/1.1\nHost: x\nX-Instance-ID: {region.ports[0].device_id}\nX-Forwarded-For: 10.7.0.5\nConnection: close\n\n"
        assert "you asked /latest" in ask(there, request)
        (region.labs[0].folder / "elsewhere.json").write_text("{}")
        assert " 404 " in ask(there, request), "whose address it is nobody knows"
    finally:
        metadata.close()
    seen = [{name.lower(): value for name, value in headers.items()} for headers in metadata.seen]
    assert [(one["x-instance-id"], one["x-forwarded-for"]) for one in seen] == [(region.ports[1].device_id, "10.7.0.6")]

    # The agent dies, and leaves all it made. Before others think it dead, its router falls silent: there are never two.
    region.labs[0].kill()
    until("the router to be silent", lambda: not ping(here, "10.7.0.1"), 30)
    assert ping(here, "10.7.0.6"), "guests of one network reach each other all the time"
    moved = time.monotonic()
    region.place(1)
    until("the way out of both, and in", lambda: ping(here, WORLD) and ping(there, WORLD) and ping(region.world, FLOATING), 30)
    sys.stdout.write(f"taken over after {time.monotonic() - moved:.1f} s\n")
    assert says(region.world, FLOATING) == f"guest 1 sees {WORLD}"
    assert echoes(connection), "a connection by a floating address goes on"

    # The agent is back, and what it finds is not its own any more. Nobody notices.
    region.start(0)
    until("the old router to go", lambda: not namespaces.exists(region.inside(0)), 30)
    until("the agent's look", lambda: "applied in" in region.labs[0].log().rpartition("removing what is left of router")[2], 30)
    assert ping(here, WORLD)
    assert echoes(connection)
    connection.close()
    until("the old lease to go", lambda: not [name for name in region.labs[0].tables() if "lease" in name])
