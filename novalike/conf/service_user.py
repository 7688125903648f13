"""[service_user]: the account by which services of a real OpenStack are asked where their own section names none."""

from __future__ import annotations

from oslo_config import cfg

from novalike import remote_options

GROUP = "service_user"
OPTIONS: list[cfg.Opt] = [
    *remote_options.account(), *remote_options.session(),
    cfg.BoolOpt("send_service_user_token", default=True, help=(
        "Kept for Nova's configuration files: other services are always asked with the service account's own token, and "
        "never with a user's."
    )),
]
