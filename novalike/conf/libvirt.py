"""[libvirt]: guests under KVM and QEMU, with Nova's names and defaults unless a help text says otherwise."""

from oslo_config import cfg

GROUP = "libvirt"

OPTIONS = [
    cfg.StrOpt(
        "virt_type", default="auto", choices=["auto", "kvm", "qemu"],
        help="How guests run: by hardware (kvm) or emulated (qemu). auto runs a probe under KVM once and falls back to qemu. "
             "(Nova: kvm, and no auto.)",
    ),
    cfg.StrOpt("connection_uri", default="", help="libvirt to connect to. Empty: qemu:///system."),
    cfg.StrOpt(
        "cpu_mode", choices=["host-model", "host-passthrough", "custom", "none"],
        help="CPU which guests see. Not set: host-model under KVM; custom with cpu_models, or Nehalem, under emulation.",
    ),
    cfg.ListOpt(
        "cpu_models", default=[],
        help="Named CPU models for cpu_mode custom; the first is used. Empty: Nehalem, the oldest which current distributions "
             "accept (x86-64-v2) and which QEMU emulates completely.",
    ),
    cfg.ListOpt("cpu_model_extra_flags", default=[], help="CPU flags to add (+flag or flag) or to take away (-flag)."),
    cfg.ListOpt("hw_machine_type", default=[], help="Default machine type by architecture, e.g. x86_64=q35. Empty: pc on x86."),
    cfg.StrOpt(
        "images_type", default="default", choices=["raw", "flat", "qcow2", "default"],
        help="Kind of disk files. default follows use_cow_images: qcow2, or raw without; flat is another word for raw.",
    ),
    cfg.StrOpt(
        "snapshot_image_format", choices=["raw", "qcow2", "vmdk", "vdi"],
        help="Format of images made of servers. Not set: that of the server's disk.",
    ),
    cfg.BoolOpt("snapshot_compression", default=False, help="Compress qcow2 images made of servers: smaller, and much slower to make."),
    cfg.StrOpt(
        "snapshots_directory", default="$instances_path/snapshots",
        help="Folder in which copies of servers' disks lie until the image service has them.",
    ),
    cfg.ListOpt("disk_cachemodes", default=[], help="Cache mode by kind of source, e.g. file=writeback. Not given: none."),
    cfg.StrOpt("hw_disk_discard", choices=["ignore", "unmap"], help="Whether a guest's discards free space on the host. Not set: unmap."),
    cfg.StrOpt("disk_prefix", help="Prefix of disk names in guests instead of the bus's own (vd, sd, hd)."),
    cfg.StrOpt("rng_dev_path", default="/dev/urandom", help="Source of guests' random numbers."),
    cfg.IntOpt("mem_stats_period_seconds", default=10, help="Seconds between balloon statistics; 0 or less: none."),
    cfg.StrOpt(
        "sysinfo_serial", default="unique", choices=["none", "os", "hardware", "auto", "unique"],
        help="Serial number which guests see: none, their own uuid (unique), or the host's. The host's own number is not told "
             "to guests here: os, hardware and auto give the host's machine-id.",
    ),
    cfg.IntOpt(
        "wait_soft_reboot_seconds", default=120, min=0,
        help="Seconds a guest gets to shut down for a soft reboot before a hard one follows.",
    ),
    cfg.IntOpt(
        "tb_cache_size", default=64, min=0,
        help="MiB of translated code which an emulated guest keeps. 0: QEMU's own limit, up to 1 GiB. (Nova: not set. 64 costs no "
             "boot time and saves 60 MiB a guest; less slows guests down.)",
    ),
    cfg.StrOpt("rescue_image_id", help=(
        "Image from which servers are rescued whose user names none. Not set: their own image. (Ours: read by APIs.)"
    )),
    cfg.StrOpt("rescue_kernel_id", help="Kernel image for rescues whose image names none. Not set: the server's own."),
    cfg.StrOpt("rescue_ramdisk_id", help="Ramdisk image for rescues whose image names none. Not set: the server's own."),
    cfg.IntOpt("num_pcie_ports", default=0, min=0, max=28, help=(
        "PCIe ports of q35 machines; each device of the machine takes one, and those left are for hot plugging. 0: 24. "
        "(Nova: libvirt's choice, which leaves one.)"
    )),
    cfg.IntOpt("device_detach_attempts", default=8, min=1, help="How often a guest is asked to let go of a device."),
    cfg.IntOpt("device_detach_timeout", default=20, min=1, help="Seconds for which a guest is waited for each time."),
    cfg.IntOpt("connect_timeout", default=10, min=1, help="Seconds to wait for a libvirtd which restarts before work fails. (Ours.)"),
]
