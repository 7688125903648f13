"""What other services may tell."""

from __future__ import annotations

from novalike.policies.base import SERVICE_OR_ADMIN, operation

RULES = [
    operation(
        "os_compute_api:os-server-external-events:create", SERVICE_OR_ADMIN, "Tell of what happened to servers' ports and volumes.",
        ("POST", "/os-server-external-events"),
    ),
]
