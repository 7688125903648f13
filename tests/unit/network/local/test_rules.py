"""What networks, subnets, ports and security groups may be."""

from __future__ import annotations

import pytest

from novalike.db.network_listing import Listing
from novalike.exception import Forbidden, Invalid
from novalike.network import errors
from novalike.network.local.addresses import WantedAddress
from tests.unit.network.local.conftest import ADMIN, ALICE, BOB, Cloud


def test_a_foreign_network_answers_like_a_missing_one(cloud: Cloud) -> None:
    network = cloud.network()
    with pytest.raises(errors.NetworkNotFound):
        cloud.service.networks.get(BOB, network.id)
    with pytest.raises(errors.NetworkNotFound):
        cloud.port(network, BOB)
    assert cloud.service.networks.list_page(Listing(project_id=BOB.project_id)) == []


def test_a_shared_network_is_seen_and_used_but_not_changed_by_others(cloud: Cloud) -> None:
    network = cloud.network(ADMIN, shared=True)
    assert [n.id for n in cloud.service.networks.list_page(Listing(project_id=BOB.project_id))] == [network.id]
    assert cloud.port(network, BOB).fixed_ips[0][1] == "10.0.0.2"
    with pytest.raises(errors.NetworkNotFound):
        cloud.service.networks.update(BOB, network.id, {"name": "mine"})
    with pytest.raises(Forbidden):
        cloud.port(network, BOB, fixed_ips=[WantedAddress(address="10.0.0.9")])


def test_only_admins_make_shared_and_external_networks(cloud: Cloud) -> None:
    for attribute in ("shared", "external", "is_default"):
        with pytest.raises(Forbidden):
            cloud.network(**{attribute: True})


def test_a_network_with_ports_stays(cloud: Cloud) -> None:
    network = cloud.network()
    port = cloud.port(network)
    with pytest.raises(errors.NetworkInUse):
        cloud.service.networks.delete(ALICE, network.id)
    with pytest.raises(errors.SubnetInUse):
        cloud.service.subnets.delete(ALICE, network.subnet_ids[0])
    cloud.service.ports.delete(ALICE, port.id)
    cloud.service.networks.delete(ALICE, network.id)
    with pytest.raises(errors.SubnetNotFound):
        cloud.service.subnets.get(ALICE, network.subnet_ids[0])


def test_a_subnet_has_its_first_address_as_gateway_and_the_rest_as_pool(cloud: Cloud) -> None:
    network = cloud.network(cidr=None)
    subnet = cloud.subnet(network, cidr="192.168.5.77/24")
    assert (subnet.cidr, subnet.gateway_ip) == ("192.168.5.0/24", "192.168.5.1")
    assert subnet.allocation_pools == (("192.168.5.2", "192.168.5.254"),)


@pytest.mark.parametrize(("values", "error"), [
    ({"cidr": "10.0.0.128/25"}, errors.InvalidInput),                                            # overlaps
    ({"cidr": "10.1.0.0/33"}, errors.InvalidInput),
    ({"cidr": "fd00::/64"}, errors.InvalidInput),                                                # version 4 is the default
    ({"cidr": "10.1.0.0/24", "gateway_ip": "10.2.0.1"}, errors.InvalidInput),
    ({"cidr": "10.1.0.0/24", "gateway_ip": "10.1.0.255"}, errors.InvalidInput),
    ({"cidr": "10.1.0.0/24", "allocation_pools": [("10.1.0.9", "10.1.0.5")]}, errors.InvalidAllocationPool),
    ({"cidr": "10.1.0.0/24", "allocation_pools": [("10.1.0.9", "10.1.1.5")]}, errors.OutOfBoundsAllocationPool),
    ({"cidr": "10.1.0.0/24", "allocation_pools": [("10.1.0.9", "10.1.0.20"), ("10.1.0.20", "10.1.0.30")]}, errors.OverlappingAllocationPools),
    ({"cidr": "10.1.0.0/24", "allocation_pools": [("10.1.0.1", "10.1.0.20")]}, errors.GatewayConflictWithAllocationPools),
    ({"cidr": "10.1.0.0/24", "dns_nameservers": ["1.1.1.1"] * 6}, errors.DNSNameServersExhausted),
    ({"cidr": "10.1.0.0/24", "host_routes": [("10.9.0.0/16", "fd00::1")]}, errors.InvalidInput),
    ({"cidr": "10.1.0.0/31"}, errors.InvalidInput),                                              # no room for DHCP
    ({"cidr": "fd00::/80", "ip_version": 6, "ipv6_address_mode": "slaac"}, errors.InvalidInput),
])
def test_a_wrong_subnet_is_refused(cloud: Cloud, values: dict, error: type[Exception]) -> None:
    network = cloud.network(cidr="10.0.0.0/24")
    with pytest.raises(error):
        cloud.subnet(network, **values)
    assert len(cloud.service.networks.get(ALICE, network.id).subnet_ids) == 1


def test_two_networks_may_use_the_same_range(cloud: Cloud) -> None:
    first, second = cloud.network(), cloud.network(BOB)
    assert cloud.port(first).fixed_ips[0][1] == cloud.port(second, BOB).fixed_ips[0][1]


def test_addresses_are_given_in_turn_until_none_is_left(cloud: Cloud) -> None:
    network = cloud.network(cidr="10.0.0.0/29")
    made = [cloud.port(network) for _ in range(5)]
    assert [port.fixed_ips[0][1] for port in made] == [f"10.0.0.{n}" for n in range(2, 7)]
    with pytest.raises(errors.IpAddressGenerationFailure):
        cloud.port(network)
    cloud.service.ports.delete(ALICE, made[2].id)
    assert cloud.port(network).fixed_ips[0][1] == "10.0.0.4"


def test_a_freed_address_rests_while_others_are_free(cloud: Cloud) -> None:
    network = cloud.network()
    port = cloud.port(network)
    cloud.service.ports.delete(ALICE, port.id)
    assert cloud.port(network).fixed_ips[0][1] == "10.0.0.3"


def test_a_chosen_address_is_checked(cloud: Cloud) -> None:
    network = cloud.network()
    assert cloud.port(network, fixed_ips=[WantedAddress(address="10.0.0.50")]).fixed_ips[0][1] == "10.0.0.50"
    for address, error in (
        ("10.0.0.50", errors.IpAddressAlreadyAllocated), ("10.0.0.1", errors.IpAddressAlreadyAllocated),
        ("10.9.0.1", errors.InvalidIpForNetwork), ("10.0.0.255", errors.InvalidIpForSubnet), ("ten", errors.InvalidInput),
    ):
        with pytest.raises(error):
            cloud.port(network, fixed_ips=[WantedAddress(address=address)])


def test_a_port_gets_an_address_of_each_ip_version(cloud: Cloud) -> None:
    network = cloud.network()
    cloud.subnet(network, cidr="fd00:1::/64", ip_version=6, ipv6_address_mode="slaac", ipv6_ra_mode="slaac")
    port = cloud.port(network, mac_address="fa:16:3e:00:00:01")
    assert [address for _, address in port.fixed_ips] == ["10.0.0.2", "fd00:1::f816:3eff:fe00:1"]


def test_what_guests_make_themselves_comes_with_any_choice_of_addresses(cloud: Cloud) -> None:
    network = cloud.network()
    cloud.subnet(network, cidr="fd00:1::/64", ip_version=6, ipv6_address_mode="slaac", ipv6_ra_mode="slaac")
    port = cloud.port(network, mac_address="fa:16:3e:00:00:01", fixed_ips=[WantedAddress(address="10.0.0.50")])
    assert {address for _, address in port.fixed_ips} == {"10.0.0.50", "fd00:1::f816:3eff:fe00:1"}
    changed = cloud.service.ports.update(ALICE, port.id, {"fixed_ips": [WantedAddress(address="10.0.0.51")]})
    assert {address for _, address in changed.fixed_ips} == {"10.0.0.51", "fd00:1::f816:3eff:fe00:1"}


def test_ports_get_what_their_guests_make_themselves_of_a_new_subnet(cloud: Cloud) -> None:
    network = cloud.network()
    port = cloud.port(network, mac_address="fa:16:3e:00:00:01")
    for number, mode in ((1, "slaac"), (2, "dhcpv6-stateful")):
        cloud.subnet(network, cidr=f"fd00:{number}::/64", ip_version=6, ipv6_address_mode=mode, ipv6_ra_mode=mode)
    assert {address for _, address in cloud.service.ports.get(ALICE, port.id).fixed_ips} == {"10.0.0.2", "fd00:1::f816:3eff:fe00:1"}


def test_mac_addresses_are_unique_within_a_network(cloud: Cloud) -> None:
    network, other = cloud.network(), cloud.network()
    assert cloud.port(network).mac_address.startswith("fa:16:3e:")
    cloud.port(network, mac_address="FA:16:3E:11:22:33")
    with pytest.raises(errors.MacAddressInUse):
        cloud.port(network, mac_address="fa:16:3e:11:22:33")
    assert cloud.port(other, mac_address="fa:16:3e:11:22:33").mac_address == "fa:16:3e:11:22:33"
    with pytest.raises(errors.InvalidInput):
        cloud.port(network, mac_address="01:00:5e:00:00:01")


def test_addresses_of_a_port_can_be_exchanged(cloud: Cloud) -> None:
    network = cloud.network()
    port = cloud.port(network)
    changed = cloud.service.ports.update(ALICE, port.id, {"fixed_ips": [WantedAddress(address="10.0.0.9"), WantedAddress(address="10.0.0.2")]})
    assert {address for _, address in changed.fixed_ips} == {"10.0.0.2", "10.0.0.9"}
    changed = cloud.service.ports.update(ALICE, port.id, {"fixed_ips": [WantedAddress(address="10.0.0.9")]})
    assert [address for _, address in changed.fixed_ips] == ["10.0.0.9"]


def test_a_subnet_without_gateway_has_a_port_for_dhcp(cloud: Cloud) -> None:
    network = cloud.network(subnet={"gateway_ip": None})
    own = cloud.service.ports.list_page(Listing(filters={"network_id": (network.id,)}))
    assert [(port.device_owner, port.fixed_ips[0][1]) for port in own] == [("network:dhcp", "10.0.0.1")]
    with pytest.raises(errors.ServicePortInUse):
        cloud.service.ports.delete(ALICE, own[0].id)
    subnet_id = network.subnet_ids[0]
    cloud.service.subnets.update(ALICE, subnet_id, {"enable_dhcp": False})
    assert cloud.service.ports.list_page(Listing(filters={"network_id": (network.id,)})) == []
    cloud.service.subnets.update(ALICE, subnet_id, {"enable_dhcp": True})
    cloud.service.subnets.delete(ALICE, subnet_id)
    cloud.service.networks.delete(ALICE, network.id)


def test_quotas_are_kept(sqlite) -> None:
    cloud = Cloud(sqlite, {"network__quota_network": 1, "network__quota_port": 2})
    network = cloud.network()
    with pytest.raises(errors.OverQuota):
        cloud.network()
    cloud.port(network), cloud.port(network)
    with pytest.raises(errors.OverQuota):
        cloud.port(network)
    cloud.service.quotas.set(ALICE.project_id, {"port": 3})
    cloud.port(network)
    assert cloud.service.quotas.usage(ALICE.project_id)["port"] == 3
    cloud.service.quotas.reset(ALICE.project_id)
    assert cloud.service.quotas.limits(ALICE.project_id)["port"] == 2


def test_every_project_has_one_default_group(cloud: Cloud) -> None:
    groups = cloud.service.security_groups.list_page(ALICE, Listing(project_id=ALICE.project_id))
    assert [group.name for group in groups] == ["default"]
    rules = {(rule.direction, rule.ethertype, rule.remote_group_id) for rule in groups[0].rules}
    assert rules == {
        ("egress", "IPv4", None), ("egress", "IPv6", None), ("ingress", "IPv4", groups[0].id), ("ingress", "IPv6", groups[0].id),
    }
    assert cloud.port(cloud.network()).security_groups == (groups[0].id,)
    with pytest.raises(errors.SecurityGroupDefaultAlreadyExists):
        cloud.service.security_groups.create(ALICE, [{"name": "default"}])
    with pytest.raises(errors.SecurityGroupCannotUpdateDefault):
        cloud.service.security_groups.update(ALICE, groups[0].id, {"name": "x"})


def test_security_group_rules_are_checked(cloud: Cloud) -> None:
    group = cloud.service.security_groups.create(ALICE, [{"name": "web"}])[0]

    def rule(**values: object):
        return cloud.service.security_groups.create_rules(ALICE, [{"security_group_id": group.id, "direction": "ingress", **values}])[0]

    assert rule(protocol="TCP", port_range_min=22, port_range_max=22, remote_ip_prefix="10.1.2.3/8").remote_ip_prefix == "10.1.2.3/8"
    with pytest.raises(errors.SecurityGroupRuleExists):
        rule(protocol="tcp", port_range_min=22, port_range_max=22, remote_ip_prefix="10.0.0.0/8")
    for wrong in (
        {"protocol": "tcp", "port_range_min": 30, "port_range_max": 20}, {"protocol": "nonsense"}, {"port_range_min": 1, "port_range_max": 2},
        {"protocol": "icmp", "port_range_min": 300}, {"remote_ip_prefix": "fd00::/64"}, {"remote_ip_prefix": "1.2.3.0/24", "remote_group_id": group.id},
    ):
        with pytest.raises(Invalid):
            rule(**wrong)
    with pytest.raises(errors.SecurityGroupNotFound):
        cloud.service.security_groups.get(BOB, group.id)


def test_vxlan_networks_get_their_own_segment_and_a_smaller_mtu(sqlite) -> None:
    cloud = Cloud(sqlite, {"network__network_type": "vxlan", "network__vni_first": 7, "network__vni_last": 8})
    made = [cloud.network(cidr=None) for _ in range(2)]
    assert [(n.segment, n.mtu) for n in made] == [(7, 1450), (8, 1450)]
    with pytest.raises(errors.NoNetworkAvailable):
        cloud.network(cidr=None)
