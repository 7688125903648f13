"""[DEFAULT]: how daemons stop."""

from __future__ import annotations

from oslo_config import cfg

GROUP = None
OPTIONS = [
    cfg.IntOpt("graceful_shutdown_timeout", min=1, default=60, help=(
        "Seconds which a daemon takes at most to finish or hand over its work after SIGTERM. What still runs then is "
        "dropped: its tasks are taken up by whoever looks at them next."
    )),
]
