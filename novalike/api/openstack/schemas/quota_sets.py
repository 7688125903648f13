"""Bodies and query strings of quota sets and quota class sets."""

from __future__ import annotations

from typing import Any

from novalike.api.http.query import TEXT, Parameter, Query
from novalike.api.http.schema import Field, Object, wrapped
from novalike.api.openstack.schemas.names import BOOLEAN, WHOLE

_NETWORK = ("fixed_ips", "floating_ips", "networks", "security_groups", "security_group_rules")
_INJECTION = ("injected_files", "injected_file_content_bytes", "injected_file_path_bytes")
_ALWAYS = ("instances", "cores", "ram", "metadata_items", "key_pairs", "server_groups", "server_group_members")


def _limits(last_with_network: str) -> dict[str, Any]:
    return {
        **{name: Field(WHOLE) for name in _ALWAYS},
        **{name: Field(WHOLE, until=last_with_network) for name in _NETWORK},
        **{name: Field(WHOLE, until="2.56") for name in _INJECTION},
    }


UPDATE = wrapped("quota_set", Object({**_limits("2.35"), "force": Field(BOOLEAN)}))
UPDATE_CLASS = wrapped("quota_class_set", Object(_limits("2.49")))

QUERY = Query({"user_id": Parameter(TEXT)}, unknown="2.75")
NO_QUERY = Query({}, unknown="2.102")
