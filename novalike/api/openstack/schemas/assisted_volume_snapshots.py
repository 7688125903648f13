"""Body and query string of os-assisted-volume-snapshots."""

from __future__ import annotations

from typing import Any

from novalike.api.http.query import TEXT, Parameter, Query
from novalike.api.http.schema import Field, Object, wrapped

_NOT_EMPTY: dict[str, Any] = {"type": "string", "minLength": 1}

CREATE = wrapped("snapshot", Object({
    "volume_id": Field(_NOT_EMPTY, required=True),
    "create_info": Field(Object({
        "snapshot_id": Field(_NOT_EMPTY, required=True),
        "type": Field({"type": "string", "enum": ["qcow2"]}, required=True),
        "new_file": Field(_NOT_EMPTY, required=True),
        "id": Field(_NOT_EMPTY),
    }), required=True),
}))
DELETE_QUERY = Query({"delete_info": Parameter(TEXT)}, unknown="2.75")
