"""[notifications]: what is told to other services over the message bus, and how. Where to: [oslo_messaging_notifications]."""

from oslo_config import cfg

GROUP = "notifications"

OPTIONS = [
    cfg.StrOpt(
        "notification_format", default="unversioned", choices=("unversioned", "versioned", "both"),
        help="Form of notifications: the old flat one, Nova's versioned objects, or both. None are sent unless "
             "[oslo_messaging_notifications] driver is set.",
    ),
    cfg.StrOpt(
        "notify_on_state_change", choices=("vm_state", "vm_and_task_state"),
        help="Also tell of changes of servers' states and fields (instance.update): of vm_state only, or of task_state as well. "
             "Unset: of neither.",
    ),
    cfg.StrOpt(
        "default_level", default="INFO", choices=("DEBUG", "INFO", "WARN", "ERROR", "CRITICAL"),
        help="Priority of notifications which tell of no error.",
    ),
    cfg.ListOpt(
        "versioned_notifications_topics", default=["versioned_notifications"],
        help="Topics to which versioned notifications are sent; unversioned ones go to [oslo_messaging_notifications] topics.",
    ),
    cfg.BoolOpt(
        "bdms_in_notifications", default=False,
        help="Tell of servers' volumes in versioned notifications, which costs a query for each.",
    ),
    cfg.BoolOpt(
        "include_share_mapping", default=False,
        help="Tell of servers' shares in versioned notifications. Servers have none yet, so the list is empty.",
    ),
    # ---- ours
    cfg.IntOpt(
        "queue_limit", default=5000, min=1,
        help="Notifications which wait in a process for a broker that is away or slow; more are dropped, which is logged.",
    ),
]
