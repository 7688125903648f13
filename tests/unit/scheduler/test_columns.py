"""The column form decides what the per-host form decides: same hosts, same order, same reasons, to the last bit of a weight."""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from novalike.objects.server_group import AFFINITY, ANTI_AFFINITY, SOFT_AFFINITY, SOFT_ANTI_AFFINITY, GroupPlaces
from novalike.scheduler import plugins
from novalike.scheduler.columns import has_form
from novalike.scheduler.filters.base import Filter
from novalike.scheduler.filters.io_ops import IoOpsFilter
from novalike.scheduler.filters.ram import AggregateRamFilter, RamFilter
from novalike.scheduler.host_state import HostState
from novalike.scheduler.options import Options
from novalike.scheduler.select import select, tally
from novalike.scheduler.select_columns import FEW, select_columns
from novalike.scheduler.snapshot import BIG, Snapshot
from novalike.scheduler.weights.base import Weigher
from novalike.scheduler.weights.ram import RAMWeigher
from tests import factories_hosts as make

OPTIONS = Options(
    isolated_images=["special"], isolated_hosts=["h1", "h2"], max_io_ops_per_host=2, max_instances_per_host=5,
    metrics_weights={"cpu.percent": -1.0, "x": 0.3}, num_instances_weight_multiplier=0.7, image_props_weight_multiplier=1.5,
    image_properties_default_architecture="x86_64",
)


class OddHostsFilter(Filter):
    """An operator's own, without column form."""

    def reject(self, spec, host):
        return None if host.node_id % 2 else f"even in {spec.project_id}"


class HalfRamFilter(RamFilter):
    """An operator's change of a built-in filter, whose column form knows nothing of it."""

    def reject(self, spec, host):
        return super().reject(spec, host) or ("half full" if host.used.memory_mb > 4000 else None)


class NameWeigher(Weigher):
    multiplier_option = "cpu_weight_multiplier"

    def weigh(self, spec, host):
        return len(host.host) + host.node_id % 3

    def multiplier(self, host):
        return 2.0 if host.disabled else 0.5


FILTERS = (
    *plugins.load_filters(plugins.known(plugins.FILTERS), OPTIONS), OddHostsFilter(OPTIONS), HalfRamFilter(OPTIONS),
)
#: Nothing would pass them all, so a cloud is asked by some.
USUAL = ("ComputeFilter", "AvailabilityZoneFilter", "RamFilter", "CoreFilter", "DiskFilter", "ImagePropertiesFilter")
WEIGHERS = (*plugins.load_weighers(["all"], OPTIONS), NameWeigher(OPTIONS))
METADATA = {
    "filter_tenant_id": ["p1", "p2", "p1, p3"], "instance_type": ["m1.small", "m1.large"], "ssd": ["true", "no,true"], "os_distro": ["debian"],
    "max_io_ops_per_host": ["1", "3"], "max_instances_per_host": ["2", "4", "many"], "ram_weight_multiplier": ["-1.0", "2", "nan", "x"],
    "cpu_allocation_ratio": ["2.0"], "build_failure_weight_multiplier": ["0"],
}


def some(chance, values, most=2):
    return chance.sample(values, chance.randint(0, min(most, len(values))))


def host(chance, number):
    metadata = {key: found for key, known in METADATA.items() if chance.random() < 0.2 and (found := frozenset(some(chance, known)))}
    return make.host_state(
        f"h{number // 2 if chance.random() < 0.1 else number}", node_id=number + 1, node=f"n{number}", metadata=metadata,
        up=chance.random() < 0.9, disabled=chance.random() < 0.1, owing=chance.random() < 0.1,
        vcpus=chance.choice([4, 8]), memory_mb=chance.choice([1024, 8192, 8192, 16384]), local_gb=chance.choice([5, 100]),
        used=(chance.randint(0, 9), chance.choice([0, 512, 7680, 9000]), chance.randint(0, 60), {"CUSTOM_FPGA": chance.randint(0, 3)}),
        instances=chance.randint(0, 6), io_ops=chance.randint(0, 3), build_failures=chance.choice([0, 0, 0, 1, 5]),
        availability_zone=chance.choice(["az1", "az2"]), flavors=frozenset(some(chance, ["1", "2"])), host_ip=f"10.0.{number % 2}.1",
        metrics={name: chance.random() for name in ("cpu.percent", "x") if chance.random() < 0.9},
        resources={"CUSTOM_FPGA": make.custom_resource(total=chance.randint(0, 4), step_size=chance.choice([1, 2]))} if chance.random() < 0.5 else {},
        traits=tuple(some(chance, ["CUSTOM_GOLD", "HW_CPU_X86_AVX2"])), hypervisor_version=chance.choice([6002000, 7002000]),
        supported=chance.choice([(("x86_64", "kvm", "hvm"),), (("aarch64", "kvm", "hvm"), ("x86_64", "qemu", "hvm"))]),
        capabilities={"rack": chance.choice(["1", "2"])} if chance.random() < 0.7 else {},
        image_properties={("os_distro", "debian"): chance.randint(1, 3)} if chance.random() < 0.3 else {},
    )


EXTRA_SPECS = [
    ("resources:CUSTOM_FPGA", "1"), ("resources:CUSTOM_FPGA", "3"), ("resources:CUSTOM_FPGA", "x"), ("resources:MEMORY_MB", "0"),
    ("trait:CUSTOM_GOLD", "required"), ("trait:HW_CPU_X86_AVX2", "forbidden"), ("trait:CUSTOM_GOLD", "maybe"),
    ("aggregate_instance_extra_specs:ssd", "true"), ("capabilities:rack", "1"), ("capabilities:cpu_info:features", "<in> aes"),
    ("capabilities:free_ram_mb", ">= 1000"), ("capabilities:supported_instances", "<in> kvm"), ("hw:cpu_policy", "dedicated"),
]
HINTS = [
    ("same_host", "a"), ("different_host", ["a", "b"]), ("build_near_host_ip", "10.0.0.7"), ("query", ["<", "$vcpus_used", 5]), ("query", "[nonsense"),
]


def question(chance):
    group = GroupPlaces(
        policy=chance.choice([AFFINITY, ANTI_AFFINITY, SOFT_AFFINITY, SOFT_ANTI_AFFINITY]), max_per_host=chance.choice([1, 2]),
        others=chance.choice([{}, {"h1": 1}, {"h1": 2, "h3": 1, "elsewhere": 3}]),
    )
    return make.spec(
        flavor=make.flavor(
            vcpus=chance.choice([1, 4, 6]), memory_mb=chance.choice([0, 512, 2048]), root_gb=chance.choice([0, 1, 20]),
            extra_specs=dict(some(chance, EXTRA_SPECS)) if chance.random() < 0.6 else {},
        ),
        hints=dict(some(chance, HINTS)), hinted_hosts={"a": ("h0", "h3"), "b": ("h1",)}, image_ref=chance.choice(["special", "usual"]),
        image_properties=chance.choice([{}, {}, {"os_distro": "debian"}, {"os_distro": "windows", "hw_architecture": "aarch64"},
                                        {"img_hv_requested_version": ">=7.0"}]),
        availability_zone=chance.choice([None, None, "az1", "az3"]), root_volume=chance.random() < 0.2,
        forced_host=chance.choice([None] * 9 + ["h1"]), forced_node=chance.choice([None] * 9 + ["n2"]),
        requested_host=chance.choice([None] * 9 + ["h1"]), requested_node=chance.choice([None] * 9 + ["n1"]),
        excluded_hosts=tuple(some(chance, ["h0", "h1", "h2"])) if chance.random() < 0.3 else (),
        leaves_host=chance.choice([None] * 5 + ["h0"]), server_group="g", group=chance.choice([None, group]),
    )


def compare(chance, snapshot, options=OPTIONS):
    spec = question(chance)
    if chance.random() < 0.5:
        filters = chance.sample(FILTERS, 4)
    else:
        filters = [one for one in FILTERS if one.name in USUAL]
        filters.insert(chance.randint(0, len(USUAL)), chance.choice(FILTERS))
    weighers = chance.sample(WEIGHERS, chance.randint(0, len(WEIGHERS)))
    slow = select(spec, list(snapshot), filters, weighers, "seed", options)
    forced = spec.forced_host is not None or spec.forced_node is not None
    quick = select_columns(spec, snapshot, [one for one in filters if one.always or not forced], weighers, "seed", options)
    told = (spec, [one.name for one in filters], [one.name for one in weighers])
    assert quick.considered == slow.considered
    assert len(quick.ranked) == len(slow.ranked), told
    for few in (1, 8, FEW + 1):
        assert quick.ranked[:few] == slow.ranked[:few], told
    assert quick.ranked == slow.ranked, told
    assert tally(quick.removed, 3) == tally(slow.removed, 3), told
    assert len(quick.removed) == len(slow.removed)
    assert quick.removed == slow.removed, told


def another(chance, snapshot, number):
    """The snapshot after some hosts changed, one came or one went."""
    changes: dict[int, HostState | None] = {}
    for state in chance.sample(list(snapshot), chance.randint(0, min(3, len(snapshot)))):
        fresh = host(chance, state.node_id - 1)
        changes[state.node_id] = chance.choice([
            replace(fresh, host=state.host, node=state.node), replace(state, used=fresh.used, instances=fresh.instances), state,
        ])
    if len(snapshot) and chance.random() < 0.3:
        changes[chance.choice(snapshot).node_id] = None
    if chance.random() < 0.3:
        changes[number + 1] = host(chance, number)
    return snapshot.replaced(changes)


@settings(deadline=None, max_examples=120)
@given(st.integers(0, 10**9))
def test_both_forms_decide_alike_while_hosts_change_come_and_go(seed):
    chance = random.Random(seed)
    snapshot = Snapshot(host(chance, number) for number in range(chance.randint(0, 12)))
    options = replace(OPTIONS, host_subset_size=chance.choice([1, 1, 3]), shuffle_best_same_weighed_hosts=chance.random() < 0.2)
    for step in range(4):
        compare(chance, snapshot, options)
        before, known = snapshot, tuple(snapshot)
        snapshot = another(chance, snapshot, 100 + chance.randint(0, 3) + step)
        assert tuple(before) == known, "a snapshot changed"
        assert [one.node_id for one in snapshot] == sorted(one.node_id for one in snapshot)


@pytest.mark.parametrize("seed", range(6))
def test_a_cloud_in_which_only_the_best_are_put_in_order(seed):
    chance = random.Random(seed)
    snapshot = Snapshot(host(chance, number) for number in range(400))
    for _ in range(4):
        compare(chance, snapshot)


def test_big_snapshots_are_decided_by_columns_and_small_ones_are_not():
    filters, weighers = plugins.load_filters(USUAL, OPTIONS), plugins.load_weighers(["all"], OPTIONS)
    for count, kind in ((BIG - 1, tuple), (BIG, object)):
        snapshot = Snapshot(make.host_state(f"h{number}", node_id=number) for number in range(count))
        assert isinstance(select(make.spec(), snapshot, filters, weighers, "", OPTIONS).ranked, tuple) == (kind is tuple)


def test_columns_are_taken_along():
    """What is not touched is shared, what is touched is copied, and finding nodes goes on."""
    chance = random.Random(1)
    first = Snapshot(host(chance, number) for number in range(10))
    read = RAMWeigher(OPTIONS)
    weights = read.weigh_columns(make.spec(), first.columns)
    same = first.replaced({3: replace(first.find(3), disabled=True)})
    assert read.weigh_columns(make.spec(), same.columns) is weights
    other = first.replaced({3: replace(first.find(3), used=replace(first.find(3).used, memory_mb=77))})
    changed = read.weigh_columns(make.spec(), other.columns)
    assert [place for place in range(10) if changed[place] != weights[place]] == [2]
    assert other.find(3).used.memory_mb == 77
    assert other.find(99) is None
    assert first.replaced({3: first.find(3)}) is first
    assert first.replaced({99: None}) is first
    with pytest.raises(ValueError, match="read-only"):
        weights[0] = 1.0


def test_a_column_form_goes_for_those_who_left_the_methods_alone():
    assert has_form(RamFilter(OPTIONS), "reject_columns")
    assert has_form(AggregateRamFilter(OPTIONS), "reject_columns")
    assert not has_form(HalfRamFilter(OPTIONS), "reject_columns")
    assert not has_form(OddHostsFilter(OPTIONS), "reject_columns")

    class MyIoOps(IoOpsFilter):
        def limit(self, host):
            return 1

    assert not has_form(MyIoOps(OPTIONS), "reject_columns")
    without = {one.name for one in FILTERS if not has_form(one, "reject_columns")}
    assert without - {"NUMATopologyFilter", "PciPassthroughFilter"} == {"OddHostsFilter", "HalfRamFilter"}
    assert [one.name for one in WEIGHERS if not has_form(one, "weigh_columns")] == ["NameWeigher"]


def test_small_clouds_do_without_numpy():
    code = (
        "import sys; from novalike.scheduler import manager, plugins; from novalike.scheduler.options import Options; "
        "plugins.load_filters(plugins.known(plugins.FILTERS), Options()); plugins.load_weighers(['all'], Options()); print('numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()[-1] == "False"
