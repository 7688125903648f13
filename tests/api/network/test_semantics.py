"""What Neutron's API promises for every collection: its words, filters, pages, revisions."""

from __future__ import annotations

import pytest


def said(answer):
    return answer.status, answer.json["NeutronError"]["type"], answer.json["NeutronError"]["message"]


@pytest.fixture
def network(member):
    return member.make("network", name="net")


@pytest.fixture
def subnet(member, network):
    return member.make("subnet", network_id=network["id"], ip_version=4, cidr="10.0.0.0/24", name="sub")


@pytest.mark.parametrize(("body", "message"), [
    ({"network": {"nonsense": 1, "name": "n"}}, "Unrecognized attribute(s) 'nonsense'"),
    ({"network": {"status": "ACTIVE"}}, "Attribute 'status' not allowed in POST"),
    ({"network": {"admin_state_up": "maybe"}}, "Invalid input for admin_state_up. Reason: 'maybe' cannot be converted to boolean."),
    ({"network": {"name": 5}}, "Invalid input for name. Reason: '5' is not a valid string."),
    ({"network": {"mtu": "big"}}, "Invalid input for mtu. Reason: 'big' is not an integer."),
    ({"networks": [{"name": "n"}, {"nonsense": 1}]}, "Unrecognized attribute(s) 'nonsense'"),
    ({"networks": []}, "Resources required"),
    ({"net": {}}, "Unable to find 'network' in request body"),
    ({"network": {"project_id": "0ther"}}, "Specifying 'project_id' or 'tenant_id' other than the authenticated project in request is not allowed for current user."),
    ({"network": {"project_id": "a", "tenant_id": "b"}}, "'project_id' and 'tenant_id' do not match"),
])
def test_refused_bodies_are_explained_as_neutron_does(member, body, message) -> None:
    assert said(member.post("/networks", body)) == (400, "HTTPBadRequest", message)


def test_several_may_be_wrapped_one_by_one(member) -> None:
    made = member.post("/networks", {"networks": [{"network": {"name": "a"}}, {"name": "b"}]})
    assert [network["name"] for network in made.json["networks"]] == ["a", "b"]
    assert said(member.post("/networks", {"networks": [{"network": {"x": 1}}]}))[2] == "Unrecognized attribute(s) 'x'"


def test_what_is_missing_or_cannot_be_changed(member, network, subnet) -> None:
    assert said(member.post("/ports", {"port": {}}))[2] == "Failed to parse request. Required attribute 'network_id' not specified"
    assert said(member.post("/ports", {"port": {"network_id": "x"}}))[2] == "Invalid input for network_id. Reason: 'x' is not a valid UUID."
    changed = member.put(f"/subnets/{subnet['id']}", {"subnet": {"cidr": "10.1.0.0/24"}})
    assert said(changed) == (400, "HTTPBadRequest", "Cannot update read-only attribute cidr")
    assert said(member.put(f"/networks/{network['id']}", {"network": {"id": "x"}}))[2] == "Cannot update read-only attribute id"


@pytest.mark.parametrize(("query", "message"), [
    ("nonsense=1&other=2", "['nonsense', 'other'] is invalid attribute for filtering"),
    ("sort_key=nonsense&sort_dir=asc", "['nonsense'] is invalid attribute for sort_keys"),
    ("sort_key=name", "The number of sort_keys and sort_dirs must be same"),
    ("sort_key=name&sort_dir=up", "['up'] is invalid value for sort_dirs, valid value is 'asc' and 'desc'"),
    ("shared=maybe", "Invalid input for operation: 'maybe' cannot be converted to boolean."),
    ("limit=-1", "Bad limit request: Limit must be an integer 0 or greater and not '-1'."),
    ("changed_since=yesterday", "Invalid input for operation: The input changed_since must be in the following format: YYYY-MM-DDTHH:MM:SS[Z]"),
])
def test_refused_queries(member, query, message) -> None:
    assert said(member.get(f"/networks?{query}"))[::2] == (400, message)


def test_pages_lead_both_ways(member) -> None:
    for name in "abcde":
        member.make("network", name=name)

    def follow(page, rel):
        link = next(link["href"] for link in page["networks_links"] if link["rel"] == rel)
        found = member.get(link.partition("/v2.0")[2]).json
        return [network["name"] for network in found["networks"]], found

    first = member.get("/networks?limit=2&sort_key=name&sort_dir=asc&fields=name").json
    assert [network["name"] for network in first["networks"]] == ["a", "b"]
    names, second = follow(first, "next")
    assert names == ["c", "d"]
    names, last = follow(second, "next")
    assert (names, [link["rel"] for link in last["networks_links"]]) == (["e"], ["previous"])
    names, back = follow(last, "previous")
    assert names == ["c", "d"]
    assert follow(back, "previous")[0] == ["a", "b"]
    assert follow(back, "next")[0] == ["e"]
    assert "networks_links" not in member.get("/networks").json


def test_constants_are_filters_too(member, network) -> None:
    assert member.get("/networks?status=ACTIVE").json["networks"]
    assert member.get("/networks?status=DOWN").json["networks"] == []
    assert member.get("/networks?status=DOWN&status=ACTIVE").json["networks"]
    assert member.get("/security-groups?shared=False").json["security_groups"]
    assert member.get("/security-groups?shared=True").json["security_groups"] == []
    assert member.get(f"/networks?project_id={network['project_id']}&tenant_id=other").json["networks"] == []


def test_what_changed_since(services, member, network) -> None:
    services.clock.advance(3600)
    later = services.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    services.clock.advance(1)
    member.make("network", name="new")
    assert {n["name"] for n in member.get("/networks").json["networks"]} == {"net", "new"}
    assert {n["name"] for n in member.get(f"/networks?changed_since={later}").json["networks"]} == {"new"}


def test_ports_by_parts_of_their_addresses(member, network, subnet) -> None:
    for last in ("7", "17", "9"):
        member.make("port", network_id=network["id"], name=last, fixed_ips=[{"ip_address": f"10.0.0.{last}"}])
    found = member.get("/ports?fixed_ips=ip_address_substr%3D.1&fields=name").json["ports"]
    assert [port["name"] for port in found] == ["17"]
    assert {p["name"] for p in member.get("/ports?fixed_ips=ip_address_substr%3D7").json["ports"]} == {"7", "17"}
    assert member.get("/ports?fixed_ips=ip_address_substr%3D%25").json["ports"] == []
    assert said(member.get("/ports?fixed_ips=nonsense%3D7"))[:2] == (400, "InvalidInput")


def test_a_change_may_hold_for_one_revision_only(member, network) -> None:
    path = f"/networks/{network['id']}"

    def put(name, match):
        return member.put(path, {"network": {"name": name}}, headers={"If-Match": match})

    assert put("a", f"revision_number={network['revision_number']}").json["network"]["name"] == "a"
    late = put("b", f"revision_number={network['revision_number']}")
    assert said(late) == (412, "RevisionNumberConstraintFailed", "Constrained to 1, but current revision is 2")
    assert said(put("b", "nonsense"))[0] == 400
    assert member.delete(path, headers={"If-Match": "revision_number=1"}).status == 412
    assert member.delete(path, headers={"If-Match": "revision_number=2"}).status == 204


def test_a_port_tells_its_names(member, services) -> None:
    network = member.make("network", name="n", dns_domain="example.org.")
    member.make("subnet", network_id=network["id"], ip_version=4, cidr="10.0.0.0/24")
    port = member.make("port", network_id=network["id"], dns_name="web")
    assert port["dns_assignment"] == [{"ip_address": "10.0.0.2", "hostname": "web", "fqdn": "web.example.org."}]
    nameless = member.make("port", network_id=network["id"])
    assert nameless["dns_assignment"][0]["fqdn"] == "host-10-0-0-3.example.org."


def test_a_subnet_of_the_default_pool(member, admin, network) -> None:
    def post():
        return member.post("/subnets", {"subnet": {"network_id": network["id"], "ip_version": 4, "use_default_subnetpool": True}})

    assert said(post())[2] == "Bad subnets request: No default subnetpool found for IPv4."
    pool = admin.make("subnetpool", name="p", prefixes=["10.9.0.0/16"], default_prefixlen=24, is_default=True, shared=True)
    made = post()
    assert (made.status, made.json["subnet"]["subnetpool_id"], made.json["subnet"]["cidr"]) == (201, pool["id"], "10.9.0.0/24")


def test_a_subnet_of_addresses_which_guests_make_goes_with_ports(member, network) -> None:
    subnet = member.make("subnet", network_id=network["id"], ip_version=6, cidr="fd00::/64", ipv6_ra_mode="slaac", ipv6_address_mode="slaac")
    port = member.make("port", network_id=network["id"])
    assert port["fixed_ips"]
    assert member.delete(f"/subnets/{subnet['id']}").status == 204
    assert member.get(f"/ports/{port['id']}").json["port"]["fixed_ips"] == []
    stateful = member.make("subnet", network_id=network["id"], ip_version=6, cidr="fd01::/64")
    member.make("port", network_id=network["id"])
    assert said(member.delete(f"/subnets/{stateful['id']}"))[:2] == (409, "SubnetInUse")


def test_in_use_and_defaults_have_neutrons_types(member, admin, network, subnet) -> None:
    port = member.make("port", network_id=network["id"])
    admin.put(f"/ports/{port['id']}", {"port": {"binding:host_id": "h1"}})
    other = {"port": {"mac_address": "fa:16:3e:00:00:99"}}
    assert said(admin.put(f"/ports/{port['id']}", other))[:2] == (409, "PortBound")
    assert said(member.put(f"/ports/{port['id']}", other))[:2] == (403, "PolicyNotAuthorized")
    default = member.get("/security-groups?name=default").json["security_groups"][0]["id"]
    assert said(member.delete(f"/security-groups/{default}"))[:2] == (409, "SecurityGroupCannotRemoveDefault")
    renamed = member.put(f"/security-groups/{default}", {"security_group": {"name": "x"}})
    assert said(renamed)[:2] == (409, "SecurityGroupCannotUpdateDefault")
    assert said(member.delete(f"/subnets/{subnet['id']}"))[:2] == (409, "SubnetInUse")


@pytest.mark.parametrize(("rule", "kind", "message"), [
    ({"protocol": "tcp", "port_range_min": -16, "port_range_max": 80}, "SecurityGroupInvalidPortValue", "Invalid value for port -16"),
    ({"protocol": "tcp", "port_range_min": 80, "port_range_max": 65536}, "SecurityGroupInvalidPortValue", "Invalid value for port 65536"),
    ({"protocol": "tcp", "port_range_min": 80, "port_range_max": 79}, "SecurityGroupInvalidPortRange", "For TCP/UDP protocols, port_range_min must be <= port_range_max"),
    ({"port_range_min": 80, "port_range_max": 80}, "SecurityGroupProtocolRequiredWithPorts", "Must also specify protocol if port range is given."),
    ({"protocol": "icmp", "port_range_min": 300}, "SecurityGroupInvalidIcmpValue", "Invalid value for ICMP type (port_range_min) 300. It must be 0 to 255."),
    ({"protocol": "icmp", "port_range_max": 6}, "SecurityGroupMissingIcmpType", "ICMP code (port-range-max) 6 is provided but ICMP type (port-range-min) is missing."),
    ({"remote_ip_prefix": "fd00::/8"}, "SecurityGroupRuleParameterConflict", "Conflicting value ethertype IPv4 for CIDR fd00::/8"),
    ({"protocol": 43}, "SecurityGroupEthertypeConflictWithProtocol", "Invalid ethertype IPv4 for protocol 43."),
    ({"remote_ip_prefix": "x"}, "InvalidCIDR", "Invalid CIDR x given as IP prefix."),
])
def test_rules_are_refused_in_neutrons_words(member, rule, kind, message) -> None:
    group = member.get("/security-groups").json["security_groups"][0]["id"]
    answer = member.post("/security-group-rules", {"security_group_rule": {"security_group_id": group, "direction": "ingress", **rule}})
    assert said(answer) == (400, kind, message)


def test_zone_hints(member) -> None:
    for one in ("network", "router"):
        made = member.make(one, name="z", availability_zone_hints=["nova"])
        assert member.get(f"/{one}s/{made['id']}").json[one]["availability_zone_hints"] == ["nova"]
        assert said(member.post(f"/{one}s", {one: {"availability_zone_hints": ["x"]}}))[:2] == (404, "AvailabilityZoneNotFound")


def test_limits_below_what_is_used(admin, member, network) -> None:
    def put(**limits):
        return admin.put(f"/quotas/{network['project_id']}", {"quota": limits})

    assert said(put(network=0, check_limit=True))[:2] == (400, "InvalidQuotaValue")
    assert put(network=1, subnet="7", check_limit=True).json["quota"]["subnet"] == 7
    assert put(network=0, check_limit=True, force=True).status == 200
    assert put(network=0).json["quota"]["network"] == 0
    assert said(put(nonsense=0))[2] == "Unrecognized attribute(s) 'nonsense'"


def test_more_addresses_than_64_bits_count(admin, member, network) -> None:
    for number in (1, 2):
        member.make("subnet", network_id=network["id"], ip_version=6, cidr=f"fd0{number}::/64")
    shown = admin.get(f"/network-ip-availabilities/{network['id']}").json["network_ip_availability"]
    assert shown["total_ips"] > 2**64
    assert admin.get("/network-ip-availabilities").status == 200


def test_a_routers_port_may_be_told_what_it_has(member, network, subnet) -> None:
    router = member.make("router", name="r")
    port = member.put(f"/routers/{router['id']}/add_router_interface", {"subnet_id": subnet["id"]}).json["port_id"]
    same = member.put(f"/ports/{port}", {"port": {"fixed_ips": [{"subnet_id": subnet["id"]}]}})
    assert same.json["port"]["fixed_ips"] == [{"subnet_id": subnet["id"], "ip_address": "10.0.0.1"}]
    other = member.put(f"/ports/{port}", {"port": {"fixed_ips": [{"ip_address": "10.0.0.9"}]}})
    assert said(other)[:2] == (409, "ServicePortInUse")


def test_bodies_are_json_whatever_they_are_called(member) -> None:
    answer = member.post("/networks", raw=b'{"network": {"name": "n"}}', headers={"Content-Type": "text/plain"})
    assert answer.json["network"]["name"] == "n"


def test_subnets_of_shared_networks(admin, member, stranger, subnet) -> None:
    shared = admin.make("network", name="s", shared=True)["id"]
    ours = admin.make("subnet", network_id=shared, ip_version=4, cidr="10.8.0.0/24")["id"]
    for caller, word, expected in ((member, "true", {ours}), (member, "false", {subnet["id"]}), (stranger, "True", {ours}), (stranger, "False", set())):
        assert {one["id"] for one in caller.get(f"/subnets?shared={word}").json["subnets"]} == expected, (word, caller.context)


def test_an_admin_who_lists_a_projects_groups_sees_its_default_group(admin) -> None:
    assert [group["name"] for group in admin.get("/security-groups?project_id=n3w").json["security_groups"]] == ["default"]


def test_groups_and_pairs_need_port_security(member, network) -> None:
    port = member.make("port", network_id=network["id"])
    group, path = port["security_groups"][0], f"/ports/{port['id']}"
    assert said(member.put(path, {"port": {"port_security_enabled": False}}))[:2] == (409, "PortSecurityPortHasSecurityGroup")
    assert member.put(path, {"port": {"port_security_enabled": False, "security_groups": []}}).status == 200
    assert said(member.put(path, {"port": {"security_groups": [group]}}))[:2] == (400, "PortSecurityAndIPRequiredForSecurityGroups")
    assert member.put(path, {"port": {"port_security_enabled": True, "security_groups": [group, group]}}).status == 400
    pairs = {"port": {"allowed_address_pairs": [{"ip_address": "10.0.0.9"}]}}
    assert said(member.put(path, pairs))[:2] == (409, "AddressPairAndPortSecurityRequired")


def test_a_subnet_is_its_networks_business(member) -> None:
    small = member.make("network", name="small", mtu=1279)
    six = member.post("/subnets", {"subnet": {"network_id": small["id"], "ip_version": 6, "cidr": "fd00::/64"}})
    assert said(six)[:2] == (409, "NetworkMTUSubnetConflict")
    four = member.make("subnet", network_id=small["id"], ip_version=4, cidr="10.0.0.0/24")
    assert member.get(f"/networks/{small['id']}").json["network"]["revision_number"] == 2
    member.delete(f"/subnets/{four['id']}")
    assert member.get(f"/networks/{small['id']}").json["network"]["revision_number"] == 3


def test_a_group_needs_room_for_its_rules(admin, member) -> None:
    used = len(member.get("/security-group-rules").json["security_group_rules"])
    admin.put(f"/quotas/{member.context.project_id}", {"quota": {"security_group_rule": used + 1}})
    assert said(member.post("/security-groups", {"security_group": {"name": "g"}}))[:2] == (409, "OverQuota")
