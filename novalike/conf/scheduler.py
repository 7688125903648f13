"""[scheduler]: how often a server is placed again."""

from __future__ import annotations

from oslo_config import cfg

GROUP = "scheduler"

OPTIONS = [
    cfg.IntOpt("max_attempts", default=3, min=1, help="On how many hosts a build is tried before the server goes to ERROR."),
]
