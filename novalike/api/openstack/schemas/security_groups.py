"""Bodies and query string of security groups and their rules, until 2.35."""

from __future__ import annotations

from novalike.api.http.query import INTEGER, TEXT, Parameter, Query
from novalike.api.http.schema import Field, Object, wrapped

_NAME = {"type": "string", "minLength": 1, "maxLength": 255}
_NUMBER = {"type": ["integer", "string", "null"], "pattern": "^-?[0-9]{1,6}$"}
_TEXT = {"type": ["string", "null"], "maxLength": 64}

GROUP = wrapped("security_group", Object({
    "name": Field(_NAME, required=True), "description": Field({"type": "string", "maxLength": 255}, required=True),
}, extra=True))
RULE = wrapped("security_group_rule", Object({
    "parent_group_id": Field({"type": "string", "maxLength": 64}, required=True), "group_id": Field({**_TEXT, "minLength": 1}), "cidr": Field(_TEXT),
    "ip_protocol": Field(_TEXT), "from_port": Field(_NUMBER), "to_port": Field(_NUMBER),
}, extra=True))
LIST_QUERY = Query({"limit": Parameter(INTEGER), "offset": Parameter(INTEGER), "all_tenants": Parameter(TEXT)})
