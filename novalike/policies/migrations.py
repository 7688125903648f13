"""Records of moves: of one's own project for its managers, of all for administrators."""

from __future__ import annotations

from novalike.policies.base import ADMIN, MANAGER_OR_ADMIN, operation

_RULE, _LIST = "os_compute_api:os-migrations", ("GET", "/os-migrations")
_SERVER, _OF_SERVER = "os_compute_api:servers:migrations", "/servers/{server_id}/migrations"
RULES = [
    operation(f"{_RULE}:index", MANAGER_OR_ADMIN, "List migrations.", _LIST),
    operation(f"{_RULE}:index:all_projects", ADMIN, "List those of all projects, or of another.", _LIST),
    operation(f"{_RULE}:index:host", ADMIN, "Show between which hosts.", _LIST),
    operation(f"{_SERVER}:index", MANAGER_OR_ADMIN, "List the live migrations of a server.", ("GET", _OF_SERVER)),
    operation(f"{_SERVER}:index:host", ADMIN, "Show between which hosts they go.", ("GET", _OF_SERVER)),
    operation(f"{_SERVER}:show", ADMIN, "Show a live migration of a server.", ("GET", f"{_OF_SERVER}/{{id}}")),
]
