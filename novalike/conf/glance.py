"""[glance]: a real Glance, in clouds which have one."""

from __future__ import annotations

from oslo_config import cfg

from novalike import remote_options

GROUP = "glance"
OPTIONS: list[cfg.Opt] = [
    *remote_options.account(), *remote_options.session(), *remote_options.service("image"),
    cfg.ListOpt("api_servers", default=[], help=(
        "Glance's URLs, instead of the catalog's. Where there are several, each is asked when those before it do not answer, and "
        "a download which breaks off goes on at the next."
    )),
    cfg.IntOpt("num_retries", default=3, min=0, help="How often all of Glance's URLs are tried again when none answers."),
]
