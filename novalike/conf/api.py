"""[api]: what all HTTP APIs share."""

from __future__ import annotations

from oslo_config import cfg

GROUP = "api"
OPTIONS = [
    cfg.IntOpt("max_limit", default=1000, min=1, help="Most items which one answer of a list holds."),
    cfg.BoolOpt("enable_instance_password", default=True, help="Tell the admin password in the answer to a create."),
    cfg.StrOpt("compute_link_prefix", help="Start of links in answers, when clients reach the API by another URL (proxy)."),
]
