"""Bodies of createImage, createBackup, shelve, shelveOffload and unshelve."""

from __future__ import annotations

from typing import Any

from novalike.api.http.schema import Field, Object, wrapped
from novalike.api.openstack.schemas.names import NAME, WHOLE
from novalike.api.openstack.schemas.servers import METADATA

ANYTHING: dict[str, Any] = {}
CREATE_IMAGE = wrapped("createImage", Object({"name": Field(NAME, required=True), "metadata": Field(METADATA)}))
CREATE_BACKUP = wrapped("createBackup", Object({
    "name": Field(NAME, required=True),
    "backup_type": Field({"type": "string", "maxLength": 255}, required=True),
    "rotation": Field(WHOLE, required=True),
    "metadata": Field(METADATA),
}))
SHELVE = wrapped("shelve", ANYTHING)
SHELVE_OFFLOAD = wrapped("shelveOffload", ANYTHING)
UNSHELVE = Object({"unshelve": (
    Field(ANYTHING, required=True, until="2.76"),
    Field(Object({"availability_zone": Field(NAME, required=True)}, nullable=True), required=True, since="2.77", until="2.90"),
    Field(Object({
        "availability_zone": Field({**NAME, "type": ["string", "null"]}),
        "host": Field({"type": "string", "minLength": 1, "maxLength": 255}),
    }, nullable=True), required=True, since="2.91"),
)})
