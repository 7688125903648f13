"""[scheduler]: how a host is chosen, and how often."""

from __future__ import annotations

from oslo_config import cfg

GROUP = "scheduler"

OPTIONS = [
    cfg.StrOpt("driver", default="filter_scheduler", help=(
        "How a host is chosen, by its entry point's name (group novalike.scheduler.drivers): filter_scheduler asks filters and "
        "weighers, chance takes any host with room, simple the emptiest. Claims and server groups are exact with all of them."
    )),
    cfg.IntOpt("max_attempts", default=3, min=1, help="On how many hosts a build is tried before the server goes to ERROR."),
]
