"""Snapshots of volumes which are files, asked for by the volume service."""

from __future__ import annotations

from novalike.policies.base import SERVICE_OR_ADMIN, operation

_RULE, _PATH = "os_compute_api:os-assisted-volume-snapshots", "/os-assisted-volume-snapshots"
RULES = [
    operation(f"{_RULE}:create", SERVICE_OR_ADMIN, "Snapshot a volume by its hypervisor.", ("POST", _PATH)),
    operation(f"{_RULE}:delete", SERVICE_OR_ADMIN, "Merge a snapshot by its hypervisor.", ("DELETE", f"{_PATH}/{{id}}")),
]
