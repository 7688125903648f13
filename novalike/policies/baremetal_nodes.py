"""Bare metal nodes behind the proxy of old clients."""

from __future__ import annotations

from novalike.policies.base import ADMIN, operation

_RULE = "os_compute_api:os-baremetal-nodes"
RULES = [
    operation(f"{_RULE}:list", ADMIN, "List bare metal nodes.", ("GET", "/os-baremetal-nodes")),
    operation(f"{_RULE}:show", ADMIN, "Show a bare metal node.", ("GET", "/os-baremetal-nodes/{id}")),
]
