"""The stock client's network commands and openstacksdk's network proxy against the embedded cloud, with wrong words among them."""

from __future__ import annotations

import json

import pytest
from openstack.exceptions import HttpException

from tests.live.clouds import SDK_WARNS, Cloud
from tests.live.shell import Failed, Shell

pytestmark = [pytest.mark.timeout(240), SDK_WARNS]


@pytest.fixture
def run(embedded: Cloud):
    shell = Shell({"OS_CLIENT_CONFIG_FILE": str(embedded.state / "clouds.yaml"), "OS_CLOUD": "novalike-admin"})
    yield shell
    shell.close()


def refused(run: Shell, *words: str) -> str:
    with pytest.raises(Failed) as caught:
        run(*words)
    return str(caught.value)


def shown(run: Shell, *words: str):
    return json.loads(run(*words, "-f", "json"))


def test_a_network_from_nothing_to_nothing(run: Shell) -> None:
    run("network", "create", "n-out", "--external", "--default")
    run("subnet", "create", "n-out", "--network", "n-out", "--subnet-range", "203.0.113.0/28", "--no-dhcp")
    pool = shown(run, "subnet", "pool", "create", "n-pool", "--pool-prefix", "10.40.0.0/16", "--default-prefix-length", "24")
    assert pool["prefixes"] == ["10.40.0.0/16"]
    run("network", "create", "n-in", "--tag", "blue")
    assert shown(run, "subnet", "create", "n-in", "--network", "n-in", "--subnet-pool", "n-pool")["cidr"] == "10.40.0.0/24"
    assert [network["Name"] for network in shown(run, "network", "list", "--tags", "blue")] == ["n-in"]
    run("router", "create", "n-r")
    run("router", "set", "n-r", "--external-gateway", "n-out")
    run("router", "add", "subnet", "n-r", "n-in")
    run("router", "add", "route", "n-r", "--route", "destination=10.50.0.0/16,gateway=10.40.0.9")
    assert "10.50.0.0/16" in run("router", "show", "n-r")
    port = shown(run, "port", "create", "n-p", "--network", "n-in", "--fixed-ip", "ip-address=10.40.0.7", "--allowed-address", "ip-address=10.40.0.99")
    floating = shown(run, "floating", "ip", "create", "n-out", "--port", "n-p")
    assert (floating["fixed_ip_address"], floating["status"]) == ("10.40.0.7", "ACTIVE")
    address = floating["floating_ip_address"]
    run("floating", "ip", "unset", "--port", address)
    run("floating", "ip", "set", "--port", port["id"], address)
    assert [one["Fixed IP Address"] for one in shown(run, "floating", "ip", "list", "--router", "n-r")] == ["10.40.0.7"]
    assert shown(run, "ip", "availability", "show", "n-in")["used_ips"] >= 2
    assert shown(run, "quota", "show", "--network")

    assert "overlaps" in refused(run, "subnet", "create", "x", "--network", "n-in", "--subnet-range", "10.40.0.0/25")
    assert "still has ports" in refused(run, "router", "delete", "n-r")
    assert "floating IPs" in refused(run, "router", "unset", "n-r", "--external-gateway")
    assert "in use" in refused(run, "network", "delete", "n-in")
    assert "not a valid external network" in refused(run, "floating", "ip", "create", "n-in")
    assert "No Router found" in refused(run, "router", "show", "nonsense")

    run("floating", "ip", "delete", address)
    run("port", "delete", "n-p")
    run("router", "unset", "n-r", "--route", "destination=10.50.0.0/16,gateway=10.40.0.9")
    run("router", "remove", "subnet", "n-r", "n-in")
    run("router", "delete", "n-r")
    run("network", "delete", "n-in", "n-out")
    run("subnet", "pool", "delete", "n-pool")


def test_the_rarer_options(run: Shell) -> None:
    made = shown(run, "network", "create", "o-net", "--availability-zone-hint", "nova", "--mtu", "1400", "--dns-domain", "example.org.")
    assert (made["availability_zone_hints"], made["mtu"]) == (["nova"], 1400)
    run("subnet", "create", "o-sub", "--network", "o-net", "--subnet-range", "10.41.0.0/24", "--gateway", "none", "--tag", "q")
    for prefix in ("fd41", "fd42"):
        run("subnet", "create", prefix, "--network", "o-net", "--subnet-range", f"{prefix}::/64", "--ip-version", "6")
    assert shown(run, "ip", "availability", "show", "o-net")["total_ips"] > 2**64
    port = shown(run, "port", "create", "o-p", "--network", "o-net", "--dns-name", "web", "--fixed-ip", "subnet=o-sub,ip-address=10.41.0.77")
    assert port["dns_assignment"][0]["fqdn"] == "web.example.org."
    assert [p["Name"] for p in shown(run, "port", "list", "--network", "o-net", "--fixed-ip", "ip-substring=0.77")] == ["o-p"]
    assert shown(run, "port", "list", "--network", "o-net", "--mac-address", "fa:16:3e:00:00:00") == []
    project = shown(run, "project", "create", "o-project", "--tag", "t")
    run("quota", "set", project["id"], "--networks", "7")
    assert {row["Resource"]: row["Limit"] for row in shown(run, "quota", "show", project["id"], "--network")}["networks"] == 7
    agent = shown(run, "network", "agent", "list")[0]["ID"]
    run("network", "agent", "set", agent, "--disable")
    assert not shown(run, "network", "agent", "show", agent)["admin_state_up"]
    run("network", "agent", "set", agent, "--enable")
    run("project", "delete", "o-project")
    run("port", "delete", "o-p")
    run("network", "delete", "o-net")

    assert "No Agent found" in refused(run, "network", "agent", "show", "nonsense")
    assert "Unrecognized attribute(s) 'ha'" in refused(run, "router", "create", "x", "--ha")
    for absent in ("address group", "address scope", "network qos policy", "network rbac", "network segment", "network trunk", "network flavor"):
        assert "404" in refused(run, *absent.split(), "list"), absent


def test_what_the_network_proxy_is_refused(embedded: Cloud) -> None:
    ours, theirs = embedded.admin.network, embedded.demo.network
    network = ours.create_network(name="w")
    subnet = ours.create_subnet(network_id=network.id, ip_version=4, cidr="10.44.0.0/24")
    port, router, group = ours.create_port(network_id=network.id), ours.create_router(name="w"), ours.create_security_group(name="w")
    taken = port.fixed_ips[0]["ip_address"]

    def more(**values):
        return ours.create_subnet(**{"network_id": network.id, "ip_version": 4, "cidr": "10.45.0.0/24"} | values)

    def rule(**values):
        return ours.create_security_group_rule(**{"security_group_id": group.id, "direction": "ingress"} | values)
    for status, word, call in (                  # `word` is in what the user is told, who is to find by it what was wrong
        (404, "nonsense", lambda: ours.get_network("nonsense")),
        (400, "10.45.0.0/33", lambda: more(cidr="10.45.0.0/33")),
        (400, "ip_version", lambda: more(ip_version=7)),
        (400, "10.44.0.128/25", lambda: more(cidr="10.44.0.128/25")),
        (400, "10.45.0.300", lambda: more(gateway_ip="10.45.0.300")),
        (400, "10.45.0.9-10.45.0.2", lambda: more(allocation_pools=[{"start": "10.45.0.9", "end": "10.45.0.2"}])),
        (400, "network_id", lambda: ours.create_port(network_id="nonsense")),
        (400, "10.9.0.1", lambda: ours.create_port(network_id=network.id, fixed_ips=[{"ip_address": "10.9.0.1"}])),
        (409, taken, lambda: ours.create_port(network_id=network.id, fixed_ips=[{"ip_address": taken}])),
        (400, "zz", lambda: ours.create_port(network_id=network.id, mac_address="zz")),
        (400, "security_groups", lambda: ours.update_port(port, security_group_ids=["nonsense"])),
        (400, "external network", lambda: ours.create_ip(floating_network_id=network.id)),
        (400, "subnet_id", lambda: ours.add_interface_to_router(router, subnet_id="nonsense")),
        (404, subnet.id, lambda: ours.remove_interface_from_router(router, subnet_id=subnet.id)),
        (400, "sideways", lambda: rule(direction="sideways")),
        (400, "port_range_min", lambda: rule(protocol="tcp", port_range_min=90, port_range_max=80)),
        (400, "70000", lambda: rule(protocol="tcp", port_range_min=1, port_range_max=70000)),
        (400, "remote_ip_prefix", lambda: rule(remote_ip_prefix="10.0.0.0/24", remote_group_id=group.id)),
        (400, "-5", lambda: ours.update_quota(embedded.admin.current_project_id, networks=-5)),
        (400, "limit", lambda: list(ours.networks(limit="x"))),
        (404, network.id, lambda: theirs.get_network(network.id)),
        (404, port.id, lambda: theirs.delete_port(port.id, ignore_missing=False)),
        (403, "provider", lambda: theirs.create_network(name="x", provider_network_type="vxlan")),
        (409, "in use", lambda: ours.delete_network(network)),
    ):
        with pytest.raises(HttpException) as caught:
            call()
        assert (caught.value.status_code, word in str(caught.value)) == (status, True), caught.value
    assert [found.id for found in ours.ports(network_id=network.id)] == [port.id], "what is refused leaves nothing"
    assert [found.id for found in ours.subnets(network_id=network.id)] == [subnet.id]
    ours.delete_port(port)
    ours.delete_router(router)
    ours.delete_security_group(group)
    ours.delete_network(network)
