"""Security groups, limits and agents."""

from __future__ import annotations

from novalike.db import hosts
from tests.api.client import PROJECT


def fault(answer):
    return answer.status, answer.json["NeutronError"]["type"]


def test_every_project_sees_its_default_group(member, stranger) -> None:
    group = member.get("/security-groups").json["security_groups"][0]
    assert group["name"] == "default"
    assert {(r["direction"], r["ethertype"]) for r in group["security_group_rules"]} == {(d, e) for d in ("ingress", "egress") for e in ("IPv4", "IPv6")}
    assert fault(stranger.get(f"/security-groups/{group['id']}")) == (404, "SecurityGroupNotFound")
    assert fault(member.delete(f"/security-groups/{group['id']}")) == (409, "SecurityGroupCannotRemoveDefault")
    assert fault(member.post("/security-groups", {"security_group": {"name": "default"}})) == (409, "SecurityGroupDefaultAlreadyExists")


def test_groups_and_rules(member) -> None:
    group = member.make("security_group", "security-groups", name="web", description="d")
    assert len(group["security_group_rules"]) == 2
    values = {"security_group_id": group["id"], "direction": "ingress", "protocol": "tcp", "port_range_min": 22, "port_range_max": "22", "remote_ip_prefix": "0.0.0.0/0"}
    rule = member.make("security_group_rule", "security-group-rules", **values)
    assert (rule["port_range_max"], rule["ethertype"], rule["remote_group_id"]) == (22, "IPv4", None)
    assert fault(member.post("/security-group-rules", {"security_group_rule": values})) == (409, "SecurityGroupRuleExists")
    assert fault(member.post("/security-group-rules", {"security_group_rule": {**values, "direction": "sideways"}})) == (400, "HTTPBadRequest")
    assert [r["id"] for r in member.get(f"/security-group-rules?security_group_id={group['id']}&direction=ingress").json["security_group_rules"]] == [rule["id"]]
    assert member("PUT", f"/security-groups/{group['id']}", {"security_group": {"name": "web2"}}).json["security_group"]["name"] == "web2"
    assert member.delete(f"/security-group-rules/{rule['id']}").status == 204
    assert fault(member.get(f"/security-group-rules/{rule['id']}")) == (404, "SecurityGroupRuleNotFound")
    network = member.make("network")
    member.make("port", network_id=network["id"], security_groups=[group["id"]])
    assert fault(member.delete(f"/security-groups/{group['id']}")) == (409, "SecurityGroupInUse")


def test_limits_are_shown_set_and_kept(member, admin, stranger) -> None:
    assert member.get(f"/quotas/{PROJECT}").json["quota"]["network"] == 100
    assert stranger.get(f"/quotas/{PROJECT}").status == 403
    assert member("PUT", f"/quotas/{PROJECT}", {"quota": {"network": 1}}).status == 403
    assert admin("PUT", f"/quotas/{PROJECT}", {"quota": {"network": 1}}).json["quota"]["network"] == 1
    assert admin("PUT", f"/quotas/{PROJECT}", {"quota": {"network": "many"}}).status == 400
    member.make("network")
    assert fault(member.post("/networks", {"network": {}})) == (409, "OverQuota")
    assert member.get(f"/quotas/{PROJECT}/details").json["quota"]["network"] == {"limit": 1, "used": 1, "reserved": 0}
    assert [q["project_id"] for q in admin.get("/quotas").json["quotas"]] == [PROJECT]
    assert admin.delete(f"/quotas/{PROJECT}").status == 204
    assert member.get(f"/quotas/{PROJECT}/default").json["quota"] == member.get(f"/quotas/{PROJECT}").json["quota"]


def test_admins_see_agents(services, admin, member) -> None:
    services.cells.cell("cell1").write(hosts.report_service, host="h1", binary="novalike-network", topic="network")
    agent = admin.get("/agents").json["agents"][0]
    assert (agent["host"], agent["alive"]) == ("h1", True)
    assert admin.get(f"/agents/{agent['id']}").json["agent"] == agent
    assert member.get("/agents").status == 403
    assert member.get("/availability_zones").json["availability_zones"][0]["name"] == "nova"
