"""The network agent on a host of its own (a network namespace): everything real but guest and metadata API.

The host is a namespace which this file makes; the agent runs in it as a process of its own, so that it can be killed. A
guest is a veth pair in another namespace, with the MAC address of its port, and a DHCP client written here.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from novalike.agents.network import names
from novalike.agents.network.metadata import signature
from novalike.objects.network_state import (
    DesiredGroup,
    DesiredMembers,
    DesiredNetwork,
    DesiredNetworks,
    DesiredPort,
    DesiredRouter,
    DesiredRule,
    DesiredSubnet,
)
from novalike.objects.secret import Secret
from novalike.privileged import namespaces

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]
SECRET = "swordfish"
#: The security group of ports which are given none: everything may pass.
OPEN = DesiredGroup(id="0" * 36, revision=1, rules=tuple(
    DesiredRule(direction=direction, version=version) for direction in ("ingress", "egress") for version in (4, 6)
))
AGENT = Path(__file__).parent / "network_agent_process.py"


def run(*command: str, check: bool = True, text: str | None = None) -> str:
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=30, check=False)
    assert not check or done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout


def until(what: str, condition: Any, seconds: float = 15) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s"
        time.sleep(0.05)
    return found


class Lab:
    """A pretended host, its agent, guests, and the desired state which the agent fetches (a file)."""

    def __init__(self, folder: Path, beside: Lab | None = None) -> None:
        """A host of its own, or `beside` the agent of another cloud on the same host."""
        self.id = uuid.uuid4().hex[:6]
        self.folder = folder
        self.host = beside.host if beside else f"t{self.id}-host"
        self.prefix = beside.prefix if beside else f"t{self.id}-"
        self.settings: dict[str, Any] = {
            "namespace_prefix": self.prefix, "agent_state_path": str(folder / "state"), "metadata_host": "127.0.0.1",
            "metadata_port": 8775, "linger": 0.0,
        }
        self.networks: dict[str, DesiredNetwork] = {}
        self.groups: dict[str, DesiredGroup] = {OPEN.id: OPEN}
        self.members: dict[str, DesiredMembers] = {}
        self.others: bool | None = None                  # whether other hosts could take routers over
        self.revision = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.guests: list[str] = []
        if beside is None:
            run("ip", "netns", "add", self.host)
            run("ip", "-n", self.host, "link", "set", "lo", "up")

    def network(self, cidr: str = "10.7.0", **values: Any) -> DesiredNetwork:
        network_id = str(uuid.uuid4())
        subnet = DesiredSubnet(id=str(uuid.uuid4()), cidr=f"{cidr}.0/24", gateway=f"{cidr}.1", server=f"{cidr}.1", dns=("9.9.9.9",))
        return DesiredNetwork(**{"id": network_id, "bridge": f"nlb{names.short(network_id)}", "mtu": 1400, "subnets": (subnet,), **values})

    def port(self, network: DesiredNetwork, address: str, **values: Any) -> DesiredPort:
        port_id = str(uuid.uuid4())
        mac = "fa:16:3e:" + ":".join(port_id[i:i + 2] for i in (0, 2, 4))
        return DesiredPort(**{
            "id": port_id, "tap": f"tap{port_id[:11]}", "mac": mac, "addresses": ((network.subnets[0].id, address),),
            "hostname": f"guest-{address.rpartition('.')[2]}", "device_id": str(uuid.uuid4()), "project_id": "p" * 32,
            "groups": (OPEN.id,), **values,
        })

    def want(self, *networks: DesiredNetwork, routers: tuple[DesiredRouter, ...] = ()) -> None:
        self.networks = {network.id: network for network in networks}
        self.revision += 1
        answer = DesiredNetworks(revision=self.revision, full=True, networks=tuple(networks), routers=routers, groups=tuple(self.groups.values()), members=tuple(self.members.values()), others=self.others)
        target = self.folder / "desired.json"
        (self.folder / "new.json").write_text(json.dumps(asdict(answer)))
        (self.folder / "new.json").replace(target)
        self.ring()

    def start(self, **settings: Any) -> None:
        settings = self.settings | settings
        with (self.folder / "agent.log").open("ab") as log:
            self.process = subprocess.Popen(
                ["nsenter", f"--net=/run/netns/{self.host}", sys.executable, str(AGENT), str(self.folder), SECRET, json.dumps(settings)],
                stderr=log,
            )

    def ring(self) -> None:
        """Have the agent look at everything, as a ring followed by its periodic comparison would."""
        if self.process is not None:
            self.process.send_signal(signal.SIGUSR1)

    def remove(self) -> subprocess.CompletedProcess[str]:
        """Run novalike-network --remove with this agent's configuration."""
        file = self.folder / "agent.conf"
        file.write_text("[network]\n" + "".join(f"{name} = {value}\n" for name, value in self.settings.items()))
        return subprocess.run(
            ["nsenter", f"--net=/run/netns/{self.host}", sys.executable, "-m", "novalike.cmd.network", "--config-file", str(file), "--remove"],
            capture_output=True, text=True, timeout=60, check=False,
        )

    def tables(self) -> set[str]:
        return set(re.findall(r"table \w+ (\S+)", run("nsenter", f"--net=/run/netns/{self.host}", "nft", "list", "tables")))

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = None

    def inside(self, network: DesiredNetwork) -> str:
        return f"{self.prefix}{names.short(network.id)}"

    def guest(self, network: DesiredNetwork, port: DesiredPort) -> str:
        """Plug a guest into the bridge."""
        name = f"t{self.id}-g{len(self.guests)}"
        self.guests.append(name)
        run("ip", "netns", "add", name)
        run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "-n", self.host, "link", "add", port.tap, "mtu", "1400", "type", "veth", "peer", "name", "eth0", "address", port.mac, "netns", name)
        run("ip", "-n", self.host, "link", "set", port.tap, "master", network.bridge, "up")
        run("ip", "-n", name, "link", "set", "eth0", "up")
        return name

    def links(self, namespace: str | None = None) -> dict[str, Any]:
        return {link["ifname"]: link for link in json.loads(run("ip", "-n", namespace or self.host, "-j", "-d", "addr") or "[]") if link}

    def dnsmasq(self) -> list[int]:
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdecimal() and f"--conf-file={self.folder}".encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
        return found

    def log(self) -> str:
        path = self.folder / "agent.log"
        return path.read_text() if path.exists() else ""

    def close(self) -> None:
        if self.process is not None:
            self.kill()
        for pid in self.dnsmasq():
            os.kill(pid, signal.SIGKILL)
        for name in (*self.guests, *namespaces.names(self.prefix)):
            run("ip", "netns", "del", name, check=False)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path)
    try:
        yield made
    finally:
        sys.stdout.write(made.log())                     # shown when the test fails
        made.close()


def dhcp(namespace: str, mac: str, seconds: float = 10) -> dict[int, bytes]:
    """Do a whole DHCP exchange as a guest and answer the options of the ACK (0: the address given)."""
    hardware = bytes.fromhex(mac.replace(":", ""))

    def message(kind: int, extra: bytes = b"") -> bytes:
        return (
            b"\x01\x01\x06\x00" + b"abcd" + b"\x00\x00\x80\x00" + bytes(16) + hardware.ljust(16, b"\0") + bytes(192)
            + b"\x63\x82\x53\x63\x35\x01" + bytes([kind]) + b"\x37\x07\x01\x03\x06\x0c\x0f\x1a\x79" + extra + b"\xff"
        )

    def parse(reply: bytes) -> dict[int, bytes]:
        options, at = {0: reply[16:20]}, 240
        while at < len(reply) and reply[at] != 255:
            code, length = reply[at], reply[at + 1]
            options[code], at = reply[at + 2:at + 2 + length], at + 2 + length
        return options

    def opened() -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
        made.bind(("0.0.0.0", 68))
        return made

    with namespaces._socket_inside(namespace, opened) as wire:
        wire.settimeout(1)
        deadline = time.monotonic() + seconds
        while True:
            try:
                wire.sendto(message(1), ("255.255.255.255", 67))
                offer = parse(wire.recv(2048))
                wire.sendto(message(3, b"\x32\x04" + offer[0] + b"\x36\x04" + offer[54]), ("255.255.255.255", 67))
                answer = parse(wire.recv(2048))
                assert answer[53] == b"\x05", f"DHCP answered with message type {answer[53]!r}"
                return answer
            except TimeoutError:
                assert time.monotonic() < deadline, "no DHCP answer"


class FakeMetadata:
    """The metadata API: says which headers it got."""

    def __init__(self, namespace: str) -> None:
        self.seen: list[dict[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.seen.append(dict(self.headers.items()))
                body = f"you asked {self.path}".encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket.close()
        self.server.socket = namespaces.listen(namespace, "127.0.0.1", 8775)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def ask(namespace: str, request: str) -> str:
    """Send an HTTP request to 169.254.169.254 from a guest."""
    script = (
        "import socket,sys; s=socket.create_connection(('169.254.169.254',80),5); s.sendall(sys.stdin.buffer.read());"
        "sys.stdout.buffer.write(b''.join(iter(lambda: s.recv(4096), b'')))"
    )
    return run("ip", "netns", "exec", namespace, sys.executable, "-I", "-c", script, text=request.replace("\n", "\r\n"))


def configure(namespace: str, address: str, gateway: str) -> None:
    run("ip", "-n", namespace, "addr", "add", f"{address}/24", "dev", "eth0")
    run("ip", "-n", namespace, "route", "add", "default", "via", gateway)


def ping(namespace: str, target: str) -> bool:
    done = subprocess.run(["ip", "netns", "exec", namespace, sys.executable, "-I", "-c", _PING, target], timeout=20, check=False, capture_output=True)
    return done.returncode == 0


_PING = """
import socket, struct, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP); s.settimeout(1)
body = struct.pack("!BBHHH", 8, 0, 0, 7, 1); total = sum(struct.unpack("!4H", body)); body = struct.pack("!BBHHH", 8, 0, ~total & 0xffff, 7, 1)
for _ in range(3):
    try:
        s.sendto(body, (sys.argv[1], 0))
        if s.recv(1500)[20] == 0: sys.exit(0)
    except OSError: time.sleep(0.1)
sys.exit(1)
"""


def test_a_guest_gets_its_address_its_metadata_and_a_way_out(lab: Lab) -> None:
    network = lab.network()
    port = lab.port(network, "10.7.0.5")
    network = replace(network, ports=(port,))
    lab.want(network)
    lab.start()
    until("dnsmasq", lab.dnsmasq)
    guest = lab.guest(network, port)
    answer = dhcp(guest, port.mac)
    assert socket.inet_ntoa(answer[0]) == "10.7.0.5"
    assert (answer[3], answer[6]) == (socket.inet_aton("10.7.0.1"), socket.inet_aton("9.9.9.9"))
    assert int.from_bytes(answer[26], "big") == 1400
    assert answer[15] == b"novalocal"
    assert answer[12] == b"guest-5"
    assert answer[121] == bytes([32]) + socket.inet_aton("169.254.169.254") + socket.inet_aton("10.7.0.1") + bytes([0]) + socket.inet_aton("10.7.0.1")

    configure(guest, "10.7.0.5", "10.7.0.1")
    metadata = FakeMetadata(lab.host)
    try:
        text = ask(guest, "GET /openstack/latest HTTP/1.1\nHost: x\nX-Forwarded-For: 6.6.6.6\nX-Instance-ID: evil\nConnection: close\n\n")
    finally:
        metadata.close()
    assert text.endswith("you asked /openstack/latest"), text
    seen = {name.lower(): value for name, value in metadata.seen[0].items()}
    assert (seen["x-instance-id"], seen["x-tenant-id"], seen["x-forwarded-for"]) == (port.device_id, port.project_id, "10.7.0.5")
    assert seen["x-instance-id-signature"] == signature(Secret(SECRET), port.device_id)

    # The world outside, behind the host: it knows nothing of 10.7.0.0/24.
    world = f"t{lab.id}-w"
    lab.guests.append(world)
    run("ip", "netns", "add", world)
    run("ip", "-n", lab.host, "link", "add", "up0", "type", "veth", "peer", "name", "up1", "netns", world)
    run("ip", "-n", lab.host, "addr", "add", "192.0.2.1/24", "dev", "up0")
    run("ip", "-n", lab.host, "link", "set", "up0", "up")
    run("ip", "-n", world, "addr", "add", "192.0.2.2/24", "dev", "up1")
    run("ip", "-n", world, "link", "set", "up1", "up")
    assert ping(guest, "192.0.2.2"), "the guest reaches the outside by address translation"
    assert ping(lab.host, "10.7.0.5"), "the host reaches its guests"


def test_killing_and_restarting_the_agent_disturbs_nothing(lab: Lab) -> None:
    network = lab.network()
    port = lab.port(network, "10.7.0.5")
    network = replace(network, ports=(port,))
    lab.want(network)
    lab.start()
    until("dnsmasq", lab.dnsmasq)
    guest = lab.guest(network, port)
    dhcp(guest, port.mac)
    configure(guest, "10.7.0.5", "10.7.0.1")
    assert ping(guest, "10.7.0.1")
    server = lab.dnsmasq()                       # it answers, so it has become a daemon and has its last pid

    def state() -> dict[str, Any]:
        return {
            (where, name): (link["ifindex"], link["address"], sorted((a["local"], a["prefixlen"]) for a in link["addr_info"]))
            for where in (lab.host, lab.inside(network)) for name, link in lab.links(where).items()
        }

    before, rules = state(), run("nsenter", f"--net=/run/netns/{lab.host}", "nft", "-a", "list", "ruleset")
    lab.kill()
    assert ping(guest, "10.7.0.1"), "guests need no agent"
    dhcp(guest, port.mac)
    lab.start()
    until("a second look", lambda: lab.log().count("applied in") == 2)
    assert lab.dnsmasq() == server, "the DHCP server is taken over, not restarted"
    assert state() == before
    assert run("nsenter", f"--net=/run/netns/{lab.host}", "nft", "-a", "list", "ruleset") == rules, "no rule was touched"
    metadata = FakeMetadata(lab.host)
    try:
        assert "200 OK" in ask(guest, "GET / HTTP/1.0\n\n")
    finally:
        metadata.close()


def test_what_is_broken_is_mended_and_what_is_not_wanted_is_removed(lab: Lab) -> None:
    first, second = lab.network(), lab.network("10.7.0")     # the same range twice
    first = replace(first, ports=(lab.port(first, "10.7.0.5"),))
    second = replace(second, ports=(lab.port(second, "10.7.0.5"),))
    run("ip", "-n", lab.host, "link", "add", "nlb-not-ours", "type", "bridge")
    run("ip", "-n", lab.host, "link", "add", "br-users", "type", "bridge")
    lab.want(first, second)
    lab.start()
    until("two servers", lambda: len(lab.dnsmasq()) == 2)
    until("both networks applied", lambda: "2 networks changed" in lab.log())

    # What a reboot would take away, while a guest runs: nobody rings, and the agent finds out by itself.
    guest = lab.guest(first, first.ports[0])
    inner = [name for name in namespaces.names(lab.prefix) if lab.inside(first) == name or lab.inside(second) == name]
    broken = time.monotonic()
    for name in inner:
        run("ip", "netns", "del", name)
    for name in lab.links().keys() - {"lo", "nlb-not-ours", "br-users", first.ports[0].tap}:
        run("ip", "-n", lab.host, "link", "del", name, check=False)
    run("nsenter", f"--net=/run/netns/{lab.host}", "nft", "flush", "ruleset")
    for pid in lab.dnsmasq():
        os.kill(pid, signal.SIGKILL)
    until("mended", lambda: set(inner) <= set(namespaces.names(lab.prefix)) and len(lab.dnsmasq()) == 2 and (
        len(lab.tables()) == 2 and lab.links()[first.ports[0].tap].get("master") == first.bridge), 40)
    sys.stdout.write(f"an emptied host is as it was after {time.monotonic() - broken:.1f} s\n")
    assert socket.inet_ntoa(dhcp(guest, first.ports[0].mac)[0]) == "10.7.0.5"

    run("ip", "netns", "del", guest)
    lab.want()
    until("removed", lambda: not lab.dnsmasq() and namespaces.names(lab.prefix) == sorted([lab.host]) + sorted(
        n for n in namespaces.names(lab.prefix) if n.startswith(f"{lab.prefix}g")))
    lab.ring()
    until("interfaces removed", lambda: set(lab.links()) == {"lo", "br-users", "nlb-not-ours"})
    until("tables removed", lambda: run("nsenter", f"--net=/run/netns/{lab.host}", "nft", "list", "tables") == "")
    assert list((lab.folder / "state").iterdir()) == []


def test_a_deleted_ports_lease_is_released_and_its_address_serves_the_next(lab: Lab) -> None:
    network = lab.network()
    old = lab.port(network, "10.7.0.5")
    lab.want(replace(network, ports=(old,)))
    lab.start()
    until("dnsmasq", lab.dnsmasq)
    guest = lab.guest(network, old)
    dhcp(guest, old.mac)
    leases = lab.folder / "state" / names.short(network.id) / "leases"
    until("a lease", lambda: old.mac in leases.read_text())
    run("ip", "netns", "del", guest)
    fresh = lab.port(network, "10.7.0.5")
    lab.want(replace(network, ports=(fresh,)))
    until("released", lambda: old.mac not in leases.read_text())
    guest = lab.guest(network, fresh)
    assert socket.inet_ntoa(dhcp(guest, fresh.mac)[0]) == "10.7.0.5"


def test_the_host_gets_to_the_network_which_is_used_not_to_one_of_the_same_range_which_lingers(lab: Lab) -> None:
    first, second = (replace(network, ports=(lab.port(network, "10.7.0.5"),)) for network in (lab.network(), lab.network()))

    def routed(network: DesiredNetwork) -> bool:
        routes = json.loads(run("ip", "-n", lab.host, "-j", "route", "show", "10.7.0.0/24"))
        return [route["dev"] for route in routes] == [f"nlw{names.short(network.id)}"]

    lab.want(first)
    lab.start(linger=600.0)
    until("the host's route", lambda: routed(first))
    lab.want(second)
    until("the route of the other", lambda: routed(second))
    lab.want(first)
    until("the route of the first again", lambda: routed(first))


def test_a_guest_can_only_speak_for_itself(lab: Lab) -> None:
    network = lab.network()
    one, two = lab.port(network, "10.7.0.5"), lab.port(network, "10.7.0.6")
    network = replace(network, ports=(one, two))
    lab.want(network)
    lab.start()
    until("dnsmasq", lab.dnsmasq)
    first, second = lab.guest(network, one), lab.guest(network, two)
    configure(first, "10.7.0.5", "10.7.0.1")
    configure(second, "10.7.0.6", "10.7.0.1")
    assert ping(first, "10.7.0.6")
    run("ip", "-n", first, "addr", "flush", "dev", "eth0")
    configure(first, "10.7.0.77", "10.7.0.1")
    assert not ping(first, "10.7.0.6"), "an address of somebody else is dropped"
    run("ip", "-n", first, "addr", "flush", "dev", "eth0")
    configure(first, "10.7.0.5", "10.7.0.1")
    assert ping(first, "10.7.0.6")
    run("ip", "-n", first, "link", "set", "eth0", "address", "fa:16:3e:99:99:99")
    run("ip", "-n", first, "route", "replace", "default", "via", "10.7.0.1")
    assert not ping(first, "10.7.0.6"), "a MAC address of somebody else is dropped"


def test_a_vxlan_network_joins_the_bridges_of_two_hosts(tmp_path: Path) -> None:
    labs = []
    try:
        for number in (1, 2):
            (tmp_path / str(number)).mkdir()
            labs.append(Lab(tmp_path / str(number)))
        one, two = labs
        run("ip", "-n", one.host, "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", two.host)
        for number, lab in enumerate(labs, 1):
            run("ip", "-n", lab.host, "addr", "add", f"198.51.100.{number}/24", "dev", "wire")
            run("ip", "-n", lab.host, "link", "set", "wire", "up")
        network = one.network(segment=77)
        ports = [one.port(network, f"10.7.0.{5 + number}") for number in range(2)]
        for number, lab in enumerate(labs):
            lab.want(replace(network, ports=(ports[number],), peers=(f"198.51.100.{2 - number}",)))
            lab.start(local_ip=f"198.51.100.{number + 1}")
        guests = []
        for number, lab in enumerate(labs):
            until("dnsmasq", lab.dnsmasq)
            until("a tunnel", lambda lab=lab: f"nlx{names.short(network.id)}" in lab.links())
            guests.append(lab.guest(network, ports[number]))
            assert socket.inet_ntoa(dhcp(guests[number], ports[number].mac)[0]) == f"10.7.0.{5 + number}"
            configure(guests[number], f"10.7.0.{5 + number}", "10.7.0.1")
        until("both networks to be done", lambda: all("applied in" in lab.log() for lab in labs))
        assert ping(guests[0], "10.7.0.6"), "guests of two hosts reach each other"
        assert ping(guests[1], "10.7.0.1"), "each by its own host's gateway"
        two.kill()
        run("ip", "-n", two.inside(network), "link", "set", "lan", "down")
        assert not ping(guests[1], "10.7.0.1"), "a gateway never answers over the tunnel"
        assert ping(guests[0], "10.7.0.6")
    finally:
        for lab in labs:
            sys.stdout.write(lab.log())
            lab.close()


def test_guests_make_themselves_ipv6_addresses(lab: Lab) -> None:
    network = lab.network()
    six = DesiredSubnet(id=str(uuid.uuid4()), cidr="fd00:7::/64", version=6, gateway="fd00:7::1", server="fd00:7::1", mode="slaac")
    network = replace(network, subnets=(*network.subnets, six))
    port = lab.port(network, "10.7.0.5")
    octets = bytes.fromhex(port.mac.replace(":", ""))
    own = socket.inet_ntop(socket.AF_INET6, bytes.fromhex("fd00000700000000") + bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:])
    port = replace(port, addresses=(*port.addresses, (six.id, own)))
    lab.want(replace(network, ports=(port,)))
    lab.start()
    until("dnsmasq", lab.dnsmasq)
    guest = lab.guest(network, port)
    until("an address", lambda: any(a["local"] == own for a in lab.links(guest)["eth0"]["addr_info"]), 25)
    assert socket.inet_ntoa(dhcp(guest, port.mac)[0]) == "10.7.0.5"


def settled(lab: Lab, what: str) -> None:
    """Have an agent look at everything, and wait until it has."""
    lab.ring()
    time.sleep(1)
    assert lab.process is not None and lab.process.poll() is None, what


def test_two_clouds_on_one_host_leave_each_other_alone(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one = Lab(tmp_path / "one")
    two = Lab(tmp_path / "two", beside=one)
    try:
        networks, ports, guests = [], [], []
        for lab in (one, two):                               # the same address range in both
            network = lab.network()
            ports.append(lab.port(network, "10.7.0.5"))
            networks.append(replace(network, ports=(ports[-1],)))
            lab.want(networks[-1])
            lab.start()
            until("dnsmasq", lab.dnsmasq)
            until("the network", lambda lab=lab: "1 networks changed" in lab.log())
        for lab, network, port in zip((one, two), networks, ports, strict=True):
            guests.append(lab.guest(network, port))
            assert socket.inet_ntoa(dhcp(guests[-1], port.mac)[0]) == "10.7.0.5"
            configure(guests[-1], "10.7.0.5", "10.7.0.1")
            assert ping(guests[-1], "10.7.0.1")
        transit = [a["local"] for link in one.links().values() if link["ifname"].startswith("nlw") for a in link["addr_info"]]
        assert len(set(transit)) == 2, "each network has a way out of its own"
        routes = json.loads(run("ip", "-n", one.host, "-j", "route", "show", "10.7.0.0/24"))
        assert [route["dev"] for route in routes] == [f"nlw{names.short(networks[0].id)}"], "the first has the route"
        assert two.log().count("it gets no route to network") == 1

        # Neither looks at, restarts with, or removes what is the other's.
        def pieces(lab: Lab, network: DesiredNetwork) -> Any:
            short = names.short(network.id)
            links = {name: link["ifindex"] for name, link in lab.links().items() if name.endswith(short)}
            return links, lab.dnsmasq(), {name: link["ifindex"] for name, link in lab.links(lab.inside(network)).items()}

        before = pieces(one, networks[0]), pieces(two, networks[1])
        rules = run("nsenter", f"--net=/run/netns/{one.host}", "nft", "-a", "list", "ruleset")
        for lab in (one, two):
            settled(lab, "it looks at everything")
            lab.kill()
            lab.start()
            until("a second look", lambda lab=lab: lab.log().count("applied in") == 2)
        assert (pieces(one, networks[0]), pieces(two, networks[1])) == before
        assert run("nsenter", f"--net=/run/netns/{one.host}", "nft", "-a", "list", "ruleset") == rules
        assert all(ping(guest, "10.7.0.1") for guest in guests)

        # The guard of each still holds, and stops no guest of the other.
        for guest, other in (guests, guests[::-1]):
            run("ip", "-n", guest, "addr", "flush", "dev", "eth0")
            configure(guest, "10.7.0.77", "10.7.0.1")
            assert not ping(guest, "10.7.0.1"), "an address of nobody is dropped"
            assert ping(other, "10.7.0.1")
            run("ip", "-n", guest, "addr", "flush", "dev", "eth0")
            configure(guest, "10.7.0.5", "10.7.0.1")
            assert ping(guest, "10.7.0.1")

        one.kill()
        done = one.remove()
        assert done.returncode == 1, "a guest which is no abandoned tap is still in the first cloud's bridge"
        assert f"{ports[0].tap} is in it" in done.stdout, done.stdout
        run("ip", "netns", "del", guests[0])
        done = one.remove()
        assert done.returncode == 0, done.stdout + done.stderr
        assert names.short(networks[1].id) in done.stdout, "it tells what it left alone"
        assert not one.dnsmasq()
        assert list((one.folder / "state").iterdir()) == []
        assert not [name for name in one.links() if name.endswith(names.short(networks[0].id))]
        assert pieces(two, networks[1]) == before[1]
        assert len(two.tables()) == 2
        assert ping(guests[1], "10.7.0.1")
        settled(two, "the other goes on")
        until("the route, which is free now", lambda: "10.7.0.0/24" in run("ip", "-n", two.host, "route"))
        assert ping(two.host, "10.7.0.5")
        dhcp(guests[1], ports[1].mac)
        assert "another network agent" not in one.log() + two.log()
    finally:
        for lab in (two, one):
            sys.stdout.write(lab.log())
            lab.close()


def test_what_has_no_tag_becomes_ours_if_it_is_wanted_and_is_left_alone_if_not(lab: Lab) -> None:
    network, stranger, kept = lab.network(), str(uuid.uuid4()), lab.network("10.8.0")
    run("ip", "-n", lab.host, "link", "add", network.bridge, "mtu", "1400", "type", "bridge", "forward_delay", "0")   # as compute makes it
    index = lab.links()[network.bridge]["ifindex"]
    foreign = f"nlb{names.short(stranger)}"
    run("ip", "-n", lab.host, "link", "add", foreign, "type", "bridge")
    port = lab.port(network, "10.7.0.5")
    lab.want(replace(network, ports=(port,)), kept)
    lab.start()
    until("dnsmasq", lambda: len(lab.dnsmasq()) == 2)
    until("both", lambda: "2 networks changed" in lab.log())
    assert lab.links()[network.bridge]["ifindex"] == index, "it is the bridge that was there"
    assert lab.links()[network.bridge]["ifalias"].startswith("novalike:")
    settled(lab, "it looks again")
    assert lab.log().count(f"left alone, as no network agent's tag is on them: {foreign};") == 1

    # An agent of the time before tags left its networks without any; the new one, and --remove, know them by their folders.
    lab.kill()
    for name in list(lab.links()):
        if names.is_ours(name):
            run("ip", "-n", lab.host, "link", "set", name, "alias", "", "group", "default")
    run("nsenter", f"--net=/run/netns/{lab.host}", "nft", "add", "table", "bridge", "novalike_guard")
    server = lab.dnsmasq()
    lab.start()
    until("tags", lambda: all("ifalias" in lab.links()[f"nl{kind}{names.short(network.id)}"] for kind in "bvw"))
    lab.want(replace(network, ports=(port,)))
    lab.ring()
    until("the unwanted removed", lambda: f"nlb{names.short(kept.id)}" not in lab.links())
    assert set(lab.dnsmasq()) < set(server)
    run("ip", "-n", lab.host, "link", "del", foreign)
    lab.ring()
    until("no table of the time before owners", lambda: "novalike_guard" not in lab.tables())

    lab.kill()
    run("ip", "-n", lab.host, "tuntap", "add", port.tap, "mode", "tap")      # of a guest which was killed
    run("ip", "-n", lab.host, "link", "set", port.tap, "master", network.bridge, "up")
    done = lab.remove()
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(lab.links()) == {"lo"}
    assert lab.tables() == set()
    assert namespaces.names(lab.prefix) == [lab.host]


def test_a_running_guests_tap_keeps_its_bridge(lab: Lab) -> None:
    network = lab.network()
    port = lab.port(network, "10.7.0.5")
    lab.want(replace(network, ports=(port,)))
    lab.start()
    until("the network", lambda: "1 networks changed" in lab.log())
    lab.kill()
    hold = (
        "import fcntl, struct, sys, time; tap = open('/dev/net/tun', 'r+b', buffering=0);"
        "fcntl.ioctl(tap, 0x400454ca, struct.pack('16sH', sys.argv[1].encode(), 0x1002)); print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen(
        ["nsenter", f"--net=/run/netns/{lab.host}", sys.executable, "-I", "-c", hold, port.tap], stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        run("ip", "-n", lab.host, "link", "set", port.tap, "master", network.bridge, "up")
        assert lab.remove().returncode == 1
        assert port.tap in lab.links()
    finally:
        holder.kill()
        holder.communicate()
    assert lab.remove().returncode == 0
    assert set(lab.links()) == {"lo"}


def test_a_network_of_another_agent_is_refused(lab: Lab) -> None:
    network = lab.network()
    network = replace(network, ports=(lab.port(network, "10.7.0.5"),))
    run("ip", "-n", lab.host, "link", "add", network.bridge, "type", "bridge")
    run("ip", "-n", lab.host, "link", "set", network.bridge, "alias", "novalike:red")
    lab.want(network)
    lab.start()
    until("a refusal", lambda: f"Interface {network.bridge} belongs to another network agent, red." in lab.log())
    assert "agent_owner = red" in lab.log()
    assert not lab.dnsmasq()
    lab.kill()
    lab.start(agent_owner="red")
    until("dnsmasq", lab.dnsmasq)


def test_without_translation_guests_of_the_other_cloud_still_get_out(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    closed = Lab(tmp_path / "one")
    open_ = Lab(tmp_path / "two", beside=closed)
    try:
        world = f"t{closed.id}-w"
        closed.guests.append(world)
        run("ip", "netns", "add", world)
        run("ip", "-n", closed.host, "link", "add", "up0", "type", "veth", "peer", "name", "up1", "netns", world)
        run("ip", "-n", closed.host, "addr", "add", "192.0.2.1/24", "dev", "up0")
        run("ip", "-n", closed.host, "link", "set", "up0", "up")
        run("ip", "-n", world, "addr", "add", "192.0.2.2/24", "dev", "up1")
        run("ip", "-n", world, "link", "set", "up1", "up")
        run("ip", "-n", world, "route", "add", "100.127.0.0/16", "via", "192.0.2.1")
        guests = []
        for number, lab in enumerate((closed, open_), 7):
            network = lab.network(f"10.{number}.0")
            port = lab.port(network, f"10.{number}.0.5")
            network = replace(network, ports=(port,))
            lab.want(network)
            lab.start(nat=lab is open_)
            until("the network", lambda lab=lab: "1 networks changed" in lab.log())
            guests.append(lab.guest(network, port))
            configure(guests[-1], f"10.{number}.0.5", f"10.{number}.0.1")
            assert ping(lab.host, f"10.{number}.0.5")
        assert not ping(guests[0], "192.0.2.2")
        assert ping(guests[1], "192.0.2.2")
    finally:
        for lab in (open_, closed):
            sys.stdout.write(lab.log())
            lab.close()
