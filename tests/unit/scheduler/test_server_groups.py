"""Server groups: the policy holds at any concurrency, over real databases; filters and weighers prefer what it wants."""

import threading
import uuid
from collections import Counter

import pytest
import sqlalchemy as sa

from novalike.db import claims, hosts, server_groups
from novalike.db.models.instances import InstanceRow
from novalike.db.models.mappings import InstanceMapping
from novalike.exception import NoValidHost, OverQuota, Unavailable
from novalike.hardware.capacity import Ratios
from novalike.objects.server_group import GroupPlaces, ServerGroup
from novalike.scheduler.filters.server_group import ServerGroupAffinityFilter, ServerGroupAntiAffinityFilter
from novalike.scheduler.options import Options
from novalike.scheduler.weights.server_group import ServerGroupSoftAffinityWeigher, ServerGroupSoftAntiAffinityWeigher
from tests import factories_hosts as make
from tests.unit.scheduler.test_placing import NOW, Cloud


def group(database, policy, **rules):
    wanted = ServerGroup(uuid=str(uuid.uuid4()), name="g", project_id="p1", user_id="u1", policy=policy, rules=rules)
    return database.write(server_groups.create, wanted, cell="cell1", now=NOW).uuid


def race(cloud, specs, schedulers=2):
    """Place all servers at once by several schedulers; answer who was placed where, and the refusals."""
    placers = [cloud.scheduler, *(cloud.another_scheduler() for _ in range(schedulers - 1))]
    placed, refused, errors = {}, [], []

    def run(batch, scheduler):
        for spec in batch:
            for _ in range(10):                  # the conductor asks again, too, when every race was lost
                try:
                    placed[spec.instance_uuid] = cloud.place(spec, scheduler).host
                except NoValidHost as error:
                    refused.append(str(error))
                except Unavailable:
                    continue
                except Exception as error:
                    errors.append(error)
                break
    threads = [threading.Thread(target=run, args=(specs[n::10], placers[n % schedulers])) for n in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    return placed, refused


@pytest.mark.parametrize(("rules", "each"), [({}, 1), ({"max_server_per_host": 3}, 3)])
def test_anti_affinity_is_exact(database, rules, each):
    """30 servers for 5 hosts with plenty of room: exactly 5 (or 15) are placed, the rest is told why not."""
    cloud = Cloud(database)
    for number in range(5):
        cloud.host(f"host{number}", vcpus=40)
    apart = group(database, "anti-affinity", **rules)
    placed, refused = race(cloud, [cloud.instance(server_group=apart) for _ in range(30)])
    assert (len(placed), len(refused)) == (5 * each, 30 - 5 * each)
    assert Counter(placed.values()) == {f"host{number}": each for number in range(5)}
    assert "ServerGroupAntiAffinityFilter" in refused[-1], refused[-1]


def test_affinity_is_exact(database):
    """12 servers race: wherever the first lands the others follow, up to the host's capacity."""
    cloud = Cloud(database)
    for number in range(4):
        cloud.host(f"host{number}", vcpus=8)
    together = group(database, "affinity")
    placed, refused = race(cloud, [cloud.instance(server_group=together) for _ in range(12)])
    assert len(set(placed.values())) == 1
    assert (len(placed), len(refused)) == (8, 4)


def test_a_moving_server_does_not_meet_itself(sqlite):
    cloud = Cloud(sqlite)
    for number in range(2):
        cloud.host(f"host{number}")
    for policy in ("affinity", "anti-affinity"):
        bound = group(sqlite, policy)
        spec = cloud.instance(server_group=bound)
        here = cloud.place(spec).host
        move = make.spec(spec.instance_uuid, server_group=bound, role="migration", leaves_host=here)
        there = cloud.place(move).host
        assert here != there
        other = cloud.instance(server_group=bound)
        if policy == "affinity":                 # two hosts for a while: either will do
            assert cloud.place(other).host in {here, there}
        else:
            with pytest.raises(NoValidHost):     # the place it leaves is its own until the move is confirmed
                cloud.place(other)


def test_a_forced_host_does_not_break_the_policy(sqlite):
    cloud = Cloud(sqlite)
    cloud.host("host1")
    cloud.host("host2")
    apart = group(sqlite, "anti-affinity")
    assert cloud.place(cloud.instance(server_group=apart, forced_host="host1")).host == "host1"
    with pytest.raises(NoValidHost, match="of its group already there"):
        cloud.place(cloud.instance(server_group=apart, forced_host="host1"))


def test_the_policy_holds_without_filters(sqlite):
    cloud = Cloud(sqlite, filter_scheduler__enabled_filters=["ComputeFilter"])
    cloud.host("host1")
    apart = group(sqlite, "anti-affinity")
    cloud.place(cloud.instance(server_group=apart))
    with pytest.raises(NoValidHost):
        cloud.place(cloud.instance(server_group=apart))


def test_a_deleted_group_binds_nobody(sqlite):
    cloud = Cloud(sqlite)
    cloud.host("host1")
    apart = group(sqlite, "anti-affinity")
    cloud.place(cloud.instance(server_group=apart))
    second = cloud.instance(server_group=apart)
    with pytest.raises(NoValidHost):
        cloud.place(second)
    sqlite.write(server_groups.delete, apart, project_id=None)
    assert cloud.place(second).host == "host1"


def test_a_released_claim_makes_room(sqlite):
    cloud = Cloud(sqlite)
    cloud.host("host1")
    apart = group(sqlite, "anti-affinity")
    first, second = cloud.instance(server_group=apart), cloud.instance(server_group=apart)
    cloud.place(first)
    sqlite.write(claims.release, first.instance_uuid, epoch=1, clear_host=True)
    assert cloud.place(second).host == "host1"


def test_the_claim_itself_refuses(sqlite):
    """A scheduler which looked at the group too early learns it from the claim, and nothing was changed."""
    cloud = Cloud(sqlite)
    node = cloud.host("host1")
    apart = group(sqlite, "anti-affinity")
    cloud.place(cloud.instance(server_group=apart))
    late = cloud.instance(server_group=apart, group=GroupPlaces(policy="anti-affinity"))
    outcome = sqlite.write(claims.claim, late, node_id=node, availability_zone="az", ratios=Ratios())
    assert outcome == claims.AgainstPolicy("1 server of its group already there")
    with sqlite.read() as session:
        assert hosts.claim_sums(session, [node])[node][3] == 1
        assert session.scalar(sa.select(InstanceRow.host).where(InstanceRow.uuid == late.instance_uuid)) is None


def test_members_are_counted_exactly(database):
    """20 creates of a user race into a group of at most 7."""
    apart = group(database, "anti-affinity")
    found = database.fetch(server_groups.find, apart)
    joined, refused, errors = [], [], []

    def join():
        new = str(uuid.uuid4())

        def work(session):
            session.add(InstanceMapping(uuid=new, cell="cell1", project_id="p1", user_id="u1", cores=1, ram=1, created_at=0))
            session.flush()
            server_groups.join(session, found, [new], user_id="u1", limit=7)
        try:
            database.write(work)
            joined.append(new)
        except OverQuota as error:
            refused.append(error)
        except Exception as error:
            errors.append(error)
    threads = [threading.Thread(target=join) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (errors, len(joined), len(refused)) == ([], 7, 13)
    with database.read() as session:
        assert set(server_groups.get(session, apart, project_id="p1").members) == set(joined)


@pytest.mark.parametrize(("policy", "others", "affinity", "anti_affinity"), [
    ("affinity", {}, None, None), ("affinity", {"host1": 3}, None, None),
    ("affinity", {"host2": 1}, "the servers of its group are on another host", None),
    ("anti-affinity", {"host2": 1}, None, None), ("anti-affinity", {"host1": 1}, None, "1 server of its group already there"),
    ("anti-affinity", {"host1": 2}, None, "2 servers of its group already there"),
    ("soft-affinity", {"host2": 1}, None, None), ("soft-anti-affinity", {"host1": 1}, None, None),
])
def test_filters(policy, others, affinity, anti_affinity):
    spec = make.spec(group=GroupPlaces(policy=policy, others=others))
    assert ServerGroupAffinityFilter(Options()).reject(spec, make.host_state("host1")) == affinity
    assert ServerGroupAntiAffinityFilter(Options()).reject(spec, make.host_state("host1")) == anti_affinity
    assert ServerGroupAffinityFilter(Options()).reject(make.spec(), make.host_state("host1")) is None


@pytest.mark.parametrize(("policy", "counts"), [("soft-affinity", {3: 1}), ("soft-anti-affinity", {1: 3})])
def test_soft_policies_prefer(sqlite, policy, counts):
    """Three servers on three equal hosts: all on one, or one on each."""
    cloud = Cloud(sqlite, **{f"filter_scheduler__{name}_weight_multiplier": 0.1 for name in ("ram", "cpu", "disk", "io_ops")})
    for number in range(3):
        cloud.host(f"host{number}")
    soft = group(sqlite, policy)
    placed = [cloud.place(cloud.instance(server_group=soft)).host for _ in range(3)]
    assert Counter(Counter(placed).values()) == counts, placed


def test_weighers_look_at_their_policy_only():
    seen = {policy: make.spec(group=GroupPlaces(policy=policy, others={"host1": 2})) for policy in ("soft-affinity", "soft-anti-affinity")}
    together, apart = ServerGroupSoftAffinityWeigher(Options()), ServerGroupSoftAntiAffinityWeigher(Options())
    assert [together.weigh(seen[p], make.host_state("host1")) for p in seen] == [2.0, 0.0]
    assert [apart.weigh(seen[p], make.host_state("host1")) for p in seen] == [0.0, -2.0]
