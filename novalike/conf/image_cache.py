"""[image_cache]: images kept on compute hosts."""

from oslo_config import cfg

GROUP = "image_cache"

OPTIONS = [
    cfg.StrOpt("subdirectory_name", default="_base", help="Folder of the image cache below instances_path."),
    cfg.IntOpt("fetch_timeout", default=60, min=1, help="Seconds without a byte after which fetching an image fails. (Ours.)"),
    cfg.StrOpt("cafile", help="CA certificates to check an HTTPS image service with. Not set: the system's. (Ours.)"),
]
