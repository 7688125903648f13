"""The password which a server's guest made and encrypted for its user."""

from __future__ import annotations

from novalike.policies.base import MEMBER_OR_ADMIN, READER_OR_ADMIN, operation

_BASE = "os_compute_api:os-server-password"
_PATH = "/servers/{server_id}/os-server-password"

RULES = [
    operation(f"{_BASE}:show", READER_OR_ADMIN, "Show the encrypted password of a server.", ("GET", _PATH)),
    operation(f"{_BASE}:clear", MEMBER_OR_ADMIN, "Forget the encrypted password of a server.", ("DELETE", _PATH)),
]
