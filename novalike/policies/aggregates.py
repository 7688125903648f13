"""Host aggregates: for administrators."""

from __future__ import annotations

from novalike.policies.base import ADMIN, operation

_RULE = "os_compute_api:os-aggregates"
RULES = [
    operation(f"{_RULE}:index", ADMIN, "List aggregates.", ("GET", "/os-aggregates")),
    operation(f"{_RULE}:create", ADMIN, "Create an aggregate.", ("POST", "/os-aggregates")),
    operation(f"{_RULE}:show", ADMIN, "Show an aggregate.", ("GET", "/os-aggregates/{id}")),
    operation(f"{_RULE}:update", ADMIN, "Change an aggregate's name or zone.", ("PUT", "/os-aggregates/{id}")),
    operation(f"{_RULE}:delete", ADMIN, "Delete an aggregate.", ("DELETE", "/os-aggregates/{id}")),
    operation(f"{_RULE}:add_host", ADMIN, "Put a host into an aggregate.", ("POST", "/os-aggregates/{id}/action (add_host)")),
    operation(
        f"{_RULE}:remove_host", ADMIN, "Take a host out of an aggregate.", ("POST", "/os-aggregates/{id}/action (remove_host)"),
    ),
    operation(
        f"{_RULE}:set_metadata", ADMIN, "Set an aggregate's metadata.", ("POST", "/os-aggregates/{id}/action (set_metadata)"),
    ),
    operation(
        "compute:aggregates:images", ADMIN, "Have the hosts of an aggregate fetch images.", ("POST", "/os-aggregates/{id}/images"),
    ),
]
