"""Ports and volumes of servers, and what their guests count."""

from __future__ import annotations

from novalike.policies.base import ADMIN, MEMBER_OR_ADMIN, READER_OR_ADMIN, SERVICE_OR_ADMIN, operation

_API = "os_compute_api"
_INTERFACES = "/servers/{server_id}/os-interface"
_VOLUMES = "/servers/{server_id}/os-volume_attachments"

RULES = [
    operation(f"{_API}:os-attach-interfaces:list", READER_OR_ADMIN, "List a server's ports.", ("GET", _INTERFACES)),
    operation(
        f"{_API}:os-attach-interfaces:show", READER_OR_ADMIN, "Show a port of a server.", ("GET", f"{_INTERFACES}/{{port_id}}"),
    ),
    operation(f"{_API}:os-attach-interfaces:create", MEMBER_OR_ADMIN, "Attach a port to a server.", ("POST", _INTERFACES)),
    operation(
        f"{_API}:os-attach-interfaces:delete", MEMBER_OR_ADMIN, "Detach a port from a server.",
        ("DELETE", f"{_INTERFACES}/{{port_id}}"),
    ),
    operation(f"{_API}:os-volumes-attachments:index", READER_OR_ADMIN, "List a server's volumes.", ("GET", _VOLUMES)),
    operation(
        f"{_API}:os-volumes-attachments:show", READER_OR_ADMIN, "Show a volume of a server.", ("GET", f"{_VOLUMES}/{{volume_id}}"),
    ),
    operation(f"{_API}:os-volumes-attachments:create", MEMBER_OR_ADMIN, "Attach a volume to a server.", ("POST", _VOLUMES)),
    operation(
        f"{_API}:os-volumes-attachments:update", MEMBER_OR_ADMIN, "Say whether a volume is deleted with its server (2.85).",
        ("PUT", f"{_VOLUMES}/{{volume_id}}"),
    ),
    operation(
        f"{_API}:os-volumes-attachments:swap", SERVICE_OR_ADMIN, "Put another volume in the place of an attached one.",
        ("PUT", f"{_VOLUMES}/{{volume_id}}"),
    ),
    operation(
        f"{_API}:os-volumes-attachments:update_or_swap",
        f"rule:{_API}:os-volumes-attachments:update or rule:{_API}:os-volumes-attachments:swap",
        "Either of both: which one it is stands in the body.", ("PUT", f"{_VOLUMES}/{{volume_id}}"),
    ),
    operation(
        f"{_API}:os-volumes-attachments:delete", MEMBER_OR_ADMIN, "Detach a volume from a server.",
        ("DELETE", f"{_VOLUMES}/{{volume_id}}"),
    ),
    operation(
        f"{_API}:os-server-diagnostics", ADMIN, "See what a server's guest counts.", ("GET", "/servers/{server_id}/diagnostics"),
    ),
]
