"""Services as the API shows them, under Nova's names: clients look for "nova-compute"."""

from __future__ import annotations

from typing import Any

from novalike.api.http.versions import Version
from novalike.api.openstack.pruning import Keys
from novalike.api.openstack.views.times import iso
from novalike.objects.host import Service

#: From here on services and hypervisors go by uuid.
BY_UUID = (2, 53)
_KEYS = Keys({"forced_down": ("2.11", None)})
_OURS, _NOVAS = "novalike-", "nova-"


def shown_binary(binary: str) -> str:
    """Answer Nova's name of a daemon of ours."""
    return binary.replace(_OURS, _NOVAS, 1) if binary.startswith(_OURS) else binary


def stored_binary(binary: str) -> str:
    """Answer our name of a daemon, given as Nova's or as ours."""
    return binary.replace(_NOVAS, _OURS, 1) if binary.startswith(_NOVAS) else binary


def status(service: Service) -> str:
    """Answer whether new servers may come."""
    return "disabled" if service.disabled else "enabled"


def state(service: Service) -> str:
    """Answer whether it lives."""
    return "up" if service.up else "down"


def full(version: Version, service: Service) -> dict[str, Any]:
    """Answer a row of the list."""
    return _KEYS.prune({
        "id": service.uuid if version >= BY_UUID else service.id,
        "binary": shown_binary(service.binary),
        "host": service.host,
        "zone": service.availability_zone,
        "status": status(service),
        "state": state(service),
        "updated_at": iso(service.updated_at),
        "disabled_reason": service.disabled_reason,
        "forced_down": service.forced_down,
    }, version)
