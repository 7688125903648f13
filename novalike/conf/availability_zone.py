"""Availability zones of hosts which no aggregate puts into one."""

from __future__ import annotations

from oslo_config import cfg

GROUP = None
OPTIONS = [
    cfg.StrOpt("default_availability_zone", default="nova", help="Zone of compute hosts which are in no other."),
    cfg.StrOpt(
        "internal_service_availability_zone", default="internal",
        help="Zone shown for services other than compute; users never see it.",
    ),
]
