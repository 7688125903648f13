"""Bodies and query strings of server groups."""

from __future__ import annotations

from typing import Any

from novalike.api.http.query import INTEGER, TEXT, Parameter, Query
from novalike.api.http.schema import Field, Object, wrapped
from novalike.api.openstack.schemas.names import NAME
from novalike.objects.server_group import AFFINITY, ANTI_AFFINITY, MAX_PER_HOST, SOFT_AFFINITY, SOFT_ANTI_AFFINITY

_HARD = [ANTI_AFFINITY, AFFINITY]
_ALL = [*_HARD, SOFT_ANTI_AFFINITY, SOFT_AFFINITY]


def _one_of(policies: list[str]) -> dict[str, Any]:
    return {"type": "array", "minItems": 1, "maxItems": 1, "items": {"type": "string", "enum": policies}}


CREATE = wrapped("server_group", Object({
    "name": Field(NAME, required=True),
    "policies": (
        Field(_one_of(_HARD), required=True, until="2.14"), Field(_one_of(_ALL), required=True, since="2.15", until="2.63"),
    ),
    "policy": Field({"type": "string", "enum": _ALL}, required=True, since="2.64"),
    "rules": Field(Object({
        MAX_PER_HOST: Field({"type": ["integer", "string"], "pattern": "^[0-9]{1,10}$", "minimum": 1}),
    }), since="2.64"),
}))

LIST_QUERY = Query({
    "all_projects": Parameter(TEXT), "limit": Parameter(INTEGER), "offset": Parameter(INTEGER),
}, unknown="2.75")
NO_QUERY = Query({}, unknown="2.102")
