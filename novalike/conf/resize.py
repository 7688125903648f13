"""[DEFAULT]: resize and cold migration."""

from __future__ import annotations

from oslo_config import cfg

GROUP = None

OPTIONS = [
    cfg.BoolOpt("allow_resize_to_same_host", default=False, help=(
        "Let a server which is resized stay on its host. The host needs room for both sizes until the resize is confirmed. APIs "
        "read it. novalike-all has it on."
    )),
    cfg.IntOpt("resize_confirm_window", default=0, min=0, help=(
        "Seconds after which a resize or cold migration which nobody confirmed or reverted is confirmed. 0: never. Conductors read it."
    )),
]
