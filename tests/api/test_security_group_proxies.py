"""Security groups under the API which they had in Nova, until 2.35."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest

from novalike.api.openstack.app import application
from novalike.network.local.service import LocalNetworks
from tests.api import client


@pytest.fixture
def networks(services):
    return LocalNetworks(services.conf, services.cells, services.clock)


@pytest.fixture
def app(services, networks):
    return application(replace(services, networks=networks.client))


def make(caller, name: str = "web") -> str:
    answer = caller.post("/os-security-groups", {"security_group": {"name": name, "description": "front"}})
    assert answer.status == 200, answer.body
    return answer.json["security_group"]["id"]


def rule(caller, **values):
    return caller.post("/os-security-group-rules", {"security_group_rule": values})


def test_a_groups_life(member, reader):
    group = make(member)
    shown = reader.get(f"/os-security-groups/{group}").json["security_group"]
    assert (shown["name"], shown["description"], shown["rules"]) == ("web", "front", []), "outgoing rules are not shown"
    assert [g["name"] for g in reader.get("/os-security-groups").json["security_groups"]] == ["default", "web"]
    assert [g["name"] for g in reader.get("/os-security-groups?limit=1&offset=1").json["security_groups"]] == ["web"]
    renamed = member("PUT", f"/os-security-groups/{group}", {"security_group": {"name": "shop", "description": ""}})
    assert (renamed.status, renamed.json["security_group"]["name"]) == (200, "shop")
    assert member.delete(f"/os-security-groups/{group}").status == 202
    assert member.get(f"/os-security-groups/{group}").status == 404
    assert reader.post("/os-security-groups", {"security_group": {"name": "x", "description": "x"}}).status == 403


def test_rules_come_from_addresses_or_from_groups(member, networks):
    group = make(member)
    made = rule(member, parent_group_id=group, ip_protocol="TCP", from_port="80", to_port=81, cidr="10.1.2.3/8")
    assert made.status == 200
    shown = made.json["security_group_rule"]
    assert shown == {
        "id": shown["id"], "parent_group_id": group, "ip_protocol": "tcp", "from_port": 80, "to_port": 81, "group": {},
        "ip_range": {"cidr": "10.0.0.0/8"},
    }
    inside = rule(member, parent_group_id=group, group_id=group, ip_protocol="icmp", from_port=-1, to_port=-1).json["security_group_rule"]
    assert (inside["group"]["name"], inside["ip_range"], inside["from_port"]) == ("web", {}, -1)
    everything = rule(member, parent_group_id=group, group_id=group).json["security_group_rule"]
    assert (everything["ip_protocol"], everything["from_port"]) == (None, None)
    stored = {one.id: one for one in networks.security_groups.get(client.context(), group).rules}
    assert (stored[inside["id"]].remote_group_id, stored[inside["id"]].port_range_min) == (group, None)
    assert member.delete(f"/os-security-group-rules/{shown['id']}").status == 202
    assert member.delete(f"/os-security-group-rules/{shown['id']}").status == 404


@pytest.mark.parametrize(("values", "message"), [
    ({"cidr": "10.0.0.0/8"}, "Not enough parameters to build a valid rule."),
    ({"ip_protocol": "tcp", "from_port": 80, "to_port": 80, "cidr": "10.0.0.0/99"}, "Invalid cidr 10.0.0.0/99."),
    ({"ip_protocol": "tcp", "from_port": 81, "to_port": 80}, "Invalid port range 81:80. Former value cannot be greater than the later"),
    ({"ip_protocol": "udp", "from_port": 0, "to_port": 80}, "Invalid port range 0:80. Valid UDP ports should be between 1-65535"),
    ({"ip_protocol": "icmp", "from_port": 256, "to_port": 0}, "Invalid port range 256:0. For ICMP, the type:code must be valid"),
    ({"ip_protocol": "gre", "from_port": 1, "to_port": 2}, "Invalid IP protocol gre."),
    ({"parent_group_id": "web"}, "Security group id should be uuid"),
])
def test_bad_rules(member, values, message):
    answer = rule(member, **{"parent_group_id": make(member), **values})
    assert (answer.status, answer.fault) == (400, message)


def test_what_nova_refuses_with_400(member):
    default = member.get("/os-security-groups").json["security_groups"][0]["id"]
    assert member.delete(f"/os-security-groups/{default}").status == 400
    assert member("PUT", f"/os-security-groups/{default}", {"security_group": {"name": "x", "description": ""}}).status == 400
    assert member.get("/os-security-groups/web").status == 400
    group = make(member)
    given = {"parent_group_id": group, "ip_protocol": "tcp", "from_port": 80, "to_port": 80}
    assert rule(member, **given).status == 200
    assert rule(member, **given).status == 400, "it is there"
    assert rule(member, **{**given, "parent_group_id": str(uuid.uuid4())}).status == 404
    assert member.post("/os-security-groups", {"security_group": {"name": "x"}}).status == 400


def test_limits_answer_403(member):
    for number in range(9):
        make(member, f"g{number}")
    assert member.post("/os-security-groups", {"security_group": {"name": "one too many", "description": ""}}).status == 403
