"""Limits: everybody reads their own project's."""

from __future__ import annotations

from novalike.policies.base import ADMIN, ANYONE, operation

RULES = [
    operation("os_compute_api:limits", ANYONE, "Show the limits and the usage of the caller's project.", ("GET", "/limits")),
    operation("os_compute_api:limits:other_project", ADMIN, "Show those of any project.", ("GET", "/limits")),
]
