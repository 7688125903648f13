"""What is rendered for routers, wires and options: the parts which need no kernel."""

from __future__ import annotations

from dataclasses import replace

from novalike.agents.network import advertising, router_rules
from novalike.agents.network.bridges import vlan_commands
from novalike.agents.network.dhcp import render_hosts, render_options
from novalike.agents.network.routers import network_of
from novalike.objects.network_state import DesiredLeg, DesiredNetwork, DesiredPort, DesiredRouter

INNER = DesiredLeg(id="1" * 36, network_id="inner", bridge="b1", mac="fa:16:3e:00:00:01", addresses=(("10.0.0.1", "10.0.0.0/24"),))
OUTER = DesiredLeg(id="2" * 36, network_id="ext", bridge="b2", mac="fa:16:3e:00:00:02", addresses=(("192.0.2.9", "192.0.2.0/24"),), external=True)
ROUTER = DesiredRouter(id="r" * 36, legs=(INNER, OUTER), gateways=("192.0.2.1",))


def test_an_address_is_known_by_its_network_and_strangers_by_none() -> None:
    assert [network_of(ROUTER, peer) for peer in ("10.0.0.7", "192.0.2.7", "10.1.0.7", "nonsense")] == ["inner", None, None, None]


def test_without_floating_addresses_or_gateway_nothing_is_translated() -> None:
    assert "snat ip to 192.0.2.9" in router_rules.render(ROUTER)
    assert "dnat" not in router_rules.render(replace(ROUTER, floating=())).split("chain postrouting")[0]
    lonely = router_rules.render(replace(ROUTER, legs=(INNER,), gateways=()))
    assert "snat" not in lonely
    assert "drop" not in lonely
    open_router = router_rules.render(replace(ROUTER, snat=False))
    assert "ip saddr { 10.0.0.0/24 } snat ip to 192.0.2.9" in open_router, "neighbours which use floating addresses come back by the router"
    assert 'oifname "out*" ip saddr' not in open_router
    assert "ct state new drop" not in open_router


def test_advertisements_say_how_addresses_are_had() -> None:
    def told(mode: str) -> str:
        leg = replace(INNER, addresses=(("fd00::1", "fd00::/64"),), advertised=(("fd00::/64", mode, ("fd00::53", "9.9.9.9")),))
        return advertising.render(replace(ROUTER, legs=(leg,)), "/folder")

    assert advertising.render(ROUTER, "/folder") == ""
    assert ",fd00::,ra-only,64," in told("slaac")
    assert "option6:dns-server,[fd00::53]\n" in told("slaac")
    assert "dhcp-ignore" in told("dhcpv6-stateful"), "addresses are given by the network's own server"


def test_a_vlan_network_has_a_device_on_its_wire() -> None:
    network = DesiredNetwork(id="n" * 36, bridge="nlb", mtu=1400, kind="vlan", segment=100, wire="wire")
    assert vlan_commands("eth1", "nlqnnnnnnnnnnn", network) == ["link add link eth1 name nlqnnnnnnnnnnn mtu 1400 type vlan id 100"]


def test_options_of_a_port_are_for_that_port_alone() -> None:
    port = DesiredPort(id="p" * 36, tap="t", mac="fa:16:3e:00:00:07", addresses=(("s", "10.0.0.7"),), options=(("ntp-server", "1.2.3.4", 4), ("42", "x", 4)))
    network = DesiredNetwork(id="n" * 36, bridge="b", ports=(port, replace(port, id="q" * 36, mac="fa:16:3e:00:00:08", options=())))
    assert render_options(network) == "tag:pppppppppppp,option:ntp-server,1.2.3.4\ntag:pppppppppppp,42,x\n"
    assert "fa:16:3e:00:00:07,set:pppppppppppp,10.0.0.7" in render_hosts(network)
    assert "fa:16:3e:00:00:08,10.0.0.7" in render_hosts(network)
