"""[neutron]: a real Neutron, and the secret which proves to the metadata service who asks."""

from __future__ import annotations

from oslo_config import cfg

from novalike import remote_options

GROUP = "neutron"

OPTIONS = [
    cfg.StrOpt(
        "metadata_proxy_shared_secret", default="", secret=True,
        help="Signs the identity of guests between the network agents (ours or Neutron's) and the metadata API. Must be the same "
             "on all of them; without one the metadata API answers nobody.",
    ),
    cfg.BoolOpt("service_metadata_proxy", default=True, help="Kept for Nova's configuration files: metadata is always served so."),
    *remote_options.account(), *remote_options.session(), *remote_options.service("network"),
    cfg.StrOpt("ovs_bridge", default="br-int", help="Open vSwitch's integration bridge, where Neutron names none."),
    cfg.IntOpt("http_retries", default=3, min=0, help="How often a request which got no answer is sent again."),
]
