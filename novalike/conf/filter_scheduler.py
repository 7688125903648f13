"""[filter_scheduler]: which hosts are considered, and which of them is the best."""

from __future__ import annotations

from oslo_config import cfg

GROUP = "filter_scheduler"

OPTIONS = [
    cfg.ListOpt("enabled_filters", default=[
        "ComputeFilter", "AvailabilityZoneFilter", "RamFilter", "CoreFilter", "DiskFilter", "ImagePropertiesFilter",
        "ComputeCapabilitiesFilter", "ServerGroupAntiAffinityFilter", "ServerGroupAffinityFilter",
    ], help="Filters in the order in which they run, by their entry point's name (group novalike.scheduler.filters)."),
    cfg.ListOpt("weight_classes", default=["all"], help=(
        "Weighers by their entry point's name (group novalike.scheduler.weighers), or all. Their normalised weights are "
        "multiplied and summed."
    )),
    cfg.IntOpt("host_subset_size", default=1, min=1, help="Choose at random among so many best hosts."),
    cfg.BoolOpt("shuffle_best_same_weighed_hosts", default=False, help="Choose at random among the best hosts of equal weight."),
    cfg.StrOpt("image_properties_default_architecture", help=(
        "Architecture which images without hw_architecture need, such as x86_64. Not set: any host takes them."
    )),
    cfg.IntOpt("max_io_ops_per_host", default=8, min=0, help=(
        "IoOpsFilter: how many servers may be under way to be built, moved, saved and the like on a host which shall get another. "
        "AggregateIoOpsFilter: the same, unless an aggregate's metadata have a key of this name."
    )),
    cfg.IntOpt("max_instances_per_host", default=50, min=1, help=(
        "NumInstancesFilter: how many servers a host may have. AggregateNumInstancesFilter: the same, unless an aggregate's "
        "metadata have a key of this name."
    )),
    cfg.ListOpt("isolated_images", default=[], help="IsolatedHostsFilter: images which may only go on isolated_hosts."),
    cfg.ListOpt("isolated_hosts", default=[], help="IsolatedHostsFilter: hosts for isolated_images."),
    cfg.BoolOpt("restrict_isolated_hosts_to_isolated_images", default=True, help=(
        "IsolatedHostsFilter: keep other images off isolated_hosts."
    )),
    cfg.StrOpt("aggregate_image_properties_isolation_namespace", help=(
        "AggregateImagePropertiesIsolation: only metadata keys which begin with this and the separator count."
    )),
    cfg.StrOpt("aggregate_image_properties_isolation_separator", default=".", help="What stands behind that namespace in a key."),
    cfg.FloatOpt("ram_weight_multiplier", default=1.0, help="Positive spreads servers by free memory, negative packs them."),
    cfg.FloatOpt("cpu_weight_multiplier", default=1.0, help="Positive spreads servers by free vCPUs, negative packs them."),
    cfg.FloatOpt("disk_weight_multiplier", default=1.0, help="Positive spreads servers by free disk, negative packs them."),
    cfg.FloatOpt("io_ops_weight_multiplier", default=-1.0, help=(
        "Negative prefers hosts on which few servers are being built, moved, saved and the like."
    )),
    cfg.FloatOpt("num_instances_weight_multiplier", default=0.0, help=(
        "Positive prefers hosts with many servers, negative those with few."
    )),
    cfg.FloatOpt("hypervisor_version_weight_multiplier", default=1.0, help=(
        "Positive prefers newer hypervisors, negative older ones."
    )),
    cfg.FloatOpt("image_props_weight_multiplier", default=0.0, help=(
        "Positive brings servers together whose images have properties in common, negative parts them. 0: not looked at."
    )),
    cfg.ListOpt("image_props_weight_setting", default=[], help=(
        "Image properties which count for that, as name=weight. Empty: all, alike."
    )),
    cfg.FloatOpt("pci_weight_multiplier", default=1.0, min=0, help=(
        "How far hosts with free PCI devices are kept for servers which want some. 0: not at all."
    )),
    cfg.FloatOpt("build_failure_weight_multiplier", default=1000000.0, help=(
        "How far failed builds in a row push a host back. 0: not at all."
    )),
    cfg.FloatOpt("soft_affinity_weight_multiplier", default=1.0, help=(
        "How far servers of a soft-affinity group draw the next one to their host."
    )),
    cfg.FloatOpt("soft_anti_affinity_weight_multiplier", default=1.0, help=(
        "How far servers of a soft-anti-affinity group push the next one off their host."
    )),
]
