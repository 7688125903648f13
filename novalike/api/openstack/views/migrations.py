"""Records of moves as the API shows them."""

from __future__ import annotations

from typing import Any

from novalike.api.http.application import Request
from novalike.api.openstack.links import links
from novalike.api.openstack.pruning import Keys
from novalike.api.openstack.views.times import iso
from novalike.objects.migration import Migration

_KEYS = Keys({
    "migration_type": ("2.23", None), "links": ("2.23", None), "uuid": ("2.59", None), "project_id": ("2.80", None),
    "user_id": ("2.80", None),
})
#: While in one of these, a live migration is also found below its server.
RUNNING = frozenset({"queued", "preparing", "running", "post-migrating"})


def full(request: Request, move: Migration, *, with_hosts: bool) -> dict[str, Any]:
    """Answer a row of the list; hosts show as null to callers who may not know them."""
    shown: dict[str, Any] = {
        "id": move.id, "uuid": move.uuid, "instance_uuid": move.instance_uuid, "status": move.status,
        "migration_type": move.migration_type, "old_instance_type_id": move.old_flavor_id,
        "new_instance_type_id": move.new_flavor_id, "project_id": move.project_id, "user_id": move.user_id,
        "created_at": iso(move.created_at), "updated_at": iso(move.updated_at), **_hosts(move, with_hosts=with_hosts),
    }
    if move.migration_type == "live-migration" and move.status in RUNNING:
        shown["links"] = links(request, f"servers/{move.instance_uuid}/migrations", str(move.id))
    return _KEYS.prune(shown, request.version)


def of_server(request: Request, move: Migration, *, with_hosts: bool) -> dict[str, Any]:
    """Answer a running live migration as its server's own resource shows it. How far it is nobody has measured yet."""
    shown: dict[str, Any] = {
        "id": move.id, "uuid": move.uuid, "server_uuid": move.instance_uuid, "status": move.status, "project_id": move.project_id,
        "user_id": move.user_id, "created_at": iso(move.created_at), "updated_at": iso(move.updated_at),
        **_hosts(move, with_hosts=with_hosts),
        **{f"{what}_{part}_bytes": None for what in ("memory", "disk") for part in ("total", "processed", "remaining")},
    }
    return _KEYS.prune(shown, request.version)


def _hosts(move: Migration, *, with_hosts: bool) -> dict[str, str | None]:
    return {
        "source_compute": move.source_host if with_hosts else None,
        "source_node": move.source_node if with_hosts else None,
        "dest_compute": move.dest_host if with_hosts else None,
        "dest_node": move.dest_node if with_hosts else None,
        "dest_host": move.dest_address if with_hosts else None,
    }
