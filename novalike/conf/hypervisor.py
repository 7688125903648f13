"""[DEFAULT]: options of the compute daemon, with Nova's names and defaults unless a help text says otherwise."""

from oslo_config import cfg

GROUP = None

OPTIONS = [
    cfg.StrOpt("compute_driver", default="libvirt", help="Which hypervisor driver to load: libvirt or fake. (Nova has no default.)"),
    cfg.FloatOpt(
        "cpu_allocation_ratio", min=0.0,
        help="Virtual CPUs to offer per real one. Not set: initial_cpu_allocation_ratio.",
    ),
    cfg.FloatOpt("ram_allocation_ratio", min=0.0, help="Memory to offer per real memory. Not set: initial_ram_allocation_ratio."),
    cfg.FloatOpt("disk_allocation_ratio", min=0.0, help="Disk to offer per real disk. Not set: initial_disk_allocation_ratio."),
    cfg.FloatOpt("initial_cpu_allocation_ratio", default=4.0, min=0.0, help="cpu_allocation_ratio of a host which sets none."),
    cfg.FloatOpt("initial_ram_allocation_ratio", default=1.0, min=0.0, help="ram_allocation_ratio of a host which sets none."),
    cfg.FloatOpt("initial_disk_allocation_ratio", default=1.0, min=0.0, help="disk_allocation_ratio of a host which sets none."),
    cfg.IntOpt("reserved_host_cpus", default=0, min=0, help="CPUs kept for the host itself."),
    cfg.IntOpt("reserved_host_memory_mb", default=512, min=0, help="Memory kept for the host itself, in MiB."),
    cfg.IntOpt("reserved_host_disk_mb", default=0, min=0, help="Disk kept for the host itself, in MiB."),
    cfg.MultiStrOpt(
        "reserved_huge_pages", default=[],
        help="Memory pages kept for the host itself, such as node:0,size:2048,count:64 (size in KiB). May be given many times.",
    ),
    cfg.ListOpt(
        "compute_monitors", default=[],
        help="What this host measures of itself for MetricsFilter and MetricsWeigher: cpu.virt_driver. Told with its usage, every "
             "update_resources_interval.",
    ),
    cfg.IntOpt(
        "max_concurrent_builds", default=10, min=0,
        help="Builds which run at the same time on this host; more wait. 0: no limit.",
    ),
    cfg.IntOpt(
        "max_concurrent_snapshots", default=5, min=0,
        help="Disks which are copied or sent to the image service at the same time on this host; more wait. 0: no limit.",
    ),
    cfg.IntOpt(
        "default_thread_pool_size", default=10, min=1,
        help="Deletes and single-host actions which run at the same time on this host; more wait.",
    ),
    cfg.IntOpt(
        "instance_build_timeout", default=600, min=0,
        help="Seconds after which this host gives a build up, when the order itself allows more. 0: only the order's own "
             "deadline. (Nova: off by default.)",
    ),
    cfg.IntOpt(
        "shutdown_timeout", default=60, min=0,
        help="Seconds a guest gets to shut itself down before its power is cut. The image property os_shutdown_timeout wins.",
    ),
    cfg.IntOpt(
        "sync_power_state_interval", default=600,
        help="Seconds between comparisons of all guests' power states with the database. 0: once a minute; negative: never.",
    ),
    cfg.IntOpt(
        "update_resources_interval", default=0,
        help="Seconds between checks whether the host's resources changed. 0: once a minute; negative: never.",
    ),
    cfg.IntOpt(
        "running_deleted_instance_poll_interval", default=1800,
        help="Seconds between searches for guests whose server is deleted. 0 or less: never.",
    ),
    cfg.IntOpt(
        "running_deleted_instance_timeout", default=0, min=0,
        help="Seconds a guest must have been seen without a server before running_deleted_instance_action is taken. It must "
             "always be seen so in two searches.",
    ),
    cfg.StrOpt(
        "running_deleted_instance_action", default="reap", choices=["reap", "log", "shutdown", "noop"],
        help="What to do with a guest which this host once made and whose server is deleted. Guests which others made are "
             "never touched.",
    ),
    cfg.BoolOpt(
        "resume_guests_state_on_host_boot", default=False,
        help="Start guests which should run but do not when the compute daemon starts.",
    ),
]
