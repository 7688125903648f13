"""[DEFAULT]: files of servers on a compute host, with Nova's names and defaults."""

from oslo_config import cfg

GROUP = None

OPTIONS = [
    cfg.StrOpt("instances_path", default="$state_path/instances", help="Folder of servers' disks and of the image cache."),
    cfg.BoolOpt("use_cow_images", default=True, help="Make root disks as qcow2 overlays of the cached image instead of copies."),
    cfg.BoolOpt("force_raw_images", default=True, help="Convert images to raw in the cache."),
    cfg.StrOpt("config_drive_format", default="iso9660", choices=["iso9660"], help="Format of config drives. (Nova had vfat as well.)"),
    cfg.StrOpt(
        "default_ephemeral_format", choices=["ext2", "ext3", "ext4", "xfs"],
        help="File system of ephemeral disks which ask for none. Not set: ext4.",
    ),
    cfg.StrOpt(
        "pointer_model", default="usbtablet", choices=["ps2mouse", "usbtablet"],
        help="Pointer of graphical consoles, unless the image says hw_pointer_model.",
    ),
]
