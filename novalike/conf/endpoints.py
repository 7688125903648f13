"""Where the APIs answer, as the catalog tells clients. A shape which serves them under one port overrides these."""

from __future__ import annotations

from oslo_config import cfg

GROUP = "endpoints"
OPTIONS: list[cfg.Opt] = [
    cfg.StrOpt("compute", default="http://127.0.0.1:8774/v2.1", help="URL of the compute API; empty: not in the catalog."),
    cfg.StrOpt("identity", default="http://127.0.0.1:5000/v3", help="URL of the identity API."),
    cfg.StrOpt("image", default="http://127.0.0.1:9292", help="URL of the image API; empty: not in the catalog."),
    cfg.StrOpt("network", default="http://127.0.0.1:9696", help="URL of the network API; empty: not in the catalog."),
]
