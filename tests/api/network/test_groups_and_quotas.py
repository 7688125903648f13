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


def test_rules_which_cannot_be(member) -> None:
    group = member.make("security_group", "security-groups", name="web")["id"]

    def refused(**values):
        return fault(member.post("/security-group-rules", {"security_group_rule": {"security_group_id": group, "direction": "ingress", **values}}))

    assert refused(protocol="icmpv6") == (400, "SecurityGroupEthertypeConflictWithProtocol"), "not in IPv4, which is the default"
    assert refused(protocol="ipv6-frag", ethertype="ipv4") == (400, "SecurityGroupEthertypeConflictWithProtocol")
    assert refused(protocol="tcp", port_range_min=80) == (400, "SecurityGroupInvalidPortRange")
    assert refused(protocol="tcp", port_range_min=0, port_range_max=1) == (400, "SecurityGroupInvalidPortValue")
    assert refused(protocol="256") == (400, "SecurityGroupRuleInvalidProtocol")
    assert refused(protocol="gre", port_range_min=80, port_range_max=80) == (400, "SecurityGroupInvalidProtocolForPort")
    assert refused(remote_ip_prefix="10.0.0.0/8", remote_group_id=group) == (400, "SecurityGroupRemoteGroupAndRemoteIpPrefix")
    assert refused(remote_address_group_id=group)[0] == 400
    assert refused(remote_group_id="00000000-0000-4000-8000-000000000000") == (404, "SecurityGroupNotFound")
    assert member.make("security_group_rule", "security-group-rules", security_group_id=group, direction="ingress", protocol="any")["protocol"] is None
    ok = member.make("security_group_rule", "security-group-rules", security_group_id=group, direction="egress", ethertype="IPv6", protocol=58)
    assert (ok["protocol"], ok["ethertype"]) == ("58", "IPv6")


def test_bulk_is_all_or_nothing_and_lists_show_what_is_asked_for(member) -> None:
    group = member.make("security_group", "security-groups", name="web")["id"]
    rules = [{"security_group_id": group, "direction": "ingress", "protocol": "tcp", "port_range_min": port, "port_range_max": port} for port in (1, 2, 1)]
    assert fault(member.post("/security-group-rules", {"security_group_rules": rules})) == (409, "SecurityGroupRuleExists")
    made = member.post("/security-group-rules", {"security_group_rules": rules[:2]})
    assert (made.status, len(made.json["security_group_rules"])) == (201, 2)
    listed = member.get(f"/security-group-rules?security_group_id={group}&protocol=tcp&fields=port_range_min&sort_key=port_range_min&sort_dir=desc")
    assert listed.json["security_group_rules"] == [{"port_range_min": 2}, {"port_range_min": 1}]
    assert member("PUT", f"/security-groups/{group}/tags/red").status == 201
    assert [g["id"] for g in member.get("/security-groups?tags=red").json["security_groups"]] == [group]


def test_groups_with_and_without_state_stay_apart(member) -> None:
    keeps, forgets = (member.make("security_group", "security-groups", name=name, stateful=name == "keeps")["id"] for name in ("keeps", "forgets"))
    network = member.make("network")
    both = {"port": {"network_id": network["id"], "security_groups": [keeps, forgets]}}
    assert fault(member.post("/ports", both)) == (409, "SecurityGroupConflict")
    member.make("port", network_id=network["id"], security_groups=[forgets])
    assert fault(member("PUT", f"/security-groups/{forgets}", {"security_group": {"stateful": True}})) == (409, "SecurityGroupInUse")


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
    assert (member.get("/agents").json, member.get(f"/agents/{agent['id']}").status) == ({"agents": []}, 404)
    assert admin.get("/agents?host=h2&alive=True").json == {"agents": []}
    switched = admin.put(f"/agents/{agent['id']}", {"agent": {"admin_state_up": False}}).json["agent"]
    assert (switched["admin_state_up"], admin.get("/agents?admin_state_up=false&host=h1").json["agents"]) == (False, [switched])
    assert member.put(f"/agents/{agent['id']}", {"agent": {"admin_state_up": True}}).status == 403
    assert (admin.delete(f"/agents/{agent['id']}").status, admin.delete("/agents/x").status) == (409, 404)
    assert member.get("/availability_zones").json["availability_zones"][0]["name"] == "nova"
