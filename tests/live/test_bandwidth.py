"""Limits of a flavor on the way to and from a guest, measured: the agent and the kernel's packet filter on a host of its own."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time
from dataclasses import replace

from novalike.objects.network_state import DesiredPort
from novalike.privileged import namespaces
from tests.live import test_network_agent as agent_tests
from tests.live.test_network_agent import Lab, configure, run, until

lab = agent_tests.lab
pytestmark = agent_tests.pytestmark
PORT = 5001
AMOUNT = 1536                                    # KiB
RATE = 500                                       # KiB/s: of AMOUNT, a second's worth passes at once
SLOW = (AMOUNT - RATE - 128) / RATE              # seconds which that takes at least


def seconds(sender: str, receiver: str, address: str) -> float:
    """Answer how long it takes to send AMOUNT from one guest to another."""
    listening = namespaces.listen(receiver, address, PORT)
    connection = namespaces._socket_inside(sender, socket.socket)
    connection.settimeout(60)

    def send() -> None:
        with connection, contextlib.suppress(OSError):
            connection.sendall(bytes(AMOUNT * 1024))

    with listening:
        connection.connect((address, PORT))
        accepted, _ = listening.accept()
        accepted.settimeout(60)
        begun = time.monotonic()
        threading.Thread(target=send, daemon=True).start()
        received = 0
        with accepted:
            while piece := accepted.recv(65536):
                received += len(piece)
    assert received == AMOUNT * 1024
    return time.monotonic() - begun


def attach(guest: str, address: str) -> None:
    run("ip", "-n", guest, "link", "set", "eth0", "mtu", "1400")     # as DHCP would say
    configure(guest, address, "10.7.0.1")


def test_a_guest_receives_and_sends_no_more_than_its_flavor_lets_it(lab: Lab) -> None:
    network = lab.network()
    slow, fast = lab.port(network, "10.7.0.5"), lab.port(network, "10.7.0.6")

    def limit(*limits: tuple[str, int]) -> DesiredPort:
        """Have the flavor of the one say so."""
        changed = lab.log().count("port security changed")
        port = replace(slow, bandwidth=limits)
        lab.want(replace(network, ports=(port, fast)))
        if lab.process is None:
            lab.start()
        until("the limits", lambda: lab.log().count("port security changed") > changed)
        return port

    limit(("inbound_average", RATE))
    until("the network", lambda: "1 networks changed" in lab.log())
    guest, other = (lab.guest(network, port) for port in (slow, fast))
    attach(guest, "10.7.0.5")
    attach(other, "10.7.0.6")
    inwards, outwards = seconds(other, guest, "10.7.0.5"), seconds(guest, other, "10.7.0.6")
    sys.stdout.write(f"inbound {RATE} KiB/s: {AMOUNT} KiB in {inwards:.1f} s, the other way in {outwards:.1f} s\n")
    assert inwards >= SLOW > outwards

    # The next flavor limits the other direction. A tap which comes back while no agent runs is limited all the same.
    limit(("outbound_average", RATE), ("outbound_peak", RATE * 2), ("outbound_burst", 64))
    lab.kill()
    run("ip", "-n", lab.host, "link", "del", slow.tap)
    run("ip", "-n", lab.host, "link", "add", slow.tap, "mtu", "1400", "type", "veth", "peer", "name", "eth0", "address", slow.mac, "netns", guest)
    run("ip", "-n", lab.host, "link", "set", slow.tap, "master", network.bridge, "up")
    run("ip", "-n", guest, "link", "set", "eth0", "up")
    attach(guest, "10.7.0.5")
    inwards, outwards = seconds(other, guest, "10.7.0.5"), seconds(guest, other, "10.7.0.6")
    sys.stdout.write(f"outbound {RATE} KiB/s: {AMOUNT} KiB in {outwards:.1f} s, the other way in {inwards:.1f} s\n")
    assert outwards >= SLOW > inwards

    limit()
    assert seconds(guest, other, "10.7.0.6") < SLOW, "a flavor without limits takes them away"
