"""Networks and floating IPs until 2.35; the rules of servers' actions are in server_actions.py."""

from __future__ import annotations

from novalike.policies.base import ANYONE, MEMBER_OR_ADMIN, READER_OR_ADMIN, operation

RULES = [
    operation(f"os_compute_api:{name}", check, f"{what} (until 2.35).", (method, path))
    for name, check, what, method, path in (
        ("os-networks:list", READER_OR_ADMIN, "List networks", "GET", "/os-networks"),
        ("os-networks:show", READER_OR_ADMIN, "Show a network", "GET", "/os-networks/{id}"),
        ("os-tenant-networks:list", READER_OR_ADMIN, "List a project's networks", "GET", "/os-tenant-networks"),
        ("os-tenant-networks:show", READER_OR_ADMIN, "Show a project's network", "GET", "/os-tenant-networks/{id}"),
        ("os-floating-ip-pools", ANYONE, "List external networks", "GET", "/os-floating-ip-pools"),
        ("os-floating-ips:list", READER_OR_ADMIN, "List floating IPs", "GET", "/os-floating-ips"),
        ("os-floating-ips:create", MEMBER_OR_ADMIN, "Allocate a floating IP", "POST", "/os-floating-ips"),
        ("os-floating-ips:show", READER_OR_ADMIN, "Show a floating IP", "GET", "/os-floating-ips/{id}"),
        ("os-floating-ips:delete", MEMBER_OR_ADMIN, "Give a floating IP back", "DELETE", "/os-floating-ips/{id}"),
    )
]
