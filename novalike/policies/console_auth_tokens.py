"""What a console's token stands for: for the proxies of consoles."""

from __future__ import annotations

from novalike.policies.base import ADMIN, operation

RULES = [
    operation(
        "os_compute_api:os-console-auth-tokens", ADMIN, "Show which console a token opens.",
        ("GET", "/os-console-auth-tokens/{console_token}"),
    ),
]
