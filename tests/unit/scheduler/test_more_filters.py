"""Each of the filters which are not enabled by default: what it rejects, and why in the user's words."""

from __future__ import annotations

import pytest

from novalike.objects.server_group import AFFINITY, ANTI_AFFINITY, GroupPlaces
from novalike.scheduler import plugins
from novalike.scheduler.options import Options
from tests import factories_hosts as make

A, B = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"


def reject(name, spec=None, host=None, **options):
    (one,) = plugins.load_filters([name], Options(**options))
    return one.reject(make.spec(**(spec or {})), make.host_state(**(host or {})))


def aggregates(**values):
    return {"metadata": {key: frozenset(value if isinstance(value, tuple) else (value,)) for key, value in values.items()}}


def wants(**specs):
    return {"flavor": make.flavor(extra_specs={key.replace("__", ":"): value for key, value in specs.items()})}


def test_all_hosts():
    assert reject("AllHostsFilter", host={"up": False, "disabled": True}) is None


@pytest.mark.parametrize(("specs", "metadata", "reason"), [
    ({}, {}, None),
    ({"ssd": "true"}, {"ssd": "true"}, None),
    ({"ssd": "true"}, {}, "the flavor needs aggregates with ssd true"),
    ({"ssd": "true"}, {"ssd": ("false", "true")}, None),
    ({"ssd": "true"}, {"ssd": "no,true"}, None),
    ({"aggregate_instance_extra_specs:cores": ">= 8"}, {"cores": "16"}, None),
    ({"aggregate_instance_extra_specs:cores": ">= 8"}, {"cores": "4"}, "the flavor needs aggregates with cores >= 8"),
    ({"hw:cpu_policy": "dedicated", "hide_hypervisor_id": "true"}, {}, None),
])
def test_aggregate_instance_extra_specs(specs, metadata, reason):
    spec = {"flavor": make.flavor(extra_specs=specs)}
    assert reject("AggregateInstanceExtraSpecsFilter", spec, aggregates(**metadata)) == reason


@pytest.mark.parametrize(("metadata", "reason"), [
    ({}, None), ({"filter_tenant_id": "p1"}, None), ({"filter_tenant_id": "p0, p1"}, None),
    ({"filter_tenant_id": "p2"}, "kept for other projects"), ({"filter_tenant_id": "p2", "filter_tenant_id3": "p1"}, None),
    ({"filter_tenant_id": ("p2", "p1")}, None),
])
def test_aggregate_multitenancy(metadata, reason):
    assert reject("AggregateMultiTenancyIsolation", {"project_id": "p1"}, aggregates(**metadata)) == reason


@pytest.mark.parametrize(("properties", "metadata", "namespace", "reason"), [
    ({}, {"os_distro": "windows"}, None, None),
    ({"os_distro": "windows"}, {}, None, None),
    ({"os_distro": "windows"}, {"os_distro": "windows"}, None, None),
    ({"os_distro": "debian"}, {"os_distro": "windows, ubuntu"}, None, "not for images with os_distro debian"),
    ({"os_distro": "debian"}, {"os_distro": ("windows", "debian")}, None, None),
    ({"os_distro": "debian"}, {"os_distro": "windows"}, "lic", None),
    ({"lic.os": "debian"}, {"lic.os": "windows"}, "lic", "not for images with lic.os debian"),
])
def test_aggregate_image_properties(properties, metadata, namespace, reason):
    answer = reject(
        "AggregateImagePropertiesIsolation", {"image_properties": properties}, aggregates(**metadata),
        aggregate_image_properties_isolation_namespace=namespace,
    )
    assert answer == reason


@pytest.mark.parametrize(("names", "reason"), [
    (None, None), ("m1.small", None), ("m1.large, m1.small", None), ("m1.large", "kept for other flavors"),
])
def test_aggregate_type_affinity(names, reason):
    host = aggregates(instance_type=names) if names else {}
    assert reject("AggregateTypeAffinityFilter", host=host) == reason


@pytest.mark.parametrize(("name", "hint", "there", "reason"), [
    ("SameHostFilter", None, (), None),
    ("SameHostFilter", A, ("host1",), None),
    ("SameHostFilter", A, ("host2",), "not the host of a server named by same_host"),
    ("SameHostFilter", [B, A], ("host1",), None),
    ("SameHostFilter", [B], ("host1",), "not the host of a server named by same_host"),
    ("DifferentHostFilter", None, (), None),
    ("DifferentHostFilter", A, ("host1",), "the host of a server named by different_host"),
    ("DifferentHostFilter", A, ("host2", "host1"), "the host of a server named by different_host"),
    ("DifferentHostFilter", [A, B], ("host2",), None),
    ("DifferentHostFilter", B, ("host1",), None),
])
def test_same_and_different_host(name, hint, there, reason):
    key = "same_host" if name == "SameHostFilter" else "different_host"
    spec = {"hints": {key: hint} if hint else {}, "hinted_hosts": {A: there}}
    assert reject(name, spec, {"host": "host1"}) == reason


@pytest.mark.parametrize(("hints", "reason"), [
    ({}, None),
    ({"build_near_host_ip": "10.0.0.9"}, None),
    ({"build_near_host_ip": "10.0.1.9"}, "not in network 10.0.1.0/24"),
    ({"build_near_host_ip": "10.0.1.9", "cidr": "/16"}, None),
    ({"build_near_host_ip": "10.0.0.9", "cidr": "/255.255.255.252"}, "not in network 10.0.0.8/30"),
    ({"build_near_host_ip": "10.0.0.9", "cidr": "/77"}, "the hints build_near_host_ip and cidr make no network"),
])
def test_simple_cidr_affinity(hints, reason):
    assert reject("SimpleCIDRAffinityFilter", {"hints": hints}, {"host_ip": "10.0.0.5"}) == reason


@pytest.mark.parametrize(("name", "busy", "metadata", "reason"), [
    ("IoOpsFilter", 7, {}, None), ("IoOpsFilter", 8, {}, "busy with other servers"),
    ("IoOpsFilter", 3, {"max_io_ops_per_host": "2"}, None),
    ("AggregateIoOpsFilter", 8, {}, "busy with other servers"),
    ("AggregateIoOpsFilter", 2, {"max_io_ops_per_host": ("9", "2")}, "busy with other servers"),
    ("AggregateIoOpsFilter", 7, {"max_io_ops_per_host": "many"}, None),
])
def test_io_ops(name, busy, metadata, reason):
    assert reject(name, host={"io_ops": busy, **aggregates(**metadata)}) == reason


@pytest.mark.parametrize(("name", "count", "metadata", "reason"), [
    ("NumInstancesFilter", 49, {}, None), ("NumInstancesFilter", 50, {}, "has as many servers as it may"),
    ("AggregateNumInstancesFilter", 2, {"max_instances_per_host": "2"}, "has as many servers as it may"),
    ("AggregateNumInstancesFilter", 60, {"max_instances_per_host": "61"}, None),
])
def test_num_instances(name, count, metadata, reason):
    assert reject(name, host={"instances": count, **aggregates(**metadata)}) == reason


@pytest.mark.parametrize(("image", "host", "restrict", "reason"), [
    ("special", "kept", True, None), ("special", "other", True, "not one of the hosts for the image"),
    ("usual", "kept", True, "kept for other images"), ("usual", "kept", False, None), ("usual", "other", True, None),
    ("special", "other", False, "not one of the hosts for the image"),
])
def test_isolated_hosts(image, host, restrict, reason):
    assert reason == reject(
        "IsolatedHostsFilter", {"image_ref": image}, {"host": host}, isolated_images=["special"], isolated_hosts=["kept"],
        restrict_isolated_hosts_to_isolated_images=restrict,
    )


UNSATISFIED, MALFORMED = "the hint query is not satisfied", "the hint query is malformed"


@pytest.mark.parametrize(("query", "reason"), [
    (None, None), ("", None), ([], None),
    ('[">=", "$free_ram_mb", 1024]', None),
    ([">=", "$free_ram_mb", 99999], UNSATISFIED),
    (["and", [">", "$vcpus_total", 4], ["=", "$hypervisor_type", "QEMU"]], None),
    (["or", ["<", "$vcpus_total", 4], ["=", "$cpu_info.arch", "x86_64"]], None),
    (["not", ["=", "$hypervisor_type", "QEMU"]], UNSATISFIED),
    (["in", "$hypervisor_type", "KVM", "QEMU"], None),
    (["in", "$hypervisor_type", "KVM"], UNSATISFIED),
    (["=", "$num_instances"], UNSATISFIED),
    (["=", "$nothing", 1], UNSATISFIED),
    (["=", "$__class__", "x"], UNSATISFIED),
    (["<", "$hypervisor_type", 3], MALFORMED),
    (["like", "$hypervisor_type", "QEMU"], MALFORMED),
    ("not json", MALFORMED), ({"=": 1}, MALFORMED), ([["="]], MALFORMED),
    (eval("[" * 30 + "]" * 30), MALFORMED),
])
def test_json(query, reason):
    assert reject("JsonFilter", {"hints": {} if query is None else {"query": query}}) == reason


@pytest.mark.parametrize(("metrics", "reason"), [
    ({"cpu.percent": 0.5, "x": 1.0}, None), ({"x": 1.0}, "without metrics"), ({}, "without metrics"),
])
def test_metrics(metrics, reason):
    assert reject("MetricsFilter", host={"metrics": metrics}, metrics_weights={"cpu.percent": -1.0}) == reason
    assert reject("MetricsFilter", host={"metrics": metrics}) is None


@pytest.mark.parametrize(("flavors", "reason"), [
    (set(), None), ({"1"}, None), ({"1", "2"}, "has servers of other flavors"), ({"2"}, "has servers of other flavors"),
])
def test_type_affinity(flavors, reason):
    assert reject("TypeAffinityFilter", host={"flavors": frozenset(flavors)}) == reason


def test_retry():
    assert reject("RetryFilter", {"excluded_hosts": ("host1",)}) == "the server could not be built there"
    assert reject("RetryFilter", {"excluded_hosts": ("host2",)}) is None


@pytest.mark.parametrize(("name", "host", "reason"), [
    ("ExactCoreFilter", {"vcpus": 1}, None), ("ExactCoreFilter", {"vcpus": 2}, "not exactly as many vCPUs"),
    ("ExactCoreFilter", {"vcpus": 2, "used": (1, 0, 0)}, None),
    ("ExactRamFilter", {"memory_mb": 1024, "reserved_memory_mb": 512}, None),
    ("ExactRamFilter", {"memory_mb": 1024}, "not exactly as much memory"),
    ("ExactDiskFilter", {"local_gb": 1}, None), ("ExactDiskFilter", {"local_gb": 2}, "not exactly as much disk"),
])
def test_exact(name, host, reason):
    assert reject(name, host=host) == reason


@pytest.mark.parametrize(("name", "plain"), [
    ("AggregateRamFilter", "RamFilter"), ("AggregateCoreFilter", "CoreFilter"), ("AggregateDiskFilter", "DiskFilter"),
])
def test_the_aggregate_forms_judge_like_the_plain_ones(name, plain):
    """Ratios of aggregates are in a host's capacity already, for the claim as for every filter."""
    for used in ((7, 16000, 99), (8, 16384, 100)):
        assert reject(name, host={"used": used}) == reject(plain, host={"used": used})


@pytest.mark.parametrize(("name", "spec", "remedy"), [
    ("AvailabilityZoneFilter", {"availability_zone": "az2"}, "in zone nova"),
    ("SameHostFilter", {"hints": {"same_host": A}}, "without the hint same_host"),
    ("DifferentHostFilter", {"hints": {"different_host": A}, "hinted_hosts": {A: ("host1",)}}, "without the hint different_host"),
    ("SimpleCIDRAffinityFilter", {"hints": {"build_near_host_ip": "10.9.9.9"}}, "without the hint build_near_host_ip"),
    ("JsonFilter", {"hints": {"query": ["=", "$vcpus_used", 7]}}, "without the hint query"),
    ("ServerGroupAntiAffinityFilter", {"group": GroupPlaces(policy=ANTI_AFFINITY, others={"host1": 1})}, "outside its server group"),
    ("ServerGroupAffinityFilter", {"group": GroupPlaces(policy=AFFINITY, others={"host2": 1})}, "outside its server group"),
    ("ComputeFilter", {}, None),
])
def test_the_wish_which_is_in_the_way(name, spec, remedy):
    """A filter which speaks of a wish tells what to wish for instead, and of what no wish changes it tells nothing."""
    (one,) = plugins.load_filters([name], Options())
    host = make.host_state(up=False)
    assert one.reject(make.spec(**spec), host) is not None
    assert one.remedy(make.spec(**spec), host) == remedy


FPGA = {"total": 8, "reserved": 2, "min_unit": 2, "max_unit": 4, "step_size": 2}


@pytest.mark.parametrize(("specs", "used", "reason"), [
    ({}, 0, None),
    ({"resources:CUSTOM_FPGA": "2"}, 0, None),
    ({"resources:CUSTOM_FPGA": "2"}, 4, None),
    ({"resources:CUSTOM_FPGA": "4"}, 4, "not enough CUSTOM_FPGA"),
    ({"resources:CUSTOM_FPGA": "6"}, 0, "not enough CUSTOM_FPGA"),             # more than one server may have
    ({"resources:CUSTOM_FPGA": "3"}, 0, "CUSTOM_FPGA is given out from 2 in steps of 2"),
    ({"resources:CUSTOM_FPGA": "0"}, 6, None),
    ({"resources:CUSTOM_GPU": "1"}, 0, "no CUSTOM_GPU"),
    ({"resources:PCPU": "1"}, 0, "no PCPU"),
    ({"resources1:CUSTOM_FPGA": "2", "resources_b:CUSTOM_FPGA": "2"}, 4, "not enough CUSTOM_FPGA"),
    ({"resources1:CUSTOM_FPGA": "2", "resources2:CUSTOM_FPGA": "2", "group_policy": "none"}, 2, None),
    ({"resources1:CUSTOM_FPGA": "2", "resources2:CUSTOM_FPGA": "2", "group_policy": "isolate"}, 0,
     "group_policy isolate needs several providers of resources, and every host is one"),
    ({"resources:CUSTOM_FPGA": "two"}, 0, "resources:CUSTOM_FPGA=two is malformed"),
    ({"resources:CUSTOM_FPGA": "-2"}, 0, "resources:CUSTOM_FPGA=-2 is malformed"),
])
def test_resources(specs, used, reason):
    host = make.host_state(resources={"CUSTOM_FPGA": make.custom_resource(**FPGA)}, used=(0, 0, 0, {"CUSTOM_FPGA": used}))
    (one,) = plugins.load_filters(["ResourcesFilter"], Options())
    assert one.reject(make.spec(flavor=make.flavor(extra_specs=specs)), host) == reason


def test_flavors_may_replace_their_own_amounts():
    spec = {"flavor": make.flavor(vcpus=64, memory_mb=10**6, extra_specs={
        "resources:VCPU": "0", "resources:MEMORY_MB": "100", "resources:DISK_GB": "101",
    })}
    assert [reject(name, spec) for name in ("CoreFilter", "RamFilter", "DiskFilter")] == [None, None, "not enough disk"]


@pytest.mark.parametrize(("specs", "properties", "reason"), [
    ({}, {}, None),
    ({"trait:HW_CPU_X86_AVX2": "required"}, {}, None),
    ({"trait:CUSTOM_GOLD": "required"}, {}, "no CUSTOM_GOLD"),
    ({"trait:HW_CPU_X86_AVX2": "forbidden"}, {}, "has HW_CPU_X86_AVX2"),
    ({"trait:CUSTOM_GOLD": "forbidden"}, {}, None),
    ({"trait2:CUSTOM_GOLD": "required"}, {}, "no CUSTOM_GOLD"),
    ({}, {"trait:CUSTOM_GOLD": "required"}, "no CUSTOM_GOLD"),
    ({}, {"trait:CUSTOM_GOLD": "forbidden"}, "trait:CUSTOM_GOLD=forbidden is malformed"),
    ({"trait:CUSTOM_GOLD": "maybe"}, {}, "trait:CUSTOM_GOLD=maybe is malformed"),
])
def test_traits(specs, properties, reason):
    spec = {"flavor": make.flavor(extra_specs=specs), "image_properties": properties}
    assert reject("TraitsFilter", spec, {"traits": ("HW_CPU_X86_AVX2", "COMPUTE_NODE")}) == reason
