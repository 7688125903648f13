"""[fake]: the in-memory hypervisor of tests, demos and scale runs."""

from oslo_config import cfg

GROUP = "fake"

OPTIONS = [
    cfg.IntOpt("vcpus", default=1000, min=1, help="CPUs which the pretended host has."),
    cfg.IntOpt("memory_mb", default=800000, min=1, help="Memory of the pretended host, in MiB."),
    cfg.IntOpt("local_gb", default=600000, min=0, help="Disk of the pretended host, in GiB."),
    cfg.StrOpt("architecture", default="x86_64", help="CPU architecture of the pretended host."),
    cfg.ListOpt("traits", default=[], help="Traits (os-traits names or CUSTOM_*) which the pretended host has besides its own."),
    cfg.MultiStrOpt(
        "numa_cell", default=[],
        help="A NUMA cell of the pretended host, such as: cpus=0-7 memory_mb=16384 threads=2 socket=0 pages=2048:512;1048576:4 (sizes "
             "in KiB, and how many). Once for each cell. Without any, servers which want cells or CPUs of their own find none.",
    ),
    cfg.MultiStrOpt(
        "pci_device", default=[],
        help="A PCI device of the pretended host, such as: address=0000:81:00.1 vendor_id=8086 product_id=1520 numa_node=0 "
             "type=type-VF parent=0000:80:00.0. [pci]device_spec says which are offered.",
    ),
    cfg.BoolOpt(
        "strict", default=False,
        help="Refuse guests beyond vcpus and memory_mb times the allocation ratios and beyond local_gb, as a last check that "
             "nothing upstream over-commits.",
    ),
    cfg.FloatOpt("spawn_delay", default=0.0, min=0, help="Seconds which a guest takes to be made."),
    cfg.FloatOpt("destroy_delay", default=0.0, min=0, help="Seconds which a guest takes to be removed."),
    cfg.FloatOpt("power_delay", default=0.0, min=0, help="Seconds which switching power on or off takes."),
    cfg.FloatOpt("snapshot_delay", default=0.0, min=0, help="Seconds which copying a guest's disk takes."),
    cfg.FloatOpt(
        "shutdown_delay", default=0.0, min=0,
        help="Seconds which a guest takes to shut itself down when asked to; one longer than shutdown_timeout gets its power cut.",
    ),
    cfg.ListOpt(
        "deaf_guests", default=[],
        help="Patterns of server names (or uuids, or instance names) whose guests ignore the request to shut down.",
    ),
    cfg.MultiStrOpt(
        "fault", default=[],
        help="A fault to play, may be given many times: OPERATION [match=PATTERN] [probability=0..1] [times=N] [at=STAGE] "
             "[hang=SECONDS] [retry=false] [error=TEXT ...]. OPERATION is spawn, destroy, power_on, power_off, reboot or "
             "console_output. PATTERN is compared (as in a shell) with server name, uuid and instance name. For spawn, STAGE is "
             "after which piece it strikes: start, disks, taps or domain. With hang alone the operation goes on afterwards; "
             "error is taken to the end of the line. Example: fault = spawn match=web-* times=1 at=taps error=no space left",
    ),
    cfg.StrOpt(
        "state_file",
        help="A file (SQLite) which keeps the guests while no daemon runs, so that they outlive a killed compute daemon as real "
             "ones do. A relative path is below state_path. Empty: guests live in the daemon's memory.",
    ),
]
