"""Dry runs: where servers would go, how many more fit, and what stops the next."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from novalike import conf as configuration
from novalike.hardware import fitting
from novalike.objects.decision import Removal
from novalike.objects.hardware import HostCell
from novalike.scheduler import plugins
from novalike.scheduler.hardware import HardwareWishes
from novalike.scheduler.options import Options
from novalike.scheduler.record import REASONS, for_operators, record, removals
from novalike.scheduler.select import Decision, Removed
from novalike.scheduler.simulation import place, room
from novalike.scheduler.snapshot import Snapshot
from tests import factories_hosts as make


def driver(**options):
    conf = configuration.load(**{f"filter_scheduler__{name}": value for name, value in options.items()})
    return plugins.load_driver("filter_scheduler", Options.of(conf.filter_scheduler, conf.metrics))


DRIVER = driver()


@st.composite
def clouds(draw):
    return [
        make.host_state(
            f"h{index}", node_id=index + 1, vcpus=draw(st.integers(1, 6)), memory_mb=draw(st.integers(0, 9)), local_gb=draw(st.integers(0, 9)),
            used=(draw(st.integers(0, 7)), draw(st.integers(0, 3)), 0), up=draw(st.booleans()), cpu_allocation_ratio=draw(st.sampled_from([1.0, 1.5])),
        ) for index in range(draw(st.integers(0, 5)))
    ]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(clouds(), st.integers(1, 3), st.integers(0, 3))
def test_as_many_fit_as_can_be_placed_one_after_the_other(cloud, vcpus, memory_mb):
    spec = make.spec(flavor=make.flavor(vcpus=vcpus, memory_mb=memory_mb, root_gb=1))
    free = room(DRIVER, spec, cloud)
    placed, last = place(DRIVER, spec, Snapshot(cloud), free.servers + 1)
    assert len(placed) == free.servers
    assert last.ranked == ()
    assert len({one.host.host for one in placed}) == free.hosts == sum(count for *_, count in free.limits)


def test_what_runs_out_first_is_told():
    cloud = [make.host_state("a", vcpus=2), make.host_state("b", vcpus=3), make.host_state("c", memory_mb=600), make.host_state("off", up=False)]
    free = room(DRIVER, make.spec(), cloud)
    assert (free.servers, free.hosts) == (6, 3)
    assert free.limits == (("CoreFilter", "not enough vCPUs", 2), ("RamFilter", "not enough memory", 1))


def test_without_a_limit_that_is_told():
    free = room(driver(enabled_filters=["ComputeFilter"]), make.spec(), [make.host_state("a")])
    assert free.limits == (("nothing", "no filter sets a limit", 1),)


def test_removals_are_compact():
    """The commonest first, few reasons of a filter, few hosts of a reason; the counts add up all the same."""
    hosts = [make.host_state(f"h{n}") for n in range(20)]
    removed = [Removed(host, "Json", f"reason {min(n, 9)}") for n, host in enumerate(hosts)]
    found = removals(Decision(len(hosts), (), tuple(removed)))
    assert sum(one.count for one in found) == 20
    assert found[0] == Removal(by="Json", reason="reason 9", count=11, hosts=("h9", "h10", "h11", "h12", "h13"))
    assert len(found) == REASONS + 1
    assert Removal(by="Json", reason="other reasons", count=5, hosts=("h4",)) in found
    kept = record(make.spec(), Decision(20, (), tuple(removed)), request_id="r", driver="d")
    assert for_operators(kept).splitlines()[:2] == [
        "20 considered, 0 passed the filters.", "Json (reason 9) removed h9, h10, h11, h12, h13 and 6 more.",
    ]


def test_hardware_runs_out_too():
    cells = tuple(HostCell(id=n, cpus="0-3", memory_mb=4096, dedicated=f"{4 * n}-{4 * n + 3}") for n in range(2))
    cloud = [make.host_state("a", vcpus=0, free=fitting.free(cells, (), ()), resources={"PCPU": make.custom_resource(total=8)})]
    spec = HardwareWishes().looked_up(make.spec(flavor=make.flavor(vcpus=3, extra_specs={"hw:cpu_policy": "dedicated"})))
    free = room(DRIVER, spec, cloud)
    assert (free.servers, free.limits) == (2, (("ResourcesFilter", "not enough PCPU", 1),))
    five = HardwareWishes().looked_up(make.spec(flavor=make.flavor(vcpus=1, memory_mb=2048, extra_specs={"hw:cpu_policy": "dedicated"})))
    assert room(DRIVER, five, cloud).limits == (("NUMATopologyFilter", "no NUMA cell has 2048 MiB free", 1),)
    assert [one.host.host for one in place(DRIVER, five, Snapshot(cloud), 9)[0]] == ["a"] * 4
