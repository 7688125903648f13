"""Hosts, as administrators addressed them until 2.42."""

from __future__ import annotations

from novalike.policies.base import ADMIN, operation

_RULE = "os_compute_api:os-hosts"
RULES = [
    operation(f"{_RULE}:list", ADMIN, "List hosts.", ("GET", "/os-hosts")),
    operation(f"{_RULE}:show", ADMIN, "Show what a host has and who uses it.", ("GET", "/os-hosts/{id}")),
    operation(f"{_RULE}:update", ADMIN, "Enable or disable a host.", ("PUT", "/os-hosts/{id}")),
    operation(f"{_RULE}:reboot", ADMIN, "Reboot a host.", ("GET", "/os-hosts/{id}/reboot")),
    operation(f"{_RULE}:shutdown", ADMIN, "Shut a host down.", ("GET", "/os-hosts/{id}/shutdown")),
    operation(f"{_RULE}:start", ADMIN, "Start a host.", ("GET", "/os-hosts/{id}/startup")),
]
