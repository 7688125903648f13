"""Security groups of servers; the rules of the two actions are in server_actions.py."""

from __future__ import annotations

from novalike.policies.base import READER_OR_ADMIN, operation

RULES = [
    operation(
        "os_compute_api:os-security-groups:list", READER_OR_ADMIN, "List a server's security groups.",
        ("GET", "/servers/{server_id}/os-security-groups"),
    ),
]
