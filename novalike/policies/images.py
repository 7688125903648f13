"""Images behind the proxy of old clients: the image service decides what a caller may do with one."""

from __future__ import annotations

from novalike.policies.base import ANYONE, operation

_METADATA = "/images/{image_id}/metadata"
RULES = [
    operation(
        "os_compute_api:images", ANYONE, "Read, change and delete images through the compute API (until 2.35, metadata until 2.38).",
        ("GET", "/images"), ("GET", "/images/detail"), ("GET", "/images/{id}"), ("DELETE", "/images/{id}"),
        *((method, _METADATA) for method in ("GET", "POST", "PUT")),
        *((method, f"{_METADATA}/{{id}}") for method in ("GET", "PUT", "DELETE")),
    ),
]
