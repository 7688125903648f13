"""The list of extensions, open to all."""

from __future__ import annotations

from novalike.policies.base import ANYONE, operation

RULES = [
    operation(
        "os_compute_api:extensions", ANYONE, "List the extensions of old.", ("GET", "/extensions"), ("GET", "/extensions/{id}"),
    ),
]
