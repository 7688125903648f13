"""Quota sets: projects read theirs, administrators set them."""

from __future__ import annotations

from novalike.policies.base import ADMIN, ANYONE, READER_OR_ADMIN, operation

RULES = [
    operation("os_compute_api:os-quota-sets:show", READER_OR_ADMIN, "Show a project's limits.", ("GET", "/os-quota-sets/{id}")),
    operation(
        "os_compute_api:os-quota-sets:detail", READER_OR_ADMIN, "Show a project's limits and usage.",
        ("GET", "/os-quota-sets/{id}/detail"),
    ),
    operation(
        "os_compute_api:os-quota-sets:defaults", ANYONE, "Show the limits of projects without their own.",
        ("GET", "/os-quota-sets/{id}/defaults"),
    ),
    operation("os_compute_api:os-quota-sets:update", ADMIN, "Set limits.", ("PUT", "/os-quota-sets/{id}")),
    operation("os_compute_api:os-quota-sets:delete", ADMIN, "Go back to the defaults.", ("DELETE", "/os-quota-sets/{id}")),
    operation("os_compute_api:os-quota-class-sets:show", ADMIN, "Show the defaults.", ("GET", "/os-quota-class-sets/{id}")),
    operation("os_compute_api:os-quota-class-sets:update", ADMIN, "Set the defaults.", ("PUT", "/os-quota-class-sets/{id}")),
]
