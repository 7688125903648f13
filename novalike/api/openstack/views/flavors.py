"""Flavors as the API shows them."""

from __future__ import annotations

from typing import Any

from novalike.api.http.application import Request
from novalike.api.openstack.links import links
from novalike.api.openstack.pruning import Keys
from novalike.objects.flavor import Flavor

_KEYS = Keys({
    "description": ("2.55", None),
    "extra_specs": ("2.61", None),
    "rxtx_factor": (None, "2.101"),
    "OS-FLV-DISABLED:disabled": (None, "2.101"),
})
#: Before, a flavor without swap shows an empty text.
_SWAP_AS_NUMBER = (2, 75)


def brief(request: Request, flavor: Flavor) -> dict[str, Any]:
    """Answer a row of the short list."""
    shown = {
        "id": flavor.flavorid, "name": flavor.name, "description": flavor.description,
        "links": links(request, "flavors", flavor.flavorid),
    }
    return _KEYS.prune(shown, request.version)


def full(request: Request, flavor: Flavor, *, with_extra_specs: bool) -> dict[str, Any]:
    """Answer a flavor in detail; extra specs only for callers who pass their policy rule."""
    shown = {
        "id": flavor.flavorid,
        "name": flavor.name,
        "ram": flavor.memory_mb,
        "disk": flavor.root_gb,
        "swap": flavor.swap_mb if flavor.swap_mb or request.version >= _SWAP_AS_NUMBER else "",
        "OS-FLV-EXT-DATA:ephemeral": flavor.ephemeral_gb,
        "OS-FLV-DISABLED:disabled": flavor.disabled,
        "vcpus": flavor.vcpus,
        "os-flavor-access:is_public": flavor.is_public,
        "rxtx_factor": flavor.rxtx_factor,
        "links": links(request, "flavors", flavor.flavorid),
        "description": flavor.description,
    }
    if with_extra_specs:
        shown["extra_specs"] = flavor.extra_specs
    return _KEYS.prune(shown, request.version)
