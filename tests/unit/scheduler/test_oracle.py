"""Random small clouds against the plainest program which answers the same question: who is removed by what, who is best."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from novalike.objects.server_group import AFFINITY, ANTI_AFFINITY, GroupPlaces
from novalike.scheduler import plugins
from novalike.scheduler.options import Options
from novalike.scheduler.select import select
from novalike.scheduler.select_columns import select_columns
from novalike.scheduler.snapshot import Snapshot
from tests import factories_hosts as make

NAMES = [
    "ComputeFilter", "AvailabilityZoneFilter", "RamFilter", "CoreFilter", "DiskFilter", "NumInstancesFilter", "SameHostFilter",
    "ServerGroupAffinityFilter", "ServerGroupAntiAffinityFilter",
]
WEIGHERS = ["RAMWeigher", "CPUWeigher", "DiskWeigher", "IoOpsWeigher", "BuildFailureWeigher"]


def naive(spec, hosts, options):
    """Answer the hosts that pass with their weights, best first, and by what each other one is removed."""
    removed = {host.host: why for host in hosts if (why := why_not(spec, host, options)) is not None}
    passed = [host for host in hosts if host.host not in removed]
    weights = dict.fromkeys((host.host for host in passed), 0.0)
    for multiplier, measure in (
        (options.ram_weight_multiplier, lambda host: host.inventory.memory_mb - host.used.memory_mb),
        (options.cpu_weight_multiplier, lambda host: int(host.inventory.vcpus * host.inventory.cpu_allocation_ratio) - host.used.vcpus),
        (options.disk_weight_multiplier, lambda host: host.inventory.local_gb - host.used.disk_gb),
        (options.io_ops_weight_multiplier, lambda host: host.io_ops),
        (-options.build_failure_weight_multiplier, lambda host: host.build_failures),
    ):
        measured = [measure(host) for host in passed]
        for host in passed:
            if max(measured) > min(measured):
                weights[host.host] += multiplier * ((measure(host) - min(measured)) / (max(measured) - min(measured)))
    best = sorted(weights.items(), key=lambda one: -one[1])
    return [(name, round(weight, 6)) for name, weight in best], removed


def why_not(spec, host, options):
    has, wants = host.inventory, spec.flavor
    forced = spec.forced_host is not None
    others = spec.group.others if spec.group else {}
    checks = [
        ("the requested host", spec.forced_host not in (None, host.host) or spec.requested_host not in (None, host.host)),
        ("the server's own host", spec.leaves_host == host.host),
        ("earlier attempts", host.host in spec.excluded_hosts),
        ("pending cleanup", host.owing),
        ("ComputeFilter", not forced and (host.disabled or not host.up)),
        ("AvailabilityZoneFilter", not forced and spec.availability_zone not in (None, host.availability_zone)),
        ("RamFilter", not forced and wants.memory_mb and wants.memory_mb > min(has.memory_mb - host.used.memory_mb, has.memory_mb)),
        ("CoreFilter", not forced and wants.vcpus > min(int(has.vcpus * has.cpu_allocation_ratio) - host.used.vcpus, has.vcpus)),
        ("DiskFilter", not forced and wants.root_gb and wants.root_gb > min(has.local_gb - host.used.disk_gb, has.local_gb)),
        ("NumInstancesFilter", not forced and host.instances >= options.max_instances_per_host),
        ("SameHostFilter", not forced and "same_host" in spec.hints and host.host not in spec.hinted_hosts["a"]),
        ("ServerGroupAffinityFilter", not forced and spec.group and spec.group.policy == AFFINITY and others and host.host not in others),
        ("ServerGroupAntiAffinityFilter",
         not forced and spec.group and spec.group.policy == ANTI_AFFINITY and others.get(host.host, 0) >= spec.group.max_per_host),
    ]
    return next((name for name, rejects in checks if rejects), None)


@st.composite
def clouds(draw):
    some = st.integers(0, 3)
    return [
        make.host_state(
            f"h{index}", node_id=index + 1, vcpus=draw(st.integers(1, 4)), memory_mb=draw(st.integers(0, 8)), local_gb=draw(st.integers(0, 8)),
            cpu_allocation_ratio=draw(st.sampled_from([1.0, 1.5, 4.0])), used=(draw(st.integers(0, 6)), draw(some), draw(some)),
            up=draw(st.integers(0, 5)) > 0, disabled=draw(st.integers(0, 5)) == 0, owing=draw(st.integers(0, 5)) == 0,
            instances=draw(st.integers(0, 4)), io_ops=draw(some), build_failures=draw(some), availability_zone=draw(st.sampled_from(["az1", "az2"])),
        ) for index in range(draw(st.integers(0, 7)))
    ]


@st.composite
def specs(draw):
    host = st.sampled_from([None, None, None, None, "h0", "h1"])
    group = GroupPlaces(
        policy=draw(st.sampled_from([AFFINITY, ANTI_AFFINITY])), max_per_host=draw(st.integers(1, 2)),
        others=draw(st.dictionaries(st.sampled_from(["h0", "h1", "h2"]), st.integers(1, 2))),
    )
    return make.spec(
        flavor=make.flavor(vcpus=draw(st.integers(1, 4)), memory_mb=draw(st.integers(0, 6)), root_gb=draw(st.integers(0, 6))),
        availability_zone=draw(st.sampled_from([None, "az1", "az2"])), forced_host=draw(host), requested_host=draw(host), leaves_host=draw(host),
        excluded_hosts=tuple(draw(st.sets(st.sampled_from(["h1", "h2"]), max_size=1))), group=draw(st.sampled_from([None, group])),
        hints=draw(st.sampled_from([{}, {}, {"same_host": "a"}])), hinted_hosts={"a": ("h0", "h2", "h3")},
    )


@settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(specs(), clouds(), st.sampled_from([-1.0, 0.0, 1.0, 2.5]), st.sampled_from([-1.0, 1.0]))
def test_the_same_answer(spec, hosts, ram, cpu):
    options = Options(max_instances_per_host=4, ram_weight_multiplier=ram, cpu_weight_multiplier=cpu, build_failure_weight_multiplier=10.0)
    filters, weighers = plugins.load_filters(NAMES, options), plugins.load_weighers(WEIGHERS, options)
    ranked, removed = naive(spec, hosts, options)
    asked = filters if spec.forced_host is None else ()
    for decision in (select(spec, hosts, filters, weighers, "", options), select_columns(spec, Snapshot(hosts), asked, weighers, "", options)):
        assert {one.host.host: one.by for one in decision.removed} == removed
        assert [(one.host.host, round(one.weight, 6)) for one in decision.ranked] == ranked
        assert len(decision.ranked) + len(decision.removed) == decision.considered == len(hosts)
