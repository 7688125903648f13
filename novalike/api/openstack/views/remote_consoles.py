"""A console's URL, and what its token stands for."""

from __future__ import annotations

from typing import Any

from novalike.api.http.application import Request
from novalike.api.openstack.pruning import Keys
from novalike.objects.console import ConsoleToken

_TOKEN = Keys({"tls_port": ("2.99", None)})


def token(request: Request, found: ConsoleToken) -> dict[str, Any]:
    """Answer where the console of a token is."""
    address = found.address
    return {"console": _TOKEN.prune({
        "instance_uuid": found.instance_uuid, "host": address.host, "port": address.port, "tls_port": address.tls_port,
        "internal_access_path": address.internal_access_path,
    }, request.version)}
