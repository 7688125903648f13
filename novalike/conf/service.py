"""Heartbeats: how often daemons tell that they live, and when one counts as dead."""

from __future__ import annotations

from oslo_config import cfg

GROUP = None
OPTIONS = [
    cfg.IntOpt("report_interval", min=1, default=10, help="Seconds between two heartbeats of a daemon."),
    cfg.IntOpt("service_down_time", min=1, default=60, help="Seconds without a heartbeat after which a daemon counts as down."),
]
