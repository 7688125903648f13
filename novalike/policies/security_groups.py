"""Security groups, and those of servers; the rules of the two actions are in server_actions.py."""

from __future__ import annotations

from novalike.policies.base import MEMBER_OR_ADMIN, READER_OR_ADMIN, operation

_GROUPS, _RULES = "/os-security-groups", "/os-security-group-rules"

RULES = [
    *(
        operation(f"os_compute_api:os-security-groups:{verb}", check, f"{what} (until 2.35).", (method, path))
        for verb, check, what, method, path in (
            ("get", READER_OR_ADMIN, "List security groups", "GET", _GROUPS),
            ("show", READER_OR_ADMIN, "Show a security group", "GET", f"{_GROUPS}/{{id}}"),
            ("create", MEMBER_OR_ADMIN, "Create a security group", "POST", _GROUPS),
            ("update", MEMBER_OR_ADMIN, "Update a security group", "PUT", f"{_GROUPS}/{{id}}"),
            ("delete", MEMBER_OR_ADMIN, "Delete a security group", "DELETE", f"{_GROUPS}/{{id}}"),
            ("rule:create", MEMBER_OR_ADMIN, "Create a security group rule", "POST", _RULES),
            ("rule:delete", MEMBER_OR_ADMIN, "Delete a security group rule", "DELETE", f"{_RULES}/{{id}}"),
        )
    ),
    operation(
        "os_compute_api:os-security-groups:list", READER_OR_ADMIN, "List a server's security groups.",
        ("GET", "/servers/{server_id}/os-security-groups"),
    ),
]
