"""Each weigher: which host it prefers; and the whole drivers."""

from __future__ import annotations

import pytest

from novalike import conf as configuration
from novalike.scheduler import plugins
from novalike.scheduler.options import Options
from novalike.scheduler.select import rank
from tests import factories_hosts as make


def order(name, hosts, spec=None, **options):
    weighers = plugins.load_weighers([name], Options(**options))
    return [one.host.host for one in rank(spec or make.spec(), hosts, weighers)]


@pytest.mark.parametrize(("name", "option", "default", "values"), [
    ("RAMWeigher", "ram_weight_multiplier", 1.0, [{"memory_mb": 1000}, {"memory_mb": 2000}, {"memory_mb": 3000}]),
    ("CPUWeigher", "cpu_weight_multiplier", 1.0, [{"vcpus": 1}, {"vcpus": 2}, {"vcpus": 3}]),
    ("DiskWeigher", "disk_weight_multiplier", 1.0, [{"local_gb": 1}, {"local_gb": 2}, {"local_gb": 3}]),
    ("IoOpsWeigher", "io_ops_weight_multiplier", -1.0, [{"io_ops": 0}, {"io_ops": 1}, {"io_ops": 5}]),
    ("NumInstancesWeigher", "num_instances_weight_multiplier", 0.0, [{"instances": 0}, {"instances": 1}, {"instances": 5}]),
    ("HypervisorVersionWeigher", "hypervisor_version_weight_multiplier", 1.0,
     [{"hypervisor_version": 6002000}, {"hypervisor_version": 7002000}, {"hypervisor_version": 8000000}]),
    ("BuildFailureWeigher", "build_failure_weight_multiplier", 1000000.0,
     [{"build_failures": 2}, {"build_failures": 1}, {"build_failures": 0}]),
])
def test_more_is_better_times_the_multiplier_which_aggregates_override(name, option, default, values):
    """Hosts come in order of growing preference under a positive multiplier."""
    assert getattr(Options(), option) == default
    names = ["least", "middle", "most"]
    hosts = [make.host_state(host, **changes) for host, changes in zip(names, values, strict=True)]
    assert order(name, hosts, **{option: 2.0}) == names[::-1]
    assert order(name, hosts, **{option: -2.0}) == names
    assert order(name, hosts, **{option: 0.0}) == names            # the given order
    metadata = {option: frozenset({"1", "-5"})}                    # the smallest of several
    hosts = [make.host_state(host, metadata=metadata, **changes) for host, changes in zip(names, values, strict=True)]
    assert order(name, hosts, **{option: 2.0}) == names


def test_metrics_are_summed_by_their_ratios():
    hosts = [make.host_state("a", metrics={"cpu.percent": 0.9, "x": 1.0}), make.host_state("b", metrics={"cpu.percent": 0.1, "x": 1.0}),
             make.host_state("silent", metrics={"x": 1.0})]
    assert order("MetricsWeigher", hosts) == ["a", "b", "silent"]
    weights = {"cpu.percent": -1.0, "x": 2.0}
    assert order("MetricsWeigher", hosts, metrics_weights=weights) == ["b", "a", "silent"]
    assert order("MetricsWeigher", hosts, metrics_weights=weights, metrics_weight_of_unavailable=10.0)[0] == "silent"
    assert order("MetricsWeigher", hosts, metrics_weights=weights, metrics_weight_multiplier=-1.0) == ["silent", "a", "b"]


def test_servers_of_like_images_come_together():
    hosts = [
        make.host_state("empty"), make.host_state("windows", image_properties={("os_distro", "windows"): 2, ("hw_disk_bus", "scsi"): 9}),
        make.host_state("debian", image_properties={("os_distro", "debian"): 3}),
    ]
    spec = make.spec(image_properties={"os_distro": "windows", "hw_disk_bus": "scsi"})
    assert order("ImagePropertiesWeigher", hosts, spec, image_props_weight_multiplier=1.0)[0] == "windows"
    assert order("ImagePropertiesWeigher", hosts, spec, image_props_weight_multiplier=-1.0)[-1] == "windows"
    weights = {"os_distro": 1.0}
    debian = make.spec(image_properties={"os_distro": "debian", "hw_disk_bus": "scsi"})
    assert order("ImagePropertiesWeigher", hosts, debian, image_props_weight_multiplier=1.0, image_properties_weights=weights)[0] == "debian"


def options(**overrides):
    conf = configuration.load(**overrides)
    return Options.of(conf.filter_scheduler, conf.metrics)


def test_what_nobody_needs_is_not_read():
    assert plugins.load_driver("filter_scheduler", options()).needs == {"io_ops"}
    wanting = options(
        metrics__weight_setting=["cpu.percent=-1"], filter_scheduler__image_props_weight_multiplier=1.0,
        filter_scheduler__enabled_filters=["SameHostFilter", "TypeAffinityFilter"],
    )
    driver = plugins.load_driver("filter_scheduler", wanting)
    assert driver.needs == {"io_ops", "metrics", "image_properties", "hinted_hosts", "flavors"}
    assert plugins.load_driver("chance", options()).needs == plugins.load_driver("simple", options()).needs == set()


def test_required_metrics_are_filtered_for_and_malformed_ones_named():
    def names(**overrides):
        return [one.name for one in plugins.load_driver("filter_scheduler", options(**overrides)).filters]

    assert names(filter_scheduler__enabled_filters=["ComputeFilter"]) == [
        "ComputeFilter", "ResourcesFilter", "TraitsFilter", "PciPassthroughFilter", "NUMATopologyFilter",
    ]
    assert "MetricsFilter" in names(metrics__weight_setting=["a=1"])
    assert "MetricsFilter" not in names(metrics__weight_setting=["a=1"], metrics__required=False)
    with pytest.raises(ValueError, match=r"\[metrics\]weight_setting: 'a' is not of the form name=number"):
        options(metrics__weight_setting=["a"])


def test_whole_drivers():
    hosts = [make.host_state("a", used=(3, 100, 0)), make.host_state("b", used=(1, 9000, 0), instances=2),
             make.host_state("c", used=(1, 9000, 0), instances=1), make.host_state("down", up=False),
             make.host_state("full", used=(8, 0, 0)), make.host_state("far", availability_zone="az2")]
    spec = make.spec(availability_zone="nova")
    simple = plugins.load_driver("simple", options()).decide(spec, hosts, "s")
    assert [one.host.host for one in simple.ranked] == ["c", "b", "a"]
    chance = plugins.load_driver("chance", options())
    firsts = {chance.decide(spec, hosts, str(seed)).ranked[0].host.host for seed in range(40)}
    assert firsts == {"a", "b", "c"}
    assert chance.decide(spec, hosts, "s") == chance.decide(spec, hosts, "s")
    assert {(one.host.host, one.by) for one in chance.decide(spec, hosts, "s").removed} == {
        ("down", "ComputeFilter"), ("full", "CoreFilter"), ("far", "AvailabilityZoneFilter"),
    }
    with pytest.raises(ValueError, match="There is no driver nova; there are chance, filter_scheduler, simple"):
        plugins.load_driver("nova", options())
