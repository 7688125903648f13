"""The client of a real Neutron, against our own network API."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from novalike.exception import Conflict, Forbidden, Invalid, NotFound, OverQuota, Unavailable
from novalike.network.client import BindingFailed
from novalike.network.neutron import NeutronClient
from novalike.objects.network_info import ON_DEMAND, RequestedNetwork
from tests.fakes.neutron import Neutron
from tests.unit.network.local.conftest import ADMIN, ALICE, BOB, caller, server


@pytest.fixture
def neutron(sqlite) -> Neutron:
    return Neutron(sqlite)


@pytest.fixture
def client(neutron) -> NeutronClient:
    return NeutronClient(neutron)


def wanted(network, **values) -> RequestedNetwork:
    return RequestedNetwork(network_id=network.id, **values)


def test_what_the_caller_may_not_use_is_refused(neutron, client) -> None:
    mine, theirs, outside = neutron.network(), neutron.network(BOB), neutron.network(ADMIN, external=True)
    port = neutron.local.ports.create(ALICE, [{"network_id": mine.id}])[0]
    for request, error in (
        (wanted(theirs), NotFound), (wanted(outside), Forbidden), (wanted(mine, fixed_ip=port.fixed_ips[0][1]), Invalid),
        (RequestedNetwork(port_id="x"), NotFound), (RequestedNetwork(port_id="../networks"), NotFound), (RequestedNetwork(), Invalid),
    ):
        with pytest.raises(error):
            client.validate(ALICE, (request,), count=1)
    with pytest.raises(NotFound):
        client.validate(BOB, (RequestedNetwork(port_id=port.id),), count=1)
    with pytest.raises(NotFound):
        client.validate(ALICE, (wanted(mine),), count=1, security_groups=("nonsense",))
    with pytest.raises(OverQuota):
        client.validate(ALICE, (wanted(mine),), count=500)
    assert client.validate(ALICE, None, count=1) == (wanted(mine),)
    assert client.validate(ALICE, (RequestedNetwork(port_id=port.id),), count=1)[0].network_id == mine.id
    neutron.network()
    with pytest.raises(Conflict):
        client.validate(ALICE, None, count=1)


def test_a_network_on_demand(neutron, client) -> None:
    assert client.validate(ALICE, (ON_DEMAND,), count=1) == (ON_DEMAND,)
    vif = client.allocate(caller(), server(), (ON_DEMAND,), host="h1")[0]
    assert neutron.local.networks.get(ADMIN, vif.network_id).project_id == ALICE.project_id
    neutron.local.conf.set_override("on_demand_range", "", group="network")
    with pytest.raises(Invalid, match="Unable to automatically allocate"):
        client.validate(BOB, (ON_DEMAND,), count=1)


def test_ports_are_made_found_again_and_freed(neutron, client) -> None:
    first, second = neutron.network(name="first"), neutron.network(name="second", cidr="10.1.0.0/24")
    brought = neutron.local.ports.create(ALICE, [{"network_id": second.id}])[0]
    one = server()
    asked = (wanted(first, tag="blue"), RequestedNetwork(network_id=second.id, port_id=brought.id))
    vifs = client.allocate(caller(), one, asked, host="h1")
    assert [(v.label, v.fixed_ips[0].address, v.owned, v.tag) for v in vifs] == [("first", "10.0.0.2", True, "blue"), ("second", "10.1.0.2", False, None)]
    assert vifs[0].bridge == f"brq{first.id[:11]}"
    assert neutron.local.ports.get(ADMIN, vifs[0].port_id).project_id == ALICE.project_id
    again = client.allocate(caller(), one, asked, host="h2")
    assert [v.port_id for v in again] == [v.port_id for v in vifs]
    assert neutron.local.ports.get(ADMIN, brought.id).host == "h2"
    assert client.info(caller(), one.uuid) == again
    with pytest.raises(Conflict):
        client.allocate(caller(), server(), asked[1:], host="h1")
    for _ in range(2):
        client.free(caller(), one.uuid)
    left = neutron.local.ports.get(ADMIN, brought.id)
    assert (left.device_id, left.host, left.profile) == ("", "", {})
    with pytest.raises(NotFound):
        neutron.local.ports.get(ADMIN, vifs[0].port_id)


def test_freeing_nothing_frees_nothing(neutron, client) -> None:
    neutron.local.ports.create(ALICE, [{"network_id": neutron.network().id}])
    client.free(caller(), "")
    assert ("DELETE", "/ports") not in {(method, path[:6]) for method, path in neutron.sent}


class Unbinding(Neutron):
    """Binds nothing on the host `bad`, as a Neutron whose agent there is dead."""

    def __call__(self, method: str, path: str, params: Any, body: Any) -> tuple[int, Any]:
        status, answer = super().__call__(method, path, params, body)
        for port in (answer or {}).get("ports", [(answer or {}).get("port")]):
            if port and port.get("binding:host_id") == "bad":
                port["binding:vif_type"] = "binding_failed"
        return status, answer


def test_a_port_which_cannot_be_bound_is_found_again_on_another_host(sqlite) -> None:
    neutron = Unbinding(sqlite)
    client, network, one = NeutronClient(neutron), neutron.network(), server()
    with pytest.raises(BindingFailed, match="Binding failed for port"):
        client.allocate(caller(), one, (wanted(network),), host="bad")
    (failed,) = client.info(caller(), one.uuid)
    assert failed.vif_type == "binding_failed", "looking at it is no failure"
    (bound,) = client.allocate(caller(), one, (wanted(network),), host="good")
    assert bound.port_id == failed.port_id
    with pytest.raises(BindingFailed):
        client.rebind(caller(), one, host="bad")
    assert client.rebind(caller(), one, host="")[0].port_id == bound.port_id, "on no host at all is fine"


def test_a_failing_neutron_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        NeutronClient(lambda *_: (500, None)).info(caller(), "x")


def test_a_neutron_which_refuses_our_account_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="does not let novalike's account"):
        NeutronClient(lambda *_: (403, {"NeutronError": {"type": "PolicyNotAuthorized", "message": "disallowed by policy"}})).info(caller(), "x")


def test_one_more_port_leaves_the_others_alone(neutron, client) -> None:
    first, second = neutron.network(name="first"), neutron.network(name="second", cidr="10.1.0.0/24")
    brought = neutron.local.ports.create(ALICE, [{"network_id": second.id}])[0]
    one = server()
    (vif,) = client.allocate(caller(), one, (wanted(first),), host="h1")
    more = client.allocate_nic(caller(), one, wanted(second, tag="blue"), nic=1, host="h1")
    assert client.allocate_nic(caller(), one, wanted(second, tag="blue"), nic=1, host="h1") == more
    own = client.allocate_nic(caller(), one, RequestedNetwork(network_id=second.id, port_id=brought.id), nic=2, host="h1")
    assert [(v.nic, v.tag, v.owned) for v in (more, own)] == [(1, "blue", True), (2, None, False)]
    assert [found.port_id for found in client.info(caller(), one.uuid)] == [vif.port_id, more.port_id, brought.id]
    for port_id in (more.port_id, brought.id, brought.id):
        client.free_port(caller(), one.uuid, port_id)
    assert [found.port_id for found in client.info(caller(), one.uuid)] == [vif.port_id]
    assert neutron.local.ports.get(ADMIN, brought.id).device_id == ""


def test_a_port_which_its_user_disabled_is_not_waited_for(neutron, client) -> None:
    one, network = server(), neutron.network()
    first, second = client.allocate(caller(), one, (wanted(network), wanted(network)), host="h1")
    answers = {first.port_id: {"status": "BUILD"}, second.port_id: {"status": "DOWN", "admin_state_up": False}}

    def plugging(method: str, path: str, params: Any, body: Any) -> tuple[int, Any]:
        status, answer = neutron(method, path, params, body)
        for port in (answer or {}).get("ports", ()):
            port.update(answers.get(port["id"], {}))
        return status, answer
    slow = NeutronClient(plugging)
    assert slow.port_states(caller(), one.uuid) == {first.port_id: "BUILD", second.port_id: "ACTIVE"}
    assert [(vif.status, vif.plugging) for vif in slow.info(caller(), one.uuid)] == [("BUILD", True), ("DOWN", False)]
    assert not any(vif.plugging for vif in client.info(caller(), one.uuid)), "active as they were bound"


def test_a_moved_port_says_the_zone_of_its_new_host(neutron, client) -> None:
    one, network = server(), neutron.network()
    (vif,) = client.allocate(caller(), one, (wanted(network),), host="h1")
    client.rebind(caller(), replace(one, availability_zone="west"), host="h2")
    port = neutron.local.ports.get(ADMIN, vif.port_id)
    assert (port.host, port.device_owner, port.device_id) == ("h2", "compute:west", one.uuid)
    client.rebind(caller(), one, host="")
    assert neutron.local.ports.get(ADMIN, vif.port_id).device_id == one.uuid, "a shelved server keeps its ports"
