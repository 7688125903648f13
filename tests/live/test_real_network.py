"""Networks as real guests see them: three of them on two hosts, in two projects which use the same addresses, and the world
outside. `near` and `far` share a network over both hosts; `twin` is on near's host, in another project, with near's address."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from devstack.guest_image import GuestImage
from tests.live.clouds import SDK_WARNS, Cloud, measured, until
from tests.live.guests import Guest, World, worlds
from tests.live.test_routers import Speaker
from tests.live.wires import RANGE, WORLD, Outside, Wiretap, node_namespace

pytestmark = [
    pytest.mark.libvirt, pytest.mark.root, pytest.mark.mariadb, pytest.mark.rabbitmq, pytest.mark.timeout(300), SDK_WARNS,
]
NEAR, FAR = "10.66.0.10", "10.66.0.11"
MTU = 1450
SLOW = 1000                                      # KiB/s which far's flavor lets it receive
METADATA = "http://169.254.169.254/openstack/latest/meta_data.json"


@dataclass(frozen=True)
class Server(Guest):
    """A guest with what the API says of its first port, on the host where it stays."""

    name: str
    port: Any
    host: int

    @property
    def node(self) -> int:
        return self.host

    def does(self, command: str) -> str:
        """Run a command in it, which must succeed; answer what it prints."""
        status, output = self.ask(command)
        assert status == 0, f"{self.name}: {command}: {output}"
        return output

    def pings(self, target: str, words: str = "") -> bool:
        return self.ask(f"ping -c 1 -W 1 {words} {target}")[0] == 0

    def reaches(self, target: str, words: str = "") -> None:
        """Fail unless it gets an answer from there, some time."""
        until(f"{self.name} to reach {target}", lambda: self.pings(target, words), 15, pause=0)

    def reads(self, target: str, port: int) -> str:
        """Answer what a server of TCP says."""
        return self.ask(f"nc -w 5 {target} {port} < /dev/null")[1]

    def refused(self, target: str, port: int) -> bool:
        """Whether there is no way to a server of TCP (which is known after a second)."""
        return self.ask(f"nc -w 1 {target} {port} < /dev/null")[0] != 0

    def serves(self, *ports: int) -> None:
        """Say its name on ports to whoever comes, and then echo; fine where it does already."""
        for port in ports:
            self.does(f"nc -ll -p {port} -e sh -c 'echo {self.name}; exec cat' > /dev/null 2>&1 < /dev/null &")

    def six(self) -> str:
        """Its IPv6 address, as the API shows it."""
        return next(ip["ip_address"] for ip in self.port.fixed_ips if ":" in ip["ip_address"])


@dataclass(frozen=True)
class Town:
    cloud: Cloud
    outside: Outside
    near: Server
    far: Server
    twin: Server
    key: Any
    external: str
    groups: dict[str, str]

    def wiretap(self, server: Server) -> Wiretap:
        return Wiretap(node_namespace(self.cloud, server.host), f"tap{server.port.id[:11]}")


def group(sdk: Any, name: str, *rules: dict[str, Any], known: dict[str, str]) -> str:
    """Make a security group; a `remote_group` in its rules is one of those known."""
    made = sdk.network.create_security_group(name=name)
    for rule in rules:
        remote = {"remote_group_id": known[rule["remote_group"]]} if "remote_group" in rule else {}
        rest = {word: value for word, value in rule.items() if word != "remote_group"}
        sdk.network.create_security_group_rule(security_group_id=made.id, **{"direction": "ingress", "ether_type": "IPv4", **rest, **remote})
    return made.id


def tcp(port: int, **more: str) -> dict[str, Any]:
    return {"protocol": "tcp", "port_range_min": port, "port_range_max": port, **more}


def network(sdk: Any, name: str, cidr: str, external: str) -> tuple[str, str]:
    """Make a network with a router to the external one, or one with neither DHCP nor gateway; answer network and router."""
    made = sdk.network.create_network(name=name)
    if not external:
        sdk.network.create_subnet(network_id=made.id, ip_version=4, cidr=cidr, is_dhcp_enabled=False, gateway_ip=None)
        return made.id, ""
    inner = [sdk.network.create_subnet(network_id=made.id, ip_version=4, cidr=cidr)]
    inner.append(sdk.network.create_subnet(
        network_id=made.id, ip_version=6, cidr="fd00:66::/64", ipv6_ra_mode="slaac", ipv6_address_mode="slaac",
    ))
    router = sdk.network.create_router(name=name, external_gateway_info={"network_id": external})
    for one in inner:
        sdk.network.add_interface_to_router(router, subnet_id=one.id)
    return made.id, router.id


def boot(world: World, sdk: Any, name: str, ports: list[Any], **settings: Any) -> str:
    return sdk.compute.create_server(
        name=name, image_id=world.root, flavor_id=world.flavor, key_name="guests", networks=[{"port": port.id} for port in ports], **settings,
    ).id


@pytest.fixture(scope="module")
def world(two_nodes, guest, tmp_path_factory) -> Iterator[World]:
    yield from worlds(two_nodes, guest, tmp_path_factory.mktemp("key"))


def without_network(sdk: Any, network_id: str, router: str) -> None:
    """Remove a network with its router and its ports."""
    for leg in list(sdk.network.ports(network_id=network_id)):
        if leg.device_owner == "network:router_interface":
            sdk.network.remove_interface_from_router(leg.device_id, port_id=leg.id)
        elif not leg.device_owner.startswith("network:"):
            sdk.network.delete_port(leg)
    if router:
        sdk.network.delete_router(router)
    sdk.network.delete_network(network_id)


@pytest.fixture(scope="module")
def town(world: World, guest) -> Iterator[Town]:
    with contextlib.ExitStack() as end:
        yield build(world, guest, end)


def build(world: World, guest: GuestImage, end: contextlib.ExitStack) -> Town:
    """Make everything, which `end` removes."""
    cloud, admin, demo = world.cloud, world.cloud.admin, world.cloud.demo
    outside = Outside(cloud)
    end.callback(outside.close)
    image = admin.image.create_image(
        "agent", data=guest.root.read_bytes(), disk_format="raw", container_format="bare", visibility="public", kernel_id=world.kernel,
        ramdisk_id=world.ramdisk, hw_qemu_guest_agent="yes",
    )
    end.callback(admin.image.delete_image, image)
    for one in (world.kernel, world.ramdisk):
        admin.image.update_image(one, visibility="public")
    world = replace(world, root=image.id)
    demo.compute.create_keypair(name="guests", public_key=world.key.with_suffix(".pub").read_text().strip())
    end.callback(demo.compute.delete_keypair, "guests")

    external = admin.network.create_network(
        name="public", is_router_external=True, provider_network_type="flat", provider_physical_network="public",
    ).id
    end.callback(admin.network.delete_network, external)
    admin.network.create_subnet(network_id=external, ip_version=4, cidr=RANGE, gateway_ip=WORLD, is_dhcp_enabled=False)

    icmp = [{"protocol": "icmp"}, {"protocol": "ipv6-icmp", "ether_type": "IPv6"}]
    groups: dict[str, str] = {}
    for sdk, name, rules in (
        (admin, "friends", []), (admin, "open", [tcp(22), tcp(80), tcp(80, ether_type="IPv6"), *icmp]), (admin, "shut", [tcp(22), *icmp]),
        (admin, "named", [tcp(81, remote_group="friends")]), (demo, "twin", [tcp(80), *icmp]),
    ):
        groups[name] = group(sdk, name, *rules, known=groups)
        end.callback(sdk.network.delete_security_group, groups[name])
    networks, routers = {}, {}
    for sdk, name, cidr, way_out in (
        (admin, "red", "10.66.0.0/24", external), (demo, "blue", "10.66.0.0/24", external), (demo, "plain", "10.77.0.0/24", ""),
    ):
        networks[name], routers[name] = network(sdk, name, cidr, way_out)
        end.callback(without_network, sdk, networks[name], routers[name])
    leg = demo.network.create_port(network_id=networks["plain"], fixed_ips=[{"ip_address": "10.77.0.1"}])
    demo.network.add_interface_to_router(routers["blue"], port_id=leg.id)
    ports = {
        name: sdk.network.create_port(
            network_id=networks[where], fixed_ips=[{"ip_address": address}], security_group_ids=[groups[name] for name in names],
        ) for sdk, name, where, address, names in (
            (demo, "twin", "blue", NEAR, ["twin"]), (demo, "plain", "plain", "10.77.0.10", ["twin"]),
            (admin, "near", "red", NEAR, ["open", "named"]), (admin, "far", "red", FAR, ["shut"]),
        )
    }
    slow = admin.compute.create_flavor(name="slow", ram=128, vcpus=1, disk=1)
    end.callback(admin.compute.delete_flavor, slow)
    admin.compute.create_flavor_extra_specs(slow, {"quota:vif_inbound_average": str(SLOW)})
    begun = time.monotonic()
    servers = {"twin": boot(world, demo, "twin", [ports["twin"], ports["plain"]], config_drive=True)}
    end.callback(without_servers, cloud, servers)
    here = int(until("twin has a host", lambda: admin.compute.get_server(servers["twin"]).compute_host, 30, pause=0.1).removeprefix("node"))
    hosts = {"twin": here, "near": here, "far": 3 - here}
    for name in ("near", "far"):
        size = slow.id if name == "far" else world.flavor
        servers[name] = boot(replace(world, flavor=size), admin, name, [ports[name]], availability_zone=f"nova:node{hosts[name]}")
    found = {}
    for name, host in hosts.items():
        cloud.wait(servers[name], "ACTIVE")
        found[name] = Server(world, servers[name], FAR if name == "far" else NEAR, name, ports[name], host)
    for server in found.values():
        until(f"{server.name} is up", lambda server=server: server.ask("pidof dropbear", seconds=120)[0] == 0, 120)
    measured(f"three guests on two hosts are up after {time.monotonic() - begun:.1f} s")
    return Town(cloud, outside, found["near"], found["far"], found["twin"], world.key, external, groups)


def without_servers(cloud: Cloud, servers: dict[str, str]) -> None:
    """Delete servers, and floating addresses, which are in the way of their networks' end."""
    for server in servers.values():
        cloud.admin.compute.delete_server(server)
    for server in servers.values():
        cloud.wait_gone(server)
    for sdk in (cloud.admin, cloud.demo):
        for ip in list(sdk.network.ips(project_id=sdk.current_project_id)):
            sdk.network.delete_ip(ip)


def test_addresses_and_full_size_packets_between_two_hosts(town: Town) -> None:
    assert town.near.host != town.far.host
    for server in (town.near, town.far):
        for address in (ip["ip_address"] for ip in server.port.fixed_ips):
            until(f"{server.name} has {address}", lambda s=server, a=address: f" {a}/" in s.does("ip addr show eth0"), 20)
        assert "default via fe80:" in server.does("ip -6 route"), "the router is advertised on both hosts"
        assert server.does("cat /sys/class/net/eth0/mtu") == str(MTU)
    town.near.reaches(FAR)
    town.far.reaches(NEAR)
    town.far.reaches(town.near.six(), "-6")
    wire = Wiretap(node_namespace(town.cloud, town.near.host), "eth0")
    try:
        town.near.reaches(FAR, f"-s {MTU - 28}")  # what the guest thinks that it can send arrives
        sizes = {len(frame) for frame in wire.frames() if frame[12:14] == b"\x08\x00" and frame[36:38] == (4789).to_bytes(2, "big")}
        assert MTU + 50 + 14 in sizes, "as a single packet, which fills the wire"
    finally:
        wire.close()
    town.near.does("{ sleep 60 | nc -l -p 80; } > /tmp/got 2> /dev/null < /dev/null &")
    sent = town.far.does(f"dd if=/dev/urandom of=/tmp/sent bs=64k count=48 2> /dev/null; nc {NEAR} 80 < /tmp/sent; md5sum < /tmp/sent")
    assert town.near.does("md5sum < /tmp/got") == sent, "and so does TCP, at its full speed"


def test_a_flavor_limits_what_a_server_receives(town: Town) -> None:
    amount = 4 * SLOW
    town.near.does(f"dd if=/dev/urandom of=/tmp/big bs=1k count={amount} 2> /dev/null; {{ nc -l -p 80 < /tmp/big; }} > /dev/null 2>&1 &")
    timed = (                                     # both nc end when one of them hears nothing more: the other way stays open, too
        f"mkfifo /tmp/still; sleep 90 > /tmp/still & read a rest < /proc/uptime; until nc {NEAR} 80 < /tmp/still > /tmp/got; do sleep 0.2; "
        "done; read b rest < /proc/uptime; kill $!; echo $a $b; wc -c < /tmp/got"
    )
    begun, ended, size = map(float, town.far.does(timed).split())
    measured(f"{amount} KiB for a server which may receive {SLOW} KiB/s came in {ended - begun:.1f} s")
    assert size == amount * 1024
    assert ended - begun > (amount - SLOW) / SLOW * 0.9, "a second's worth may come at once"


def test_groups_let_pass_what_they_say_and_follow_their_members(town: Town) -> None:
    near, far, sdk = town.near, town.far, town.cloud.admin
    near.serves(80, 81, 82)
    far.serves(80)
    assert far.reads(NEAR, 80) == "near"
    assert far.reads(near.six(), 80) == "near"
    assert far.refused(NEAR, 82), "no rule lets it in"
    assert near.refused(FAR, 80), "nor here, whatever may go the other way"
    assert near.refused(far.six(), 80)
    assert far.refused(NEAR, 81), "it is no friend yet"
    sdk.compute.add_security_group_to_server(far.id, {"name": "friends"})
    begun = time.monotonic()
    until("the friend's way in", lambda: not far.refused(NEAR, 81), 20, pause=0)
    measured(f"a new member of a remote group gets in after {time.monotonic() - begun:.1f} s")
    with flow(far, NEAR, 81):
        sdk.compute.remove_security_group_from_server(far.id, {"name": "friends"})
        until("the former friend's end", lambda: far.refused(NEAR, 81), 20, pause=0)

    [rule] = sdk.network.security_group_rules(security_group_id=town.groups["shut"], direction="egress", ether_type="IPv4")
    sdk.network.delete_security_group_rule(rule)
    until("far to be kept in", lambda: far.refused(NEAR, 80), 20, pause=0)
    near.reaches(FAR)  # but it answers
    sdk.network.create_security_group_rule(security_group_id=town.groups["shut"], direction="egress", ether_type="IPv4")
    until("far to be let out", lambda: not far.refused(NEAR, 80), 20, pause=0)


@contextlib.contextmanager
def flow(server: Server, target: str, port: int) -> Iterator[None]:
    """Keep a connection with a server busy; afterwards it must still be."""
    server.does(f"touch /tmp/on; {{ while [ -e /tmp/on ]; do date; sleep 0.1; done | nc {target} {port}; }} > /tmp/flow 2> /dev/null < /dev/null &")

    def heard() -> int:
        return int(server.does("wc -l < /tmp/flow"))
    until("the flow", lambda: heard() > 1, 10)
    yield
    before = heard()
    until("the flow to go on", lambda: heard() > before + 3, 10)
    server.does("rm /tmp/on")


def test_projects_with_the_same_addresses_are_apart_and_metadata_know_them(town: Town) -> None:
    near, far, twin = town.near, town.far, town.twin
    assert (near.address, near.host) == (twin.address, twin.host)
    near.serves(80)
    twin.serves(80)
    assert far.reads(NEAR, 80) == "near", "not its twin, which has the address on the same host"
    assert not twin.pings(FAR), "nobody has it in twin's network"
    for server in (near, far, twin):
        lie = "--header 'X-Instance-ID: evil' --header 'X-Forwarded-For: 10.66.0.11' --header 'X-Tenant-ID: evil'"
        told = json.loads(server.does(f"wget -q -O - {lie} {METADATA}"))
        assert (told["uuid"], told["name"]) == (server.id, server.name)


def test_floating_addresses_lead_from_outside_to_either_host_and_move(town: Town) -> None:
    admin, demo, outside = town.cloud.admin.network, town.cloud.demo.network, town.outside
    speaker = Speaker(outside.namespace, WORLD, "world")
    try:
        floating = admin.create_ip(floating_network_id=town.external, port_id=town.near.port.id)
        address = floating.floating_ip_address
        begun = time.monotonic()
        until("near from outside", lambda: outside.ssh(address, town.key, "hostname") == "near", 40, pause=0)
        measured(f"a floating address leads to a guest, and lets log in, after {time.monotonic() - begun:.1f} s")
        assert town.near.reads(WORLD, 8080) == f"world sees {address}"
        others = town.far.reads(WORLD, 8080).removeprefix("world sees ")
        assert others.startswith("172.24.4."), "the others are seen as their router"
        assert others != address
        other = demo.create_ip(floating_network_id=town.external, port_id=town.twin.port.id).floating_ip_address
        until("twin from outside", lambda: outside.reads(other, 80) == "twin", 20)
        assert town.far.reads(other, 80) == "twin", "projects reach each other by floating addresses"
        shown = [ip["addr"] for ip in town.cloud.admin.compute.get_server(town.near.id).addresses["red"] if ip["OS-EXT-IPS:type"] == "floating"]
        assert shown == [address]

        admin.update_ip(floating, port_id=town.far.port.id)
        begun = time.monotonic()
        until("far from outside", lambda: outside.ssh(address, town.key, "hostname") == "far", 40, pause=0)
        measured(f"a floating address leads to another guest on another host after {time.monotonic() - begun:.1f} s")
        assert town.far.reads(WORLD, 8080) == f"world sees {address}"
        assert town.near.reads(WORLD, 8080) == f"world sees {others}"
    finally:
        speaker.close()


def test_a_guest_sends_as_nobody_else(town: Town) -> None:
    near, far, admin = town.near, town.far, town.cloud.admin.network
    taps = town.wiretap(near), town.wiretap(far)
    mine = bytes.fromhex(near.port.mac_address.replace(":", ""))

    def arrives(command: str, is_it: Callable[[bytes], bool]) -> bool:
        """Have near send something, which is seen to leave it, and answer whether it arrives at far's tap."""
        for tap in taps:
            tap.frames()
        near.ask(command)
        left, arrived = ([frame for frame in tap.frames() if is_it(frame)] for tap in taps)
        assert left, f"{command} sent nothing"
        return bool(arrived)
    try:
        assert arrives(f"ping -c 1 -W 1 {FAR}", lambda frame: frame[6:12] == mine and frame[26:30] == bytes([10, 66, 0, 10]))
        near.does("ip addr add 10.66.0.77/24 dev eth0")
        assert not arrives(f"ping -c 1 -W 1 -I 10.66.0.77 {FAR}", lambda frame: frame[26:30] == bytes([10, 66, 0, 77]))
        assert not arrives(f"arping -U -c 1 -w 1 -s 10.66.0.77 {FAR}", lambda frame: frame[12:14] == b"\x08\x06" and frame[28:32] == bytes([10, 66, 0, 77]))
        near.does("ip addr del 10.66.0.77/24 dev eth0")

        admin.create_security_group_rule(
            security_group_id=town.groups["open"], direction="ingress", protocol="udp", port_range_min=67, port_range_max=67,
        )
        near.does(
            "printf 'start 10.66.0.200\nend 10.66.0.210\ninterface eth0\nlease_file /tmp/leases\n' > /tmp/udhcpd; touch /tmp/leases;"
            "udhcpd -I 10.66.0.10 -a 1 /tmp/udhcpd",
        )
        for tap in taps:
            tap.frames()
        until("near to answer what far asks", lambda: asked(far) and any(is_offer(frame, mine) for frame in taps[0].frames()), 20)
        assert not [frame for frame in taps[1].frames() if is_offer(frame, mine)], "and far does not hear it"
        near.does("killall udhcpd")

        mac = near.does("cat /sys/class/net/eth0/address")
        near.does("ip link set eth0 address fa:16:3e:99:99:99")
        assert not arrives(f"ping -c 1 -W 1 {FAR}", lambda frame: frame[6:12] == bytes.fromhex("fa163e999999"))
        near.does(f"ip link set eth0 address {mac}; ip route add default via 10.66.0.1 2> /dev/null; true")
        until("it is itself again", lambda: near.pings(FAR), 10)
    finally:
        for tap in taps:
            tap.close()


def asked(server: Server) -> str:
    """Have a guest ask for an address, without taking it; answer what it says."""
    output = server.does("udhcpc -i eth0 -n -q -t 10 -T 1 -s /bin/true")
    assert f"lease of {server.address} obtained from 10.66.0." in output
    return output


def is_offer(frame: bytes, mac: bytes) -> bool:
    return frame[6:12] == mac and frame[12:14] == b"\x08\x00" and frame[23] == 17 and frame[34:38] == bytes([0, 67, 0, 68])


def test_a_network_without_dhcp_is_told_by_the_config_drive(town: Town) -> None:
    twin = town.twin
    assert " 10.77.0.10/24" in twin.does("ip addr show eth1"), "its second network card, on a network without DHCP"
    twin.reaches("10.77.0.1")
    told = json.loads(twin.does("cat /run/config/openstack/latest/network_data.json"))
    mtu = {link["ethernet_mac_address"]: link["mtu"] for link in told["links"]}
    assert mtu == {twin.does(f"cat /sys/class/net/eth{number}/address"): MTU for number in range(2)}
    kinds = {one["type"]: one for one in told["networks"]}
    assert sorted(kinds) == ["ipv4", "ipv4_dhcp", "ipv6_slaac"]
    assert (kinds["ipv4"]["ip_address"], kinds["ipv4"]["netmask"]) == ("10.77.0.10", "255.255.255.0")
    assert kinds["ipv6_slaac"]["ip_address"] == twin.six()


def test_flows_outlive_both_network_daemons_which_make_up_for_what_they_missed(town: Town) -> None:
    near, far, sdk, cloud = town.near, town.far, town.cloud.admin, town.cloud
    near.serves(80, 82)
    with flow(far, NEAR, 80):
        for number in (1, 2):
            cloud.kill(f"network{number}")
        rule = sdk.network.create_security_group_rule(security_group_id=town.groups["open"], direction="ingress", **tcp(82))
        assert far.refused(NEAR, 82)
        for number in (1, 2):
            cloud.start(f"network{number}")
        begun = time.monotonic()
        until("the rule of the meantime", lambda: not far.refused(NEAR, 82), 20)
        measured(f"both network daemons killed: a rule of the meantime is in force {time.monotonic() - begun:.1f} s after their start")
    sdk.network.delete_security_group_rule(rule)
    assert json.loads(far.does(f"wget -q -O - {METADATA}"))["uuid"] == far.id
