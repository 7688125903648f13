"""[api_database]: where the tables are which all cells share."""

from __future__ import annotations

from oslo_config import cfg

GROUP = "api_database"

OPTIONS = [
    cfg.StrOpt("connection", secret=True, help="URL of the GLOBAL database. Not set: that of [database] holds both."),
]
