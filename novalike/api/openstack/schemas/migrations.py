"""Query strings of os-migrations and of a server's migrations."""

from __future__ import annotations

from typing import Any

from novalike.api.http.query import INTEGER, TEXT, Parameter, Query
from novalike.api.openstack.schemas.names import UUID

_PROJECT: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 255}
LIST_QUERY = Query({
    **{name: Parameter(TEXT) for name in ("hidden", "host", "instance_uuid", "source_compute", "status", "migration_type")},
    "limit": Parameter(INTEGER, many=False, since="2.59"),
    "marker": Parameter(UUID, many=False, since="2.59"),
    "changes-since": Parameter(TEXT, many=False, since="2.59"),
    "changes-before": Parameter(TEXT, many=False, since="2.66"),
    "user_id": Parameter(_PROJECT, many=False, since="2.80"),
    "project_id": Parameter(_PROJECT, many=False, since="2.80"),
}, unknown="2.59")
NO_QUERY = Query({}, unknown="2.102")
