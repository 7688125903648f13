"""Server groups: of the caller's project, and of all projects for administrators."""

from __future__ import annotations

from novalike.policies.base import ADMIN, MEMBER_OR_ADMIN, READER_OR_ADMIN, operation

_RULE = "os_compute_api:os-server-groups"
RULES = [
    operation(f"{_RULE}:index", READER_OR_ADMIN, "List server groups.", ("GET", "/os-server-groups")),
    operation(f"{_RULE}:index:all_projects", ADMIN, "List those of all projects.", ("GET", "/os-server-groups")),
    operation(f"{_RULE}:show", READER_OR_ADMIN, "Show a server group.", ("GET", "/os-server-groups/{id}")),
    operation(f"{_RULE}:create", MEMBER_OR_ADMIN, "Create a server group.", ("POST", "/os-server-groups")),
    operation(f"{_RULE}:delete", MEMBER_OR_ADMIN, "Delete a server group.", ("DELETE", "/os-server-groups/{id}")),
]
