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
    cfg.FloatOpt("ram_weight_multiplier", default=1.0, help="Positive spreads servers by free memory, negative packs them."),
    cfg.FloatOpt("cpu_weight_multiplier", default=1.0, help="Positive spreads servers by free vCPUs, negative packs them."),
    cfg.FloatOpt("disk_weight_multiplier", default=1.0, help="Positive spreads servers by free disk, negative packs them."),
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
