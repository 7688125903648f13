"""Bodies and query strings of os-hosts."""

from __future__ import annotations

from typing import Any

from novalike.api.http.query import TEXT, Parameter, Query
from novalike.api.http.schema import Field, Object

_SWITCH: dict[str, Any] = {"type": "string", "enum": ["enable", "disable", "Enable", "Disable", "ENABLE", "DISABLE"]}

UPDATE = Object({"status": Field(_SWITCH), "maintenance_mode": Field(_SWITCH)}, rules={"minProperties": 1})
LIST_QUERY = Query({"zone": Parameter(TEXT)})
