"""Snapshot, select and claim together, over real databases."""

import threading
import uuid
from datetime import datetime

import pytest
import sqlalchemy as sa

from novalike import conf as configuration
from novalike.clock import ManualClock
from novalike.context import service_context
from novalike.db import aggregates, claims, decisions, hosts, instances
from novalike.db.cells import FIRST_CELL, Cells
from novalike.db.models.hosts import ComputeNodeRow, HostDebtRow, ServiceRow
from novalike.db.models.instances import InstanceRow
from novalike.exception import Fenced, NoValidHost
from novalike.objects.decision import Removal
from novalike.objects.host import HostUsage
from novalike.objects.instance import Instance
from novalike.scheduler.manager import SchedulerManager
from tests import factories_hosts as make

NOW = datetime.fromisoformat("2026-01-02T03:04:05")


class Cloud:
    """A database with hosts, and schedulers over it."""

    def __init__(self, database, **overrides):
        self.database = database
        self.clock = ManualClock()
        self.conf = configuration.load(**overrides)
        self.scheduler = self.another_scheduler()

    def another_scheduler(self):
        return SchedulerManager(self.conf, Cells.single(self.database), self.clock)

    def host(self, name, **changes):
        self.database.write(hosts.report_service, host=name, binary=hosts.COMPUTE_BINARY, topic="compute")
        return self.database.write(hosts.register_compute_node, make.inventory(name, **changes))

    def instance(self, **changes):
        spec = make.spec(**changes)
        self.database.write(instances.create, [Instance(
            id=0, uuid=spec.instance_uuid, project_id="p1", user_id="u1", display_name="n", hostname="n",
            vm_state="building", flavor=spec.flavor, epoch=spec.epoch, created_at=NOW,
        )])
        return spec

    def place(self, spec, scheduler=None):
        return (scheduler or self.scheduler).placing.select_host(service_context(), spec=spec)

    def states(self):
        return self.scheduler.hosts.snapshot(FIRST_CELL)


def test_fifty_servers_for_forty_places(database):
    """Two schedulers, many threads: exactly 40 are placed, 10 are told why not, no host is over its capacity."""
    cloud = Cloud(database)
    nodes = [cloud.host(f"host{n}", vcpus=10) for n in range(4)]
    schedulers = [cloud.scheduler, cloud.another_scheduler()]
    specs = [cloud.instance() for _ in range(50)]
    placed, refused, errors = [], [], []

    def run(batch, scheduler):
        for spec in batch:
            try:
                placed.append(cloud.place(spec, scheduler))
            except NoValidHost as error:
                refused.append(str(error))
            except Exception as error:
                errors.append(error)

    threads = [threading.Thread(target=run, args=(specs[n::10], schedulers[n % 2])) for n in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert (len(placed), len(refused)) == (40, 10)
    assert refused[0].startswith("No valid host was found. 4 hosts considered: "), refused[0]
    assert "not enough" in refused[0]
    with database.read() as session:
        assert {total[0] for total in hosts.claim_sums(session, nodes).values()} == {10}


def test_placing_again_answers_the_same_host_even_when_it_is_full(sqlite):
    cloud = Cloud(sqlite)
    cloud.host("host1", vcpus=1)
    spec = cloud.instance()
    first = cloud.place(spec)
    assert (first.host, first.node, first.availability_zone) == ("host1", "host1.example.org", "nova")
    assert cloud.place(spec).host == "host1"
    with pytest.raises(NoValidHost, match="earlier attempts"):
        cloud.place(make.spec(spec.instance_uuid, excluded_hosts=("host1",)))
    cloud.host("host2")
    assert cloud.place(make.spec(spec.instance_uuid, excluded_hosts=("host1",))).host == "host2"
    with pytest.raises(Fenced):
        cloud.place(make.spec(spec.instance_uuid, epoch=5))


def test_the_snapshot_keeps_up(database):
    cloud = Cloud(database)
    ids = [cloud.host(f"host{n}") for n in range(3)]
    before = cloud.states()
    assert [state.node_id for state in before] == ids
    assert cloud.states() is before, "nothing changed, yet there is a new snapshot"

    spec = cloud.instance(flavor=make.flavor(vcpus=2))
    chosen = cloud.place(spec).host
    after = {state.host: state for state in cloud.states()}
    assert after[chosen].used.vcpus == 2
    assert after[chosen].instances == 1
    untouched = [state for state in before if state.host != chosen]
    assert all(after[state.host] is state for state in untouched), "an unchanged host was read again"

    database.write(claims.release, spec.instance_uuid, epoch=1)
    assert {state.used.vcpus for state in cloud.states()} == {0}
    cloud.host("host0", memory_mb=77)
    assert cloud.states()[0].capacity.limit.memory_mb == 77
    cloud.host("new")
    assert len(cloud.states()) == 4


def test_down_disabled_owing_and_deleted_hosts(database):
    cloud = Cloud(database)
    for name in ("down", "disabled", "owing", "deleted", "good"):
        cloud.host(name)
    cloud.states()
    with database.read() as session:
        services = {service.host: service.uuid for service in hosts.list_services(session, down_after=60)}
    database.write(lambda s: s.execute(sa.update(ServiceRow).where(ServiceRow.host == "down").values(last_seen=0)))
    database.write(hosts.update_service, services["disabled"], down_after=60, disabled=True)
    database.write(hosts.delete_service, services["deleted"])
    database.write(lambda s: s.add(HostDebtRow(
        host="owing", instance_uuid=str(uuid.uuid4()), epoch=1, document={}, wake_at=0, created_at=NOW,
    )))
    closed = {state.host: (state.up, state.disabled, state.owing) for state in cloud.states()}
    assert closed == {"down": (False, False, False), "disabled": (True, True, False), "owing": (True, False, True), "good": (True, False, False)}
    assert cloud.place(cloud.instance()).host == "good"
    database.write(hosts.heartbeat, ["down"], hosts.COMPUTE_BINARY)
    database.write(hosts.update_service, services["disabled"], down_after=60, disabled=False)
    database.write(lambda s: s.execute(sa.delete(HostDebtRow)))
    assert all((state.up, state.disabled, state.owing) == (True, False, False) for state in cloud.states())


def test_a_purged_node_leaves_with_the_next_full_look(sqlite):
    cloud = Cloud(sqlite)
    cloud.host("host1")
    assert len(cloud.states()) == 1
    sqlite.write(lambda s: s.execute(sa.delete(ComputeNodeRow)))
    cloud.clock.advance(61)
    assert not cloud.states()


def test_hosts_are_up_by_the_database_s_clock_whatever_ours_does(sqlite):
    cloud = Cloud(sqlite)
    cloud.host("host1")
    cloud.states()
    cloud.clock.advance(10_000)
    assert [state.up for state in cloud.states()] == [True]


def test_a_new_zone_counts_at_once(sqlite):
    cloud = Cloud(sqlite, default_availability_zone="home")
    cloud.host("host1")
    cloud.host("host2")
    assert cloud.place(cloud.instance()).availability_zone == "home"
    zone = sqlite.write(aggregates.create_aggregate, name="a", availability_zone="az1", now=NOW)
    sqlite.write(aggregates.add_host, zone.id, "host2", now=NOW)
    placed = cloud.place(cloud.instance(availability_zone="az1"))
    assert (placed.host, placed.availability_zone) == ("host2", "az1")
    with pytest.raises(NoValidHost, match="not in zone az9"):
        cloud.place(cloud.instance(availability_zone="az9"))


def test_a_forced_host_skips_the_filters_but_not_the_claim(sqlite):
    cloud = Cloud(sqlite)
    cloud.host("small", vcpus=2, cpu_allocation_ratio=1.0)
    cloud.host("big")
    assert cloud.place(cloud.instance(forced_host="small", availability_zone="elsewhere")).host == "small"
    with pytest.raises(NoValidHost, match=r"1 vCPU less would have fitted"):
        cloud.place(cloud.instance(forced_host="small", flavor=make.flavor(vcpus=2)))


def test_without_filters_the_claim_alone_refuses(sqlite):
    cloud = Cloud(sqlite, filter_scheduler__enabled_filters=["ComputeFilter"])
    cloud.host("host1", vcpus=1)
    cloud.place(cloud.instance())
    with pytest.raises(NoValidHost, match=r"by the claim \(not enough room\)"):
        cloud.place(cloud.instance())


def test_a_missing_plugin_is_named(sqlite):
    with pytest.raises(ValueError, match=r"There is no filter RamFilte; there are AggregateCoreFilter, .*TypeAffinityFilter"):
        Cloud(sqlite, filter_scheduler__enabled_filters=["RamFilte"])


def test_an_instance_that_was_deleted_meanwhile_is_fenced(sqlite):
    cloud = Cloud(sqlite)
    cloud.host("host1")
    spec = cloud.instance()
    sqlite.write(lambda s: s.execute(sa.update(InstanceRow).values(deleted=1)))
    with pytest.raises(Fenced):
        cloud.place(spec)


def test_aggregates_set_ratios_for_the_filters_and_the_claim(database):
    cloud = Cloud(database)
    cloud.host("host1", vcpus=1, cpu_allocation_ratio=4.0)
    tight = database.write(aggregates.create_aggregate, name="tight", metadata={"cpu_allocation_ratio": "2.0"}, now=NOW)
    database.write(aggregates.add_host, tight.id, "host1", now=NOW)
    assert cloud.states()[0].capacity.limit.vcpus == 2
    cloud.place(cloud.instance())
    cloud.place(cloud.instance())
    with pytest.raises(NoValidHost, match="not enough vCPUs"):
        cloud.place(cloud.instance())
    blind = Cloud(database, filter_scheduler__enabled_filters=["ComputeFilter"])
    with pytest.raises(NoValidHost, match=r"by the claim \(not enough room\)"):
        blind.place(blind.instance())
    database.write(aggregates.set_metadata, tight.id, {"cpu_allocation_ratio": "3.0"}, now=NOW)
    cloud.clock.advance(2)
    cloud.place(cloud.instance())


def test_custom_resources_are_exact_under_concurrency(database):
    """Two schedulers, twelve servers, seven units of which one is reserved: six get one each."""
    cloud = Cloud(database)
    resources = {"CUSTOM_FPGA": make.custom_resource(total=4, reserved=1)}
    for name in ("host1", "host2"):
        cloud.host(name, vcpus=64, resources=resources)
    cloud.host("plain", vcpus=64)
    other = cloud.another_scheduler()
    flavor = make.flavor(extra_specs={"resources:CUSTOM_FPGA": "1"})
    specs = [cloud.instance(flavor=flavor) for _ in range(12)]
    placed, refused = [], []

    def run(batch, scheduler):
        for spec in batch:
            try:
                placed.append(cloud.place(spec, scheduler).host)
            except NoValidHost as error:
                refused.append(str(error))

    threads = [threading.Thread(target=run, args=(specs[n::4], (cloud.scheduler, other)[n % 2])) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(placed) == ["host1"] * 3 + ["host2"] * 3
    assert len(refused) == 6
    assert {state.host: state.used.custom for state in cloud.states()} == {
        "host1": {"CUSTOM_FPGA": 3}, "host2": {"CUSTOM_FPGA": 3}, "plain": {},
    }
    with pytest.raises(NoValidHost, match="not enough CUSTOM_FPGA"):
        cloud.place(cloud.instance(flavor=flavor, forced_host="host1"))


def test_facts_which_plugins_need_are_read(database):
    """Flavors and image properties of a host's servers, its metrics, how busy it is, and where hinted servers are."""
    cloud = Cloud(
        database, metrics__weight_setting=["cpu.percent=-1"], metrics__required=False,
        filter_scheduler__image_props_weight_multiplier=1.0,
        filter_scheduler__enabled_filters=["ComputeFilter", "SameHostFilter", "DifferentHostFilter", "AggregateIoOpsFilter"],
        filter_scheduler__weight_classes=["all"],
    )
    busy = Cloud(database, filter_scheduler__enabled_filters=["TypeAffinityFilter"])
    for name in ("host1", "host2"):
        cloud.host(name)
    database.write(hosts.report_usage, "host1", "host1.example.org", HostUsage(metrics={"cpu.percent": 0.25}))
    first = cloud.instance()
    assert cloud.place(first).host == "host1", "a host without metrics weighs -10000"
    second = cloud.instance(hints={"different_host": [first.instance_uuid]})
    assert cloud.place(second).host == "host2"
    assert cloud.place(cloud.instance(hints={"same_host": second.instance_uuid})).host == "host2"
    stranger = cloud.instance(hints={"same_host": [second.instance_uuid]}, project_id="p9")
    with pytest.raises(NoValidHost, match="named by same_host"):
        cloud.place(stranger)
    states = {state.host: state for state in cloud.states()}
    assert (states["host1"].metrics, states["host2"].metrics) == ({"cpu.percent": 0.25}, {})
    assert (states["host1"].io_ops, states["host2"].io_ops) == (1, 2)      # they came since the first look
    states = {state.host: state for state in busy.states()}
    assert states["host1"].flavors == {"1"}
    assert states["host1"].metrics == {}, "read, and nobody needs it"


def test_decisions_are_recorded(database):
    """Once per placement, in the claim's transaction; a refusal with what users read and what operators need."""
    cloud = Cloud(database)
    cloud.host("big", memory_mb=4096)
    cloud.host("small", memory_mb=256)
    spec = cloud.instance(flavor=make.flavor(name="m1", memory_mb=512, extra_specs={"resources:CUSTOM_FPGA": "0"}))
    cloud.place(spec)
    cloud.place(spec)
    found, = database.fetch(decisions.listed, spec.instance_uuid)
    assert (found.host, found.considered, found.passed, found.lost, found.role, found.driver) == ("big", 2, 1, 0, "instance", "FilterScheduler")
    assert (found.flavor, found.vcpus, found.memory_mb, found.disk_gb) == ("m1", 1, 512, 1)
    assert found.removed == (Removal(by="RamFilter", reason="not enough memory", count=1, hosts=("small",)),)
    assert [(one.host, one.node) for one in found.best] == [("big", "big.example.org")]
    assert (found.nearest, found.summary) == (None, None)

    refused = cloud.instance(flavor=make.flavor(memory_mb=4096))
    with pytest.raises(NoValidHost) as error:
        cloud.place(refused)
    found, = database.fetch(decisions.listed, refused.instance_uuid)
    assert (found.host, found.passed, found.best) == (None, 0, ())
    assert found.removed == (Removal(by="RamFilter", reason="not enough memory", count=2, hosts=("big", "small")),)
    assert found.summary == str(error.value)
    assert found.nearest == "512 MiB less memory would have fitted."
    assert error.value.details == "2 considered, 0 passed the filters.\nRamFilter (not enough memory) removed big, small."
    assert "big" not in str(error.value)


def test_a_refused_claim_is_part_of_the_record(sqlite):
    cloud = Cloud(sqlite, filter_scheduler__enabled_filters=["ComputeFilter"])
    cloud.host("host1", vcpus=1)
    cloud.place(cloud.instance())
    refused = cloud.instance()
    with pytest.raises(NoValidHost):
        cloud.place(refused)
    found, = sqlite.fetch(decisions.listed, refused.instance_uuid)
    assert found.removed == (Removal(by="the claim", reason="not enough room", count=1, hosts=("host1",)),)
    assert (found.considered, found.passed, found.lost) == (1, 1, 1)
