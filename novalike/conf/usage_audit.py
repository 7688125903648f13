"""[DEFAULT]: the period by which usage is counted."""

from oslo_config import cfg

GROUP = None

OPTIONS = [
    cfg.BoolOpt("instance_usage_audit", default=False, help=(
        "At the end of each period tell of every server that there was (notification instance.exists), and keep count of it."
    )),
    cfg.StrOpt(
        "instance_usage_audit_period", default="month", regex=r"^(hour|day|month|year)(@\d{1,2})?$",
        help="Period by which notifications tell usage: hour, day, month or year, and after an @ the minute, hour, day or "
             "month in which it begins.",
    ),
]
