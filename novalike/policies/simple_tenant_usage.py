"""Usage reports: of one's own project, and of all for administrators."""

from __future__ import annotations

from novalike.policies.base import ADMIN, READER_OR_ADMIN, operation

_RULE = "os_compute_api:os-simple-tenant-usage"
RULES = [
    operation(f"{_RULE}:list", ADMIN, "Report the usage of all projects.", ("GET", "/os-simple-tenant-usage")),
    operation(f"{_RULE}:show", READER_OR_ADMIN, "Report a project's usage.", ("GET", "/os-simple-tenant-usage/{id}")),
]
