"""[api]: what guests are told by the metadata service."""

from __future__ import annotations

from oslo_config import cfg, types

GROUP = "api"
OPTIONS = [
    cfg.IntOpt("metadata_cache_expiration", default=15, min=0, help="Seconds for which a guest's metadata are kept between its requests."),
    cfg.ListOpt(
        "vendordata_providers", default=["StaticJSON"], item_type=types.String(choices=["StaticJSON", "DynamicJSON"]),
        help="Where vendor data come from: the file in vendordata_jsonfile_path, the services in vendordata_dynamic_targets.",
    ),
    cfg.StrOpt("vendordata_jsonfile_path", help="JSON file whose content every guest gets as vendor_data.json."),
    cfg.ListOpt(
        "vendordata_dynamic_targets", default=[],
        help="Services asked for vendor_data2.json, as name@URL. Each gets a POST with the guest's identity; what it answers stands "
             "under its name. They are asked without authentication.",
    ),
    cfg.IntOpt("vendordata_dynamic_connect_timeout", default=5, min=3, help="Seconds to wait for a connection to such a service."),
    cfg.IntOpt("vendordata_dynamic_read_timeout", default=5, min=0, help="Seconds to wait for its answer."),
]
