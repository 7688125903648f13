"""Security groups of a server's ports: our own service and the client of a real Neutron behave alike."""

from __future__ import annotations

import pytest

from novalike.exception import Conflict, Invalid, NotFound
from novalike.network.neutron import NeutronClient
from novalike.objects.network_info import RequestedNetwork
from tests.unit.network.local.conftest import ADMIN, ALICE, BOB, Cloud, caller, server
from tests.unit.network.test_neutron import Neutron


@pytest.fixture(params=["local", "neutron"])
def world(request, sqlite):
    """Answer the service behind, and a client of it."""
    neutron = Neutron(sqlite)
    return neutron, neutron.local.client if request.param == "local" else NeutronClient(neutron)


def boot(world, **network):
    neutron, client = world
    one = server()
    client.allocate(caller(), one, (RequestedNetwork(network_id=neutron.network(**network).id),) * 2, host="h1")
    return one.uuid


def group(world, name, ctxt=ALICE):
    return world[0].local.security_groups.create(ctxt, [{"name": name}])[0]


def names(world, uuid):
    return [one.name for one in world[1].security_groups(caller(), uuid)]


def test_join_and_leave(world):
    client, uuid = world[1], boot(world)
    web = group(world, "web")
    assert names(world, uuid) == ["default"]
    client.add_security_group(caller(), uuid, "web")
    client.add_security_group(caller(), uuid, web.id)        # again, and by id: fine
    assert names(world, uuid) == ["default", "web"]
    assert all(web.id in vif.security_groups for vif in client.info(caller(), uuid))
    client.remove_security_group(caller(), uuid, "default")
    assert names(world, uuid) == ["web"]
    client.remove_security_group(caller(), uuid, web.id)
    assert names(world, uuid) == []
    with pytest.raises(NotFound, match="not associated with the instance"):
        client.remove_security_group(caller(), uuid, "web")


def test_what_is_not_there(world):
    client, uuid = world[1], boot(world)
    group(world, "theirs", BOB)
    for name in ("theirs", "nonsense"):
        with pytest.raises(NotFound, match=f"Security group {name} not found"):
            client.add_security_group(caller(), uuid, name)
    group(world, "web")
    for change in (client.add_security_group, client.remove_security_group):
        with pytest.raises(NotFound, match="could not be found as device id on any ports"):
            change(caller(), server().uuid, "web")
    group(world, "web")
    with pytest.raises(Conflict, match="an ID to be more specific"):
        client.add_security_group(caller(), uuid, "web")


def test_groups_with_and_without_state_stay_apart(world):
    uuid = boot(world)
    world[0].local.security_groups.create(ALICE, [{"name": "forgets", "stateful": False}])
    with pytest.raises(Conflict):
        world[1].add_security_group(caller(), uuid, "forgets")
    assert names(world, uuid) == ["default"]


def test_a_port_which_nothing_protects(world):
    uuid = boot(world, port_security=False)
    group(world, "web")
    with pytest.raises(Invalid, match="port_security_enabled"):
        world[1].add_security_group(caller(), uuid, "web")


def test_groups_by_id(world):
    web = group(world, "web")
    found = world[1].groups_by_id(caller(), [web.id, "gone"])
    assert set(found) == {web.id}
    assert (found[web.id].name, found[web.id].project_id, {rule.direction for rule in found[web.id].rules}) == (
        "web", ALICE.project_id, {"egress"},
    )
    assert world[1].groups_by_id(caller(), []) == {}


def test_groups_are_made_changed_and_removed_with_the_callers_rights(world):
    client = world[1]
    made = client.create_group(ALICE, "web", "front")
    assert (made.name, made.description, made.project_id) == ("web", "front", ALICE.project_id)
    assert [one.name for one in client.project_groups(ALICE)] == ["default", "web"]
    assert "web" not in [one.name for one in client.project_groups(BOB, everybody=True)]
    assert "web" in [one.name for one in client.project_groups(ADMIN, everybody=True)]
    assert client.change_group(ALICE, made.id, "shop", "").name == "shop"
    values = {
        "security_group_id": made.id, "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 80,
        "port_range_max": 80, "remote_ip_prefix": "10.0.0.0/8", "remote_group_id": None,
    }
    rule = client.create_group_rule(ALICE, values)
    assert {name: getattr(rule, name) for name in values} == values
    with pytest.raises(Conflict):
        client.create_group_rule(ALICE, values)
    assert rule in client.group(ALICE, made.id).rules
    for call in (
        lambda: client.group(BOB, made.id), lambda: client.change_group(BOB, made.id, "x", ""), lambda: client.delete_group(BOB, made.id),
        lambda: client.create_group_rule(BOB, values), lambda: client.delete_group_rule(BOB, rule.id),
    ):
        with pytest.raises(NotFound):
            call()
    client.delete_group_rule(ALICE, rule.id)
    client.delete_group(ALICE, made.id)
    with pytest.raises(NotFound):
        client.group(ALICE, made.id)


def test_hosts_are_rung(sqlite):
    cloud = Cloud(sqlite)
    one = server()
    cloud.client.allocate(caller(), one, (RequestedNetwork(network_id=cloud.network().id),), host="h1")
    cloud.service.security_groups.create(ALICE, [{"name": "web"}])
    cloud.rung.clear()
    cloud.client.add_security_group(caller(), one.uuid, "web")
    assert [host for host, _ in cloud.rung] == ["h1"]
