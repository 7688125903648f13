"""What hosts are told of security groups, and which of them are rung when one changes."""

from __future__ import annotations

from typing import Any

from novalike.db.engine import Database
from novalike.network.local import desired
from novalike.network.local.addresses import WantedAddress
from novalike.objects.network import SecurityGroup
from novalike.objects.network_state import DesiredNetworks, KnownGroups
from tests.unit.network.local.conftest import ADMIN, ALICE, Cloud


def make(cloud: Cloud, name: str) -> SecurityGroup:
    return cloud.service.security_groups.create(ALICE, [{"name": name}])[0]


def rule(cloud: Cloud, group: SecurityGroup, **values: Any) -> str:
    given = {"security_group_id": group.id, "direction": "ingress", **values}
    return cloud.service.security_groups.create_rules(ALICE, [given])[0].id


def known(answer: DesiredNetworks) -> KnownGroups:
    return KnownGroups(
        rules={group.id: group.revision for group in answer.groups}, members={group.id: group.revision for group in answer.members},
    )


def rung(cloud: Cloud) -> set[str]:
    found, cloud.rung[:] = {host for host, _ in cloud.rung}, []
    return found


def test_a_rule_is_told_to_hosts_with_ports_in_its_group_and_members_to_those_whose_rules_name_the_group(database: Database) -> None:
    cloud = Cloud(database)
    network = cloud.network()
    web, database = make(cloud, "web"), make(cloud, "database")
    front = cloud.port(network, ADMIN, project_id=ALICE.project_id, host="h1", security_groups=[web.id])
    cloud.port(network, ADMIN, project_id=ALICE.project_id, host="h2", security_groups=[database.id])
    rung(cloud)
    made = rule(cloud, database, protocol="tcp", port_range_min=3306, port_range_max=3306, remote_group_id=web.id)
    assert rung(cloud) == {"h2"}
    first = desired.fetch(cloud.database, "h2", 0)
    assert [(group.id, len(group.rules)) for group in first.groups] == [(database.id, 3)]
    assert [(members.id, members.addresses) for members in first.members] == [(web.id, (front.fixed_ips[0][1],))]
    again = desired.fetch(cloud.database, "h2", first.revision, known(first))
    assert (again.networks, again.groups, again.members) == ((), (), ()), "what is known is not told again"

    # A port elsewhere, bound to no host, in the group which the rule names.
    other = cloud.port(network, security_groups=[web.id], fixed_ips=[WantedAddress(address="10.0.0.77")])
    assert rung(cloud) == {"h2"}
    moved = desired.fetch(cloud.database, "h2", first.revision, known(first))
    assert (moved.networks, moved.groups) == ((), ())
    assert moved.members[0].addresses == (front.fixed_ips[0][1], "10.0.0.77")
    cloud.service.ports.update(ALICE, other.id, {"name": "renamed"})
    assert rung(cloud) == set()
    cloud.service.ports.update(ALICE, other.id, {"address_pairs": (("10.9.0.0/16", ""),)})
    assert rung(cloud) == {"h2"}
    assert "10.9.0.0/16" in desired.fetch(cloud.database, "h2", 0).members[0].addresses
    cloud.service.ports.update(ALICE, other.id, {"security_groups": ()})
    assert rung(cloud) == {"h2"}
    assert desired.fetch(cloud.database, "h2", 0).members[0].addresses == (front.fixed_ips[0][1],)

    cloud.service.security_groups.delete_rule(ALICE, made)
    assert rung(cloud) == {"h2"}
    last = desired.fetch(cloud.database, "h2", first.revision, known(first))
    assert [len(group.rules) for group in last.groups] == [2]


def test_removing_a_group_removes_the_rules_which_name_it_and_rings_their_hosts(cloud: Cloud) -> None:
    network = cloud.network()
    web, database = make(cloud, "web"), make(cloud, "database")
    cloud.port(network, ADMIN, project_id=ALICE.project_id, host="h2", security_groups=[database.id])
    rule(cloud, database, remote_group_id=web.id)
    first = desired.fetch(cloud.database, "h2", 0)
    rung(cloud)
    cloud.service.security_groups.delete(ALICE, web.id)
    assert rung(cloud) == {"h2"}
    after = desired.fetch(cloud.database, "h2", first.revision, known(first))
    assert [len(group.rules) for group in after.groups] == [2]


def test_a_port_brings_its_group_to_a_host_which_had_none_of_it(cloud: Cloud) -> None:
    network = cloud.network()
    web = make(cloud, "web")
    cloud.port(network, ADMIN, project_id=ALICE.project_id, host="h1", security_groups=[])
    before = desired.fetch(cloud.database, "h1", 0)
    assert before.groups == ()
    cloud.port(network, ADMIN, project_id=ALICE.project_id, host="h1", security_groups=[web.id])
    after = desired.fetch(cloud.database, "h1", before.revision, known(before))
    assert [group.id for group in after.groups] == [web.id]
    assert {group for port in after.networks[0].ports for group in port.groups} == {web.id}


def test_disabled_ports_and_those_without_port_security_are_told_as_such(cloud: Cloud) -> None:
    network = cloud.network()
    default = cloud.service.security_groups
    down = cloud.port(network, ADMIN, project_id=ALICE.project_id, host="h1", admin_state_up=False)
    bare = cloud.port(network, ADMIN, project_id=ALICE.project_id, host="h1", port_security=False, security_groups=[])
    answer = desired.fetch(cloud.database, "h1", 0)
    told = {port.id: port for port in answer.networks[0].ports}
    assert (told[down.id].up, told[down.id].guarded) == (False, True)
    assert (told[bare.id].up, told[bare.id].guarded) == (True, False)
    default.ensure_default(ALICE.project_id)
    members = next(members for members in answer.members)
    assert members.addresses == (down.fixed_ips[0][1],), "a port without port security is no member of anything"
