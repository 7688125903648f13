"""Server groups as the API shows them."""

from __future__ import annotations

from typing import Any

from novalike.api.http.versions import Version
from novalike.api.openstack.pruning import Keys
from novalike.objects.server_group import ServerGroup

_KEYS = Keys({
    "project_id": ("2.13", None), "user_id": ("2.13", None), "policy": ("2.64", None), "rules": ("2.64", None),
    "policies": (None, "2.63"), "metadata": (None, "2.63"),
})


def full(version: Version, group: ServerGroup) -> dict[str, Any]:
    """Answer a server group. `metadata` never held anything."""
    return _KEYS.prune({
        "id": group.uuid, "name": group.name, "members": list(group.members), "project_id": group.project_id,
        "user_id": group.user_id, "policy": group.policy, "rules": dict(group.rules), "policies": [group.policy], "metadata": {},
    }, version)
