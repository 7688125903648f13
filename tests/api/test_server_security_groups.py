"""Security groups of a server: shown as Nova shows them, changed by two actions."""

from dataclasses import replace

import pytest

from novalike.api.openstack.app import application
from novalike.db import instances
from novalike.network.local.service import LocalNetworks
from novalike.objects.network_info import RequestedNetwork
from novalike.objects.tasks import Caller
from tests import factories
from tests.api import client
from tests.api.client import PROJECT, USER


@pytest.fixture
def networks(services):
    return LocalNetworks(services.conf, services.cells, services.clock)


@pytest.fixture
def app(services, networks):
    return application(replace(services, networks=networks.client))


@pytest.fixture
def server(sqlite, networks):
    ctxt, caller = client.context(), Caller(user_id=USER, project_id=PROJECT, request_id="r")
    network = networks.networks.create(ctxt, [{"name": "net"}])[0]
    networks.subnets.create(ctxt, [{"network_id": network.id, "cidr": "10.0.0.0/24"}])
    instance = factories.instance(project_id=PROJECT)
    vifs = networks.client.allocate(caller, instance, (RequestedNetwork(network_id=network.id),), host="host-1")
    [stored] = sqlite.write(instances.create, [replace(instance, network_info=vifs)])
    return stored.uuid


def act(caller, server, word, name):
    return caller.post(f"/servers/{server}/action", {word: {"name": name}})


def test_add_and_remove(member, reader, networks, server, sqlite):
    group = networks.security_groups.create(client.context(), [{"name": "web", "description": "front"}])[0]
    added = act(member, server, "addSecurityGroup", "web")
    assert (added.status, added.body) == (202, b"")
    assert [g["name"] for g in reader.get(f"/servers/{server}/os-security-groups").json["security_groups"]] == ["default", "web"]
    assert member.get(f"/servers/{server}").json["server"]["security_groups"] == [{"name": "default"}, {"name": "web"}]
    assert group.id in sqlite.fetch(instances.network_info, server)[0].security_groups
    assert act(member, server, "removeSecurityGroup", group.id).status == 202
    assert member.get(f"/servers/{server}").json["server"]["security_groups"] == [{"name": "default"}]
    again = act(member, server, "removeSecurityGroup", "web")
    assert (again.status, again.fault) == (404, f"Security group web not associated with the instance {server}")


def test_rules_as_nova_network_had_them(member, networks, server):
    ctxt = client.context()
    other, web = networks.security_groups.create(ctxt, [{"name": "other"}, {"name": "web", "description": "front"}])
    networks.security_groups.create_rules(ctxt, [
        {"security_group_id": web.id, "direction": "ingress", **rule} for rule in (
            {"protocol": "tcp", "port_range_min": 80, "port_range_max": 81, "remote_ip_prefix": "10.0.0.0/8"},
            {"protocol": "udp"}, {"protocol": "icmp"}, {"ethertype": "IPv6"}, {"remote_group_id": other.id},
        )
    ])
    act(member, server, "addSecurityGroup", "web")
    shown = member.at("2.104").get(f"/servers/{server}/os-security-groups").json["security_groups"][1]
    assert {key: shown[key] for key in ("id", "name", "description", "tenant_id")} == {
        "id": web.id, "name": "web", "description": "front", "tenant_id": PROJECT,
    }
    rules = {
        (r["ip_protocol"], r["from_port"], r["to_port"], r["ip_range"].get("cidr"), r["group"].get("name"), r["group"].get("tenant_id"))
        for r in shown["rules"]
    }
    assert rules == {
        ("tcp", 80, 81, "10.0.0.0/8", None, None), ("udp", 1, 65535, "0.0.0.0/0", None, None), ("icmp", -1, -1, "0.0.0.0/0", None, None),
        (None, None, None, "::/0", None, None), (None, None, None, None, "other", PROJECT),
    }
    assert {r["parent_group_id"] for r in shown["rules"]} == {web.id}


def test_an_administrator_means_the_groups_of_the_servers_project(admin, stranger, networks, server):
    foreign = client.context(project="0ther", user="other-user")
    networks.security_groups.create(foreign, [{"name": "theirs"}])
    assert act(admin, server, "addSecurityGroup", "theirs").status == 404
    assert act(stranger, server, "addSecurityGroup", "theirs").status == 404
    assert stranger.get(f"/servers/{server}/os-security-groups").status == 404


def test_what_is_refused(member, reader, networks, server):
    for _ in range(2):
        networks.security_groups.create(client.context(), [{"name": "twin"}])
    assert act(member, server, "addSecurityGroup", "twin").status == 409
    assert act(member, server, "addSecurityGroup", "nonsense").fault == "Security group nonsense not found."
    assert act(reader, server, "addSecurityGroup", "default").status == 403
    for body in (None, {}, {"name": ""}, {"name": None}, {"name": 5}, "default"):
        assert member.post(f"/servers/{server}/action", {"addSecurityGroup": body}).status == 400, body
    assert member.at("2.102").get(f"/servers/{server}/os-security-groups?a=b").status == 400
