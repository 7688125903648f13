"""Bodies of a server's metadata and tags."""

from __future__ import annotations

from novalike.api.http.schema import wrapped
from novalike.api.openstack.schemas.servers import METADATA, TAGS

CREATE = UPDATE_ALL = wrapped("metadata", METADATA)
UPDATE = wrapped("meta", {**METADATA, "minProperties": 1, "maxProperties": 1})
REPLACE_TAGS = wrapped("tags", TAGS)
