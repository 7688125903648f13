"""[DEFAULT]: how servers are created."""

from __future__ import annotations

from oslo_config import cfg

GROUP = None

OPTIONS = [
    cfg.IntOpt("password_length", default=12, min=0, help="Length of generated admin passwords."),
    cfg.StrOpt("default_schedule_zone", help="Zone of new servers whose user names none. Unset: any zone."),
    cfg.IntOpt("max_local_block_devices", default=3, help="Local disks which one server may have. -1: no limit."),
    cfg.IntOpt(
        "max_servers_per_request", default=1000, min=1,
        help="Most servers which one request creates; asking for more is refused. (Nova: no limit but the quota.)",
    ),
    cfg.IntOpt("rescue_timeout", default=0, min=0, help=(
        "Seconds after which a rescued server is booted from its own disks again. 0: never by itself. (Nova: of the compute hosts.)"
    )),
    cfg.IntOpt("reclaim_instance_interval", default=0, help=(
        "Seconds for which a deleted server can be restored before it is removed for good. 0 or less: deleted at once. "
        "Conductors and APIs need the same value."
    )),
    cfg.IntOpt("shelved_offload_time", default=0, min=-1, help=(
        "Seconds after which a shelved server leaves its host. 0: as soon as it is shelved; -1: never by itself. Conductors and "
        "APIs need the same value. (Nova: of the compute hosts.)"
    )),
    cfg.IntOpt("shelved_poll_interval", default=3600, help=(
        "Seconds between searches for shelved servers whose time on their host is over. 0 or less: never."
    )),
    cfg.ListOpt("non_inheritable_image_properties", default=[
        "cache_in_nova", "bittorrent", "img_signature_hash_method", "img_signature", "img_signature_key_type",
        "img_signature_certificate_uuid", "cinder_encryption_key_id", "cinder_encryption_key_deletion_policy",
    ], help="Properties which an image of a server does not take over from the image the server was made of."),
    cfg.BoolOpt("force_config_drive", default=False, help="Give every new server a config drive."),
]
