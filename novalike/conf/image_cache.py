"""[image_cache]: images kept on compute hosts."""

from oslo_config import cfg

GROUP = "image_cache"

OPTIONS = [
    cfg.StrOpt("subdirectory_name", default="_base", help="Folder of the image cache below instances_path."),
    cfg.IntOpt("fetch_timeout", default=60, min=1, help="Seconds without a byte after which fetching or sending an image fails. (Ours.)"),
    cfg.IntOpt(
        "manager_interval", default=2400, min=-1,
        help="Seconds between searches for images which no server here needs. 0: once a minute; -1: never.",
    ),
    cfg.BoolOpt("remove_unused_base_images", default=True, help="Remove images which no server here needs."),
    cfg.IntOpt(
        "remove_unused_original_minimum_age_seconds", default=86400, min=0,
        help="Seconds for which an image must not have been needed before it is removed; never less than ten minutes, in which a "
             "server may be made of it.",
    ),
    cfg.IntOpt("precache_concurrency", default=1, min=1, help=(
        "Images which a host fetches at the same time because an administrator wants them on the hosts of an aggregate."
    )),
    cfg.StrOpt("cafile", help="CA certificates to check an HTTPS image service with. Not set: the system's. (Ours.)"),
]
