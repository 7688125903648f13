"""What Neutron says of servers' ports is compared with what is stored, and what deleted servers left there is freed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest

from novalike.clock import ManualClock
from novalike.conductor import server_ports
from novalike.conductor.server_ports import MARGIN, ServerPorts
from novalike.db import hosts, instances, tasks
from novalike.db.cells import Cells
from novalike.exception import NotFound, Unavailable
from novalike.network.neutron import NeutronClient
from novalike.network.neutron_memory import Adoption
from novalike.objects.network_info import RequestedNetwork
from tests import factories
from tests.fakes.neutron import Neutron
from tests.unit.network.local.conftest import ADMIN, ALICE, caller


@pytest.fixture
def neutron(sqlite) -> Neutron:
    return Neutron(sqlite)


@pytest.fixture
def world(sqlite, neutron):
    conf = SimpleNamespace(host="c1", service_down_time=60)
    return SimpleNamespace(conf=conf, clock=ManualClock(), cells=Cells.single(sqlite), networks=NeutronClient(neutron))


@pytest.fixture
def work(world, sqlite) -> ServerPorts:
    return ServerPorts(world, sqlite)


@pytest.fixture
def network(neutron):
    return neutron.network()


def server(world, sqlite, network, *ports: str, **values):
    """Store a server with one made port, and those which its user brought."""
    made = factories.instance(project_id=ALICE.project_id, **values)
    wanted = (RequestedNetwork(network_id=network.id), *(RequestedNetwork(network_id=network.id, port_id=port) for port in ports))
    vifs = world.networks.allocate(caller(), made, wanted, host="host-1")
    return sqlite.write(instances.create, [replace(made, network_info=vifs)])[0]


def test_what_changed_meanwhile_is_taken_over(world, work, sqlite, neutron, network):
    servers = [server(world, sqlite, network) for _ in range(5)]
    group = neutron.local.security_groups.create(ALICE, [{"name": "web"}])[0]
    (vif,) = servers[2].network_info
    neutron.local.ports.update(ALICE, vif.port_id, {"security_groups": [group.id]})
    neutron.sent.clear()
    work.look()
    (now,) = sqlite.fetch(instances.network_info, servers[2].uuid)
    assert now.security_groups == (group.id,)
    assert sqlite.fetch(instances.network_info, servers[1].uuid) == servers[1].network_info
    assert len(neutron.sent) <= 6, f"as many requests for five servers as for one: {neutron.sent}"


def test_a_port_which_is_gone_is_taken_from_its_server(world, work, sqlite, neutron, network):
    one, other = server(world, sqlite, network), server(world, sqlite, network, vm_state="error")
    kept = server(world, sqlite, network)
    for gone in (one, other):
        neutron.local.ports.delete(ADMIN, gone.network_info[0].port_id)
    work.look()
    assert sqlite.fetch(tasks.of_instance, one.uuid).kind == "detach_interface"
    assert sqlite.fetch(instances.network_info, other.uuid) == (), "which has no guest"
    assert sqlite.fetch(tasks.of_instance, kept.uuid) is None
    work.look()


def test_a_neutron_which_knows_no_port_at_all_is_not_believed(world, work, sqlite, neutron, network, caplog):
    servers = [server(world, sqlite, network) for _ in range(3)]
    for one in servers:
        neutron.local.ports.delete(ADMIN, one.network_info[0].port_id)
    work.look()
    assert [sqlite.fetch(tasks.of_instance, one.uuid) for one in servers] == [None, None, None]
    assert "is it the one which made them" in caplog.text


def test_ports_which_a_server_does_not_have_are_told_of(world, work, sqlite, neutron, network, caplog):
    one = server(world, sqlite, network)
    more = neutron.local.ports.create(ADMIN, [{"network_id": network.id, "device_id": one.uuid, "device_owner": "compute:nova"}])[0]
    work.look()
    assert f"instance {one.uuid}: ports are bound to it which it does not have: {more.id}" in caplog.text
    assert len(sqlite.fetch(instances.network_info, one.uuid)) == 1


def test_ports_which_deleted_servers_left_are_freed_in_time(world, work, sqlite, neutron, network, monkeypatch):
    monkeypatch.setattr(server_ports, "PORTS", 2)
    def left(port) -> str:
        try:
            return neutron.local.ports.get(ADMIN, port).device_id
        except NotFound:
            return "gone"
    brought = neutron.local.ports.create(ALICE, [{"network_id": network.id}])[0].id
    now = world.clock.now()
    early, late = now - timedelta(seconds=MARGIN + 1), now - timedelta(seconds=MARGIN - 1)
    long_ago = server(world, sqlite, network, brought, deleted=True, terminated_at=early, updated_at=early)
    just_now = server(world, sqlite, network, deleted=True, terminated_at=late, updated_at=late)
    alive = server(world, sqlite, network)
    strange = factories.instance(project_id=ALICE.project_id)            # of another cloud, perhaps
    foreign = world.networks.allocate(caller(), strange, (RequestedNetwork(network_id=network.id),), host="h")[0].port_id
    taken_over = neutron.local.ports.create(ADMIN, [{"network_id": network.id, "device_id": long_ago.uuid, "device_owner": "compute:nova"}])[0].id
    Adoption(neutron).adopt((replace(long_ago.network_info[0], port_id=taken_over, owned=True),))
    of_another = neutron.local.ports.create(ADMIN, [{"network_id": network.id, "device_id": long_ago.uuid, "device_owner": "octavia:health"}])[0].id
    for _ in range(5):
        work.look()
    assert left(long_ago.network_info[0].port_id) == "gone"
    assert left(taken_over) == "gone", "of a port taken over from a Nova its tags tell whose it is"
    assert left(brought) == "", "whoever brought a port keeps it"
    assert [left(one.network_info[0].port_id) for one in (just_now, alive)] == [just_now.uuid, alive.uuid]
    assert (left(foreign), left(of_another)) == (strange.uuid, long_ago.uuid)
    world.clock.advance(2)
    for _ in range(5):
        work.look()
    assert left(just_now.network_info[0].port_id) == "gone"


def test_one_conductor_of_those_which_are_up_does_it(world, work, sqlite, neutron, network):
    server(world, sqlite, network)
    for host in ("c0", "c1"):
        sqlite.write(hosts.report_service, host=host, binary="novalike-conductor", topic="conductor")
    neutron.sent.clear()
    work.look()
    assert neutron.sent == []
    world.conf.host = "c0"
    work.look()
    assert neutron.sent != []


def test_a_neutron_which_is_away_is_asked_again_later(world, work, sqlite, network):
    server(world, sqlite, network)
    def away(*_):
        raise Unavailable("The network service does not answer.")
    work._world = SimpleNamespace(**{**vars(world), "networks": NeutronClient(away)})
    work.look()


def test_nothing_is_asked_where_ports_are_our_own(world, sqlite, neutron):
    world.networks = neutron.local.client
    ServerPorts(world, sqlite).look()
    assert neutron.sent == []
