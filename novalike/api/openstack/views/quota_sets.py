"""Quota sets and quota class sets as the API shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from novalike.api.http.versions import Version
from novalike.api.openstack.pruning import Keys

_NETWORK = ("fixed_ips", "floating_ips", "security_groups", "security_group_rules")
_INJECTION = ("injected_files", "injected_file_content_bytes", "injected_file_path_bytes")
_KEYS = Keys({**dict.fromkeys(_NETWORK, (None, "2.35")), **dict.fromkeys(_INJECTION, (None, "2.56"))})
_CLASS_KEYS = Keys({
    **dict.fromkeys(_NETWORK, (None, "2.49")), **dict.fromkeys(_INJECTION, (None, "2.56")),
    "server_groups": ("2.50", None), "server_group_members": ("2.50", None),
})


def quota_set(version: Version, values: Mapping[str, Any], *, identifier: str | None = None) -> dict[str, Any]:
    """Answer limits by resource (or limit, in_use and reserved); without an id after an update."""
    return {"quota_set": _KEYS.prune(_named(values, identifier), version)}


def quota_class_set(version: Version, values: Mapping[str, Any], *, identifier: str | None = None) -> dict[str, Any]:
    """Answer the limits of the default class."""
    return {"quota_class_set": _CLASS_KEYS.prune(_named(values, identifier), version)}


def _named(values: Mapping[str, Any], identifier: str | None) -> dict[str, Any]:
    return dict(values) if identifier is None else {"id": identifier, **values}
