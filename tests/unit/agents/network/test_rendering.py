"""What the agent writes for dnsmasq and nft, and what it makes of answers; nothing here needs root."""

from __future__ import annotations

from dataclasses import replace

import pytest

from novalike.agents.network import dhcp, names
from novalike.agents.network.desired import Desired
from novalike.agents.network.ownership import Ownership, owner_of
from novalike.exception import NovalikeError
from novalike.objects.network_state import (
    DesiredGroup,
    DesiredMembers,
    DesiredNetwork,
    DesiredNetworks,
    DesiredPort,
    DesiredRule,
    DesiredSubnet,
    KnownGroups,
)

NETWORK_ID = "0a1b2c3d-4e5f-4000-8000-000000000001"
SUBNET = DesiredSubnet(id="s", cidr="10.0.0.0/24", gateway="10.0.0.1", server="10.0.0.1", routes=(("10.9.0.0/16", "10.0.0.9"),))
PORT = DesiredPort(id="p", tap="tap0", mac="fa:16:3e:00:00:01", addresses=(("s", "10.0.0.5"),), hostname="web", device_id="i", project_id="x")
NETWORK = DesiredNetwork(id=NETWORK_ID, bridge="nlb0a1b2c3d-4e", mtu=1450, subnets=(SUBNET,), ports=(PORT,))


def server(**settings) -> dhcp.Dhcp:
    ownership = Ownership(owner="", state_path="/nowhere", prefix="nln-")
    return dhcp.Dhcp(ownership, **{"domain": "novalocal", "lease_time": 600, "dns_servers": ("9.9.9.9",), **settings})


def test_names_fit_an_interface() -> None:
    assert names.is_ours("nlb" + names.short(NETWORK_ID))
    assert len("nlb" + names.short(NETWORK_ID)) <= 15
    for other in ("nlb0", "docker0", "nlb-not-ours", "tap0a1b2c3d-4e", "nlz0a1b2c3d-4e"):
        assert not names.is_ours(other)
    assert names.inside_mac(NETWORK_ID) == "0e:0a:1b:2c:3d:4e"


def test_an_owner_is_known_by_its_state_path_or_its_name(tmp_path) -> None:
    def owner(path, name="") -> str:
        return Ownership(owner=name, state_path=str(path), prefix="nln-").owner

    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert owner(tmp_path / "a") == owner(tmp_path / "link") == owner(tmp_path / "b" / ".." / "a")
    assert owner(tmp_path / "a") != owner(tmp_path / "b")
    assert owner(tmp_path / "a", "blue") == "blue"


def test_a_tag_makes_an_interface_ours_and_nobody_elses() -> None:
    ours, theirs = (Ownership(owner=name, state_path="/nowhere", prefix="nln-") for name in ("blue", "red"))
    bare = {"ifname": "nlb0a1b2c3d-4e", "group": "default"}
    marked = {**bare, "ifalias": "novalike:blue"}
    assert ours.marks(bare) == ["link set dev nlb0a1b2c3d-4e alias novalike:blue"]
    assert ours.marks({**marked, "ifname": "nlw0a1b2c3d-4e"}) == [f"link set dev nlw0a1b2c3d-4e group {ours.group}"]
    assert ours.marks(marked) == []
    assert owner_of({**bare, "ifalias": "uplink of rack 7"}) is None
    with pytest.raises(NovalikeError, match="another network agent, blue"):
        theirs.marks(marked)


def test_dhcp_tells_gateway_metadata_route_mtu_and_name_server() -> None:
    config = server().render_config(NETWORK, "/nowhere/x").splitlines()
    assert "dhcp-range=set:s0,10.0.0.0,static,255.255.255.0,600s" in config
    assert "dhcp-option=tag:s0,option:router,10.0.0.1" in config
    assert "dhcp-option=tag:s0,option:mtu,1450" in config
    assert "dhcp-option=tag:s0,option:dns-server,10.0.0.1" in config, "without servers of its own, the network's dnsmasq answers names"
    assert "dhcp-option=tag:s0,option:classless-static-route,169.254.169.254/32,10.0.0.1,10.9.0.0/16,10.0.0.9,0.0.0.0/0,10.0.0.1" in config
    assert "no-ping" in config
    assert "server=9.9.9.9" in config


def test_a_network_without_gateway_tells_no_router() -> None:
    isolated = replace(SUBNET, gateway=None, server="10.0.0.2", routes=(), dns=("1.1.1.1",))
    config = server().render_config(replace(NETWORK, subnets=(isolated,)), "/x").splitlines()
    assert "dhcp-option=tag:s0,option:router" in config
    assert "dhcp-option=tag:s0,option:classless-static-route,169.254.169.254/32,10.0.0.2" in config
    assert "dhcp-option=tag:s0,option:dns-server,1.1.1.1" in config


def test_a_subnet_without_dhcp_has_no_range() -> None:
    config = server().render_config(replace(NETWORK, subnets=(replace(SUBNET, dhcp=False),)), "/x")
    assert "dhcp-range" not in config


def test_hosts_have_a_name_each() -> None:
    nameless = replace(PORT, mac="fa:16:3e:00:00:02", addresses=(("s", "10.0.0.6"),), hostname="")
    assert dhcp.render_hosts(replace(NETWORK, ports=(nameless, PORT))) == (
        "fa:16:3e:00:00:01,10.0.0.5,web\nfa:16:3e:00:00:02,10.0.0.6,host-10-0-0-6\n"
    )


def test_a_release_is_what_the_guest_would_send() -> None:
    message = dhcp.release_message("10.0.0.1", "10.0.0.5", "fa:16:3e:00:00:01", "01:fa:16:3e:00:00:01")
    assert message[12:16] == bytes([10, 0, 0, 5])
    assert message[28:34] == bytes.fromhex("fa163e000001")
    assert message[236:243] == b"\x63\x82\x53\x63\x35\x01\x07"
    assert message.endswith(b"\x3d\x07\x01\xfa\x16\x3e\x00\x00\x01\xff")


def test_leases_are_read(tmp_path) -> None:
    (tmp_path / "leases").write_text("1700 fa:16:3e:00:00:01 10.0.0.5 web *\nduid 00:01\n")
    assert dhcp.read_leases(f"{tmp_path}/leases") == [("1700", "fa:16:3e:00:00:01", "10.0.0.5", "web", "*")]
    assert dhcp.read_leases(f"{tmp_path}/none") == []


def test_loopback_resolvers_are_left_out(tmp_path) -> None:
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.53\nnameserver 192.0.2.1\nsearch x\nnameserver\n")
    assert dhcp.resolvers(f"{tmp_path}/resolv.conf") == ("192.0.2.1",)


def test_security_groups_are_taken_by_revision_and_forgotten_when_no_port_is_in_them() -> None:
    desired = Desired()
    group = DesiredGroup(id="g", revision=3, rules=(DesiredRule(direction="ingress", group="r"),))
    members = DesiredMembers(id="r", revision=7, addresses=("10.0.0.9",))
    inside = replace(NETWORK, ports=(replace(PORT, groups=("g",)),))
    desired.take(DesiredNetworks(revision=1, full=True, networks=(inside,), groups=(group,), members=(members,)))
    assert desired.known() == KnownGroups(rules={"g": 3}, members={"r": 7})
    desired.take(DesiredNetworks(revision=1, full=False, members=(replace(members, revision=8),)))
    assert desired.known() == KnownGroups(rules={"g": 3}, members={"r": 8})
    desired.take(DesiredNetworks(revision=1, full=False, groups=(replace(group, revision=4, rules=()),)))
    assert desired.known() == KnownGroups(rules={"g": 4}), "no rule names it any more"
    desired.take(DesiredNetworks(revision=2, full=False, networks=(NETWORK,)))
    assert desired.known() == KnownGroups()


def test_answers_are_taken_whole_or_as_changes() -> None:
    desired = Desired()
    other = replace(NETWORK, id="other")
    assert desired.take(DesiredNetworks(revision=3, full=True, networks=(NETWORK, other))) == ({NETWORK.id, "other"}, set())
    assert desired.take(DesiredNetworks(revision=3, full=True, networks=(NETWORK, other))) == (set(), set())
    assert desired.take(DesiredNetworks(revision=4, full=False, networks=(), gone=("other", "unknown"))) == (set(), {"other"})
    changed = replace(NETWORK, mtu=1400)
    assert desired.take(DesiredNetworks(revision=5, full=False, networks=(changed,))) == ({NETWORK.id}, set())
    assert desired.take(DesiredNetworks(revision=6, full=True)) == (set(), {NETWORK.id})
    assert desired.revision == 6


def test_the_port_that_asks_is_found_by_network_and_address() -> None:
    desired = Desired()
    twin = replace(NETWORK, id="twin", ports=(replace(PORT, device_id="other"),))
    desired.take(DesiredNetworks(revision=1, full=True, networks=(NETWORK, twin)))
    assert desired.port_at(NETWORK.id, "10.0.0.5").device_id == "i"
    assert desired.port_at("twin", "10.0.0.5").device_id == "other"
    assert desired.port_at(NETWORK.id, "10.0.0.6") is None
    assert desired.port_at("nowhere", "10.0.0.5") is None
