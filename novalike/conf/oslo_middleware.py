"""[oslo_middleware]: what OpenStack's operators know under this name; the middleware is ours (api/http/middleware.py)."""

from __future__ import annotations

from oslo_config import cfg

GROUP = "oslo_middleware"
OPTIONS = [
    cfg.IntOpt("max_request_body_size", default=114688, min=1024, help=(
        "Longest body of a request in bytes; image uploads have a limit of their own."
    )),
    cfg.BoolOpt("enable_proxy_headers_parsing", default=False, help=(
        "Believe Forwarded and X-Forwarded-* headers. Only behind a proxy which sets them itself: clients can send them too."
    )),
]
