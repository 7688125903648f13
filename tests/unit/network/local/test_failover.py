"""Routers of hosts whose agents are dead. That guests' connections recover is in tests/live/test_routers_of_two_hosts.py."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from novalike.conductor.desired_state import DesiredStateEndpoint
from novalike.db import hosts
from novalike.db.base import now_ms
from novalike.db.engine import Database
from novalike.db.models.hosts import ServiceRow
from novalike.network.local import desired
from novalike.network.local.failover import Failover
from novalike.network.local.store import AGENT, Store
from novalike.objects.network_info import RequestedNetwork
from novalike.objects.router import Router
from tests.unit.network.local.conftest import ADMIN, ALICE, Cloud, caller, server


def agent(cloud: Cloud, host: str, *, silent: bool = False, **flags: bool) -> None:
    """Have an agent report, or be silent since two minutes."""
    uuid = cloud.database.write(hosts.report_service, host=host, binary=AGENT, topic="network")
    if flags:
        cloud.database.write(hosts.update_service, uuid, down_after=60.0, **flags)
    if silent:
        cloud.database.write(lambda session: session.execute(
            sa.update(ServiceRow).where(ServiceRow.uuid == uuid).values(last_seen=now_ms() - 120_000)))


def failover(cloud: Cloud) -> Failover:
    return Failover(Store(cloud.service._store.cells, cloud.clock, cloud.service.conf, lambda host, revision: cloud.rung.append((host, revision))))


def routed(cloud: Cloud, count: int = 1, **values: Any) -> list[Router]:
    """Make routers with an external gateway, each with a subnet of its own."""
    outside = cloud.network(ADMIN, cidr="172.24.0.0/16", external=True, name="outside")
    made = cloud.service.routers.create(ALICE, [{"gateway": {"network_id": outside.id}, **values} for _ in range(count)])
    for number, router in enumerate(made):
        network = cloud.network(cidr=f"10.{number}.0.0/24")
        cloud.service.router_interfaces.add(ALICE, router.id, subnet_id=network.subnet_ids[0], port_id=None)
    return made


def homes(cloud: Cloud, routers: list[Router]) -> list[str]:
    return [cloud.service.routers.get(ALICE, router.id).host for router in routers]


def served(cloud: Cloud, host: str) -> set[str]:
    return {router.id for router in desired.fetch(cloud.database, host, 0).routers}


def test_routers_of_a_silent_host_move_to_those_with_the_fewest_after_one_more_heartbeats_time(cloud: Cloud) -> None:
    agent(cloud, "a")
    made = routed(cloud, 4)
    for host in ("b", "c"):
        agent(cloud, host)
    watch = failover(cloud)
    watch.run()
    assert homes(cloud, made) == ["a"] * 4, "who lives keeps what it has"
    agent(cloud, "a", silent=True)
    watch.run()
    assert homes(cloud, made) == ["a"] * 4, "it may be the database that was away"
    cloud.clock.advance(9.0)
    agent(cloud, "a")
    watch.run()
    agent(cloud, "a", silent=True)
    watch.run()
    cloud.clock.advance(9.0)
    watch.run()
    assert homes(cloud, made) == ["a"] * 4, "a host which was heard of begins anew"
    cloud.rung.clear()
    cloud.clock.advance(2.0)
    watch.run()
    assert sorted(homes(cloud, made)) == ["b", "b", "c", "c"]
    assert {host for host, _ in cloud.rung} == {"a", "b", "c"}
    assert (served(cloud, "a"), served(cloud, "b") | served(cloud, "c")) == (set(), {router.id for router in made})
    ports = desired.fetch(cloud.database, "b", 0)
    assert {leg.network_id for router in ports.routers for leg in router.legs} <= {network.id for network in ports.networks}, "its networks come too"
    agent(cloud, "a")
    watch.run()
    assert "a" not in homes(cloud, made), "nothing moves back by itself"


def test_an_agent_is_told_whether_others_could_take_over(cloud: Cloud) -> None:
    endpoint = DesiredStateEndpoint(cloud.service._store.cells, cloud.clock)

    def others() -> object:
        return endpoint.network(ADMIN, host="a", since=0)["others"]

    agent(cloud, "a")
    assert others() is False, "the routers of an only host go on without their agent"
    agent(cloud, "b", disabled=True)
    assert others() is False
    agent(cloud, "c", silent=True)
    assert others() is True
    network = cloud.network()
    port = cloud.client.allocate(caller(), server(), (RequestedNetwork(network_id=network.id),), host="c")[0]
    found = endpoint.asker(ADMIN, network_id=network.id, address=port.fixed_ips[0].address)
    assert found is not None
    assert found.project_id == ALICE.project_id
    assert endpoint.asker(ADMIN, network_id=network.id, address="10.0.0.250") is None
    plain = cloud.port(network)
    assert endpoint.asker(ADMIN, network_id=network.id, address=plain.fixed_ips[0][1]) is None, "a port of no server has no metadata"


def test_a_host_which_is_forced_down_or_switched_off_is_left_at_once(database: Database) -> None:
    cloud = Cloud(database)
    agent(cloud, "a")
    made = routed(cloud, 1)
    agent(cloud, "b")
    agent(cloud, "a", forced_down=True)
    failover(cloud).run()
    assert homes(cloud, made) == ["b"]
    agent(cloud, "a", forced_down=False)
    agent(cloud, "b", disabled=True)
    failover(cloud).run()
    assert homes(cloud, made) == ["a"]


def test_where_nobody_lives_routers_stay_and_homeless_ones_go_to_the_first_who_comes(cloud: Cloud) -> None:
    cloud.service.quotas.set(ALICE.project_id or "", {"router": -1})
    made = cloud.service.routers.create(ALICE, [{}] * 25)
    watch = failover(cloud)
    watch.run()
    assert homes(cloud, made) == [""] * 25
    agent(cloud, "a", disabled=True)
    agent(cloud, "b")
    watch.run()
    assert homes(cloud, made) == ["b"] * 25, "in batches, to one that works"
    agent(cloud, "b", silent=True)
    cloud.clock.advance(100.0)
    watch.run()
    cloud.clock.advance(100.0)
    watch.run()
    assert homes(cloud, made) == ["b"] * 25, "there is no better place"
