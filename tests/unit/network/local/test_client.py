"""The local network service as compute uses it."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from novalike.db.engine import Database
from novalike.db.network_listing import Listing
from novalike.exception import Conflict, Forbidden, Invalid, NotFound, OverQuota
from novalike.network.local import desired
from novalike.objects.flavor import Flavor
from novalike.objects.network_info import ON_DEMAND, RequestedNetwork
from tests.unit.network.local.conftest import ADMIN, ALICE, BOB, Cloud, caller, server


def wanted(network, **values) -> RequestedNetwork:
    return RequestedNetwork(network_id=network.id, **values)


def test_auto_is_the_only_network_there_is(cloud: Cloud) -> None:
    assert cloud.client.validate(ALICE, None, count=1) == ()
    cloud.network(ADMIN, cidr=None, shared=True, name="without subnet")
    shared = cloud.network(ADMIN, shared=True)
    assert cloud.client.validate(ALICE, None, count=1) == (wanted(shared),)
    own = cloud.network()
    with pytest.raises(Conflict, match="Multiple possible networks"):
        cloud.client.validate(ALICE, None, count=1)
    cloud.service.networks.update(ADMIN, shared.id, {"is_default": True})
    assert cloud.client.validate(ALICE, None, count=1) == (wanted(shared),)
    assert cloud.client.validate(ALICE, (wanted(own),), count=1) == (wanted(own),)


def test_a_network_is_made_on_demand_once_however_many_servers_need_it(cloud: Cloud) -> None:
    assert cloud.client.validate(ALICE, (ON_DEMAND,), count=3) == (ON_DEMAND,)
    found: list[str] = []

    def build() -> None:
        found.append(cloud.client.allocate(caller(), server(), (ON_DEMAND,), host="h1")[0].network_id)

    together = [threading.Thread(target=build) for _ in range(3)]
    for thread in together:
        thread.start()
    for thread in together:
        thread.join()
    assert len(found) == 3
    assert len(set(found)) == 1
    assert cloud.client.validate(ALICE, (ON_DEMAND,), count=1) == (RequestedNetwork(network_id=found[0]),)
    cloud.service.conf.set_override("on_demand_range", "", group="network")
    with pytest.raises(Invalid, match="Unable to automatically allocate a network"):
        cloud.client.validate(BOB, (ON_DEMAND,), count=1)


def test_what_the_caller_may_not_use_is_refused_at_accept(cloud: Cloud) -> None:
    mine, theirs = cloud.network(), cloud.network(BOB)
    empty = cloud.network(cidr=None)
    outside = cloud.network(ADMIN, external=True)
    port = cloud.port(mine)
    taken = cloud.port(mine, device_id="somebody")
    for request, error in (
        (wanted(theirs), NotFound), (wanted(empty), Invalid), (wanted(outside), Forbidden), (wanted(mine, fixed_ip="10.9.9.9"), Invalid),
        (wanted(mine, fixed_ip=port.fixed_ips[0][1]), Invalid), (RequestedNetwork(port_id=taken.id), Conflict),
        (RequestedNetwork(port_id="no-such-port"), NotFound), (RequestedNetwork(), Invalid),
    ):
        with pytest.raises(error):
            cloud.client.validate(ALICE, (request,), count=1)
    with pytest.raises(Invalid):
        cloud.client.validate(ALICE, (RequestedNetwork(port_id=port.id),), count=2)
    with pytest.raises(NotFound):
        cloud.client.validate(ALICE, (wanted(mine),), count=1, security_groups=("nonsense",))
    with pytest.raises(OverQuota):
        cloud.client.validate(ALICE, (wanted(mine),), count=499)
    assert cloud.client.validate(ALICE, (RequestedNetwork(port_id=port.id),), count=1)[0].network_id == mine.id


def test_a_server_gets_a_port_per_network_in_the_order_asked_for(cloud: Cloud) -> None:
    first, second = cloud.network(name="first"), cloud.network(name="second", cidr="10.1.0.0/24")
    one = server()
    vifs = cloud.client.allocate(caller(), one, (wanted(second, tag="blue"), wanted(first)), host="h1")
    assert [(vif.label, vif.fixed_ips[0].address, vif.tag, vif.owned) for vif in vifs] == [
        ("second", "10.1.0.2", "blue", True), ("first", "10.0.0.2", None, True),
    ]
    assert vifs[0].bridge == f"nlb{second.id[:11]}"
    assert vifs[0].tap == f"tap{vifs[0].port_id[:11]}"
    assert vifs[0].subnets[0].dhcp_server == "10.1.0.1"
    assert cloud.client.info(caller(), one.uuid) == vifs
    assert [host for host, _ in cloud.rung] == ["h1"], "one ring per allocation, however many ports"


def test_allocating_again_answers_the_same_ports_on_the_new_host(cloud: Cloud) -> None:
    network = cloud.network()
    brought = cloud.port(network)
    one = server()
    asked = (wanted(network), RequestedNetwork(network_id=network.id, port_id=brought.id))
    before = cloud.client.allocate(caller(), one, asked, host="h1")
    again = cloud.client.allocate(caller(), one, asked, host="h2")
    assert [vif.port_id for vif in again] == [vif.port_id for vif in before]
    assert [host for host, _ in cloud.rung] == ["h1", "h1", "h2"]
    assert {port.host for port in cloud.service.ports.list_page(Listing())} == {"h2"}


def test_free_deletes_what_the_build_made_and_gives_back_what_the_user_brought(cloud: Cloud) -> None:
    network = cloud.network()
    brought = cloud.port(network)
    one = server()
    cloud.client.allocate(caller(), one, (wanted(network), RequestedNetwork(port_id=brought.id)), host="h1")
    for _ in range(2):                                       # fine when there are none any more
        cloud.client.free(caller(), one.uuid)
        left = cloud.service.ports.list_page(Listing())
        assert [(port.id, port.host, port.device_id, port.status) for port in left] == [(brought.id, "", "", "DOWN")]
    assert cloud.client.info(caller(), one.uuid) == ()


def test_a_brought_port_which_another_server_took_is_refused(cloud: Cloud) -> None:
    port = cloud.port(cloud.network())
    asked = (RequestedNetwork(network_id=port.network_id, port_id=port.id),)
    cloud.client.allocate(caller(), server(), asked, host="h1")
    with pytest.raises(Conflict):
        cloud.client.allocate(caller(), server(), asked, host="h1")


def test_security_groups_are_found_by_name(cloud: Cloud) -> None:
    network = cloud.network()
    web = cloud.service.security_groups.create(ALICE, [{"name": "web"}])[0]
    vifs = cloud.client.allocate(caller(), server(), (wanted(network),), host="h1", security_groups=("default", "web"))
    assert len(vifs[0].security_groups) == 2
    assert web.id in vifs[0].security_groups


def test_a_host_hears_only_what_changed_for_it(cloud: Cloud) -> None:
    first, second = cloud.network(), cloud.network(cidr="10.1.0.0/24")
    one = server()
    cloud.client.allocate(caller(), one, (wanted(first),), host="h1")
    cloud.client.allocate(caller(), server(), (wanted(second),), host="h1")
    whole = desired.fetch(cloud.database, "h1", 0)
    assert whole.full
    assert {network.id for network in whole.networks} == {first.id, second.id}
    assert whole.revision == 2
    assert desired.fetch(cloud.database, "h1", whole.revision).networks == ()
    cloud.client.free(caller(), one.uuid)
    change = desired.fetch(cloud.database, "h1", whole.revision)
    assert (change.full, change.networks, change.gone) == (False, (), (first.id,))
    cloud.service.networks.update(ALICE, second.id, {"name": "other"})
    assert [n.id for n in desired.fetch(cloud.database, "h1", change.revision).networks] == [second.id]
    assert desired.fetch(cloud.database, "h2", 0).networks == ()
    assert desired.fetch(cloud.database, "h1", 99).full, "a revision we never gave out means that the agent knows another database"


def test_ports_are_exact_under_concurrency(database: Database) -> None:
    """Eight writers want 30 of 29 addresses: 29 different ones are given out and one is refused."""
    cloud = Cloud(database, {"network__quota_port": -1})
    network = cloud.network(cidr="10.0.0.0/27")
    given: list[str] = []
    refused: list[Exception] = []

    def run(count: int) -> None:
        for _ in range(count):
            try:
                vifs = cloud.client.allocate(caller(), server(), (wanted(network),), host="h1")
                given.append(vifs[0].fixed_ips[0].address)
            except Conflict as error:
                refused.append(error)

    threads = [threading.Thread(target=run, args=(4 if n < 6 else 3,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(given) == len(set(given)) == 29
    assert len(refused) == 1
    revisions = sorted(revision for host, revision in cloud.rung)
    assert revisions == list(range(1, 30)), "every change has a revision of its own"


def test_one_more_port_leaves_the_others_alone(cloud: Cloud) -> None:
    first, second = cloud.network(), cloud.network()
    one = server()
    (vif,) = cloud.client.allocate(caller(), one, (wanted(first),), host="h1")
    more = cloud.client.allocate_nic(caller(), one, wanted(second, tag="blue"), nic=1, host="h1")
    assert cloud.client.allocate_nic(caller(), one, wanted(second, tag="blue"), nic=1, host="h1").port_id == more.port_id
    assert (more.nic, more.tag, more.owned, more.status) == (1, "blue", True, "ACTIVE")
    brought = cloud.port(second)
    own = cloud.client.allocate_nic(caller(), one, RequestedNetwork(port_id=brought.id), nic=2, host="h1")
    assert (own.port_id, own.owned) == (brought.id, False)
    assert [found.port_id for found in cloud.client.info(caller(), one.uuid)] == [vif.port_id, more.port_id, brought.id]
    with pytest.raises(Conflict):
        cloud.client.allocate_nic(caller(), server(), RequestedNetwork(port_id=brought.id), nic=1, host="h1")
    for port_id in (more.port_id, brought.id, brought.id, "nonsense"):
        cloud.client.free_port(caller(), one.uuid, port_id)
    cloud.client.free_port(caller(), server().uuid, vif.port_id)     # not that server's
    assert [found.port_id for found in cloud.client.info(caller(), one.uuid)] == [vif.port_id]
    assert cloud.service.ports.get(ALICE, brought.id).device_id == ""


def test_a_host_hears_of_a_network_which_is_deleted_at_once(cloud: Cloud) -> None:
    first, one = cloud.network(), server()
    cloud.client.allocate(caller(), one, (wanted(first),), host="h1")
    known = desired.fetch(cloud.database, "h1", 0).revision
    cloud.client.free(caller(), one.uuid)
    cloud.service.networks.delete(ALICE, first.id)
    second = cloud.network()
    cloud.client.allocate(caller(), server(), (wanted(second),), host="h1")
    told = desired.fetch(cloud.database, "h1", known)
    assert [network.id for network in told.networks] == [second.id]
    assert told.gone == (first.id,)
    for _ in range(60):                          # long ago for this host, at last
        other = server()
        cloud.client.allocate(caller(), other, (wanted(second),), host="h1")
        cloud.client.free(caller(), other.uuid)
    cloud.service.networks.delete(ALICE, cloud.network(cidr="10.9.0.0/24").id)
    assert first.id not in desired.fetch(cloud.database, "h1", 1).gone


def test_ports_have_the_limits_of_the_flavor_while_they_are_the_servers(cloud: Cloud) -> None:
    network = cloud.network()
    brought = cloud.port(network)
    small, large = (
        Flavor(flavorid=name, name=name, vcpus=1, memory_mb=64, root_gb=0, extra_specs=specs) for name, specs in (
            ("small", {"quota:vif_inbound_average": "100", "quota:vif_inbound_burst": "50", "quota:vif_outbound_peak": "7"}), ("large", {}),
        )
    )
    one = server(flavor=small)
    assert all(vif.limited for vif in cloud.client.allocate(caller(), one, (wanted(network), RequestedNetwork(port_id=brought.id)), host="h1"))
    late = cloud.client.allocate_nic(caller(), one, wanted(network), nic=2, host="h1")

    def limits() -> list[tuple[tuple[str, int], ...]]:
        document = desired.fetch(cloud.database, "h1", 0)
        return [port.bandwidth for found in document.networks for port in found.ports]

    assert limits() == [(("inbound_average", 100), ("inbound_burst", 50))] * 3, "a direction without an average has no limit"
    before = cloud.rung[-1]
    cloud.client.rebind(caller(), replace(one, flavor=large), host="h1")
    assert limits() == [()] * 3
    assert cloud.rung[-1] > before, "the host hears of it"
    cloud.client.rebind(caller(), one, host="h1")
    cloud.client.free(caller(), one.uuid)
    assert cloud.service.ports.get(ALICE, brought.id).bandwidth == ()
    assert late.port_id not in [port.id for port in cloud.service.ports.list_page(Listing(project_id=ALICE.project_id))]
    with pytest.raises(Invalid, match="quota:vif_inbound_average"):
        cloud.client.allocate(caller(), server(flavor=replace(small, extra_specs={"quota:vif_inbound_average": "fast"})), (wanted(network),), host="h1")
