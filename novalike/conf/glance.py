"""A real Glance, in clouds which have one."""

from __future__ import annotations

from oslo_config import cfg

GROUP = "glance"
OPTIONS: list[cfg.Opt] = [
    cfg.StrOpt("service_type", default="image", help="Service type in Keystone's catalog."),
    cfg.StrOpt("region_name", help="Region of the image service."),
    cfg.ListOpt("valid_interfaces", default=["internal", "public"], help="Interfaces of the catalog to use, best first."),
    cfg.StrOpt("endpoint_override", help="The image service's URL instead of the catalog's."),
    cfg.IntOpt("num_retries", default=3, min=0, help="How often a request which may be repeated is tried again."),
]
