"""Bodies of host aggregates."""

from __future__ import annotations

from typing import Any

from novalike.api.http.query import Query
from novalike.api.http.schema import Field, Object, wrapped
from novalike.api.openstack.schemas.names import HOSTNAME, METADATA_OR_NULL, NAME, UUID

_ZONE: dict[str, Any] = {**NAME, "type": ["string", "null"]}

CREATE = wrapped("aggregate", Object({"name": Field(NAME, required=True), "availability_zone": Field(_ZONE)}))
UPDATE = wrapped("aggregate", Object({"name": Field(NAME), "availability_zone": Field(_ZONE)}, rules={"minProperties": 1}))
_HOST = Object({"host": Field(HOSTNAME, required=True)})
ADD_HOST = wrapped("add_host", _HOST)
REMOVE_HOST = wrapped("remove_host", _HOST)
SET_METADATA = wrapped("set_metadata", Object({"metadata": Field(METADATA_OR_NULL, required=True)}))
IMAGES = Object({"cache": Field(
    {"type": "array", "minItems": 1, "items": Object({"id": Field(UUID, required=True)})}, required=True,
)})
NO_QUERY = Query({}, unknown="2.102")
