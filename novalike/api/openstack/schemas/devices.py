"""Bodies and query strings of a server's ports and volumes."""

from __future__ import annotations

from typing import Any

from novalike.api.http.query import INTEGER, Parameter, Query
from novalike.api.http.schema import Field, Object, wrapped
from novalike.api.openstack.schemas.names import BOOLEAN, UUID
from novalike.api.openstack.schemas.servers import TAG

_ADDRESS: dict[str, Any] = {"type": "string", "format": "ip"}
_DEVICE: dict[str, Any] = {
    "type": ["string", "null"], "maxLength": 255, "pattern": r"(^/dev/x{0,1}[a-z]{0,1}d{0,1})([a-z]+)[0-9]*$",
}
_TEXT: dict[str, Any] = {"type": ["string", "null"], "maxLength": 255}

#: An empty body asks for a port of the only network there is.
ATTACH_INTERFACE = Object({"interfaceAttachment": Field(Object({
    "net_id": Field(UUID),
    "port_id": Field(UUID),
    "fixed_ips": Field({
        "type": "array", "minItems": 1, "maxItems": 1, "items": Object({"ip_address": Field(_ADDRESS, required=True)}),
    }),
    "tag": Field(TAG, since="2.49"),
}))})

ATTACH_VOLUME = wrapped("volumeAttachment", Object({
    "volumeId": Field(UUID, required=True),
    "device": Field(_DEVICE),
    "tag": Field(TAG, since="2.49"),
    "delete_on_termination": Field(BOOLEAN, since="2.79"),
}))
UPDATE_VOLUME = wrapped("volumeAttachment", Object({
    "volumeId": Field(UUID, required=True),
    "device": Field(_DEVICE, since="2.85"),
    "tag": Field({**_TEXT}, since="2.85"),
    "delete_on_termination": Field(BOOLEAN, since="2.85"),
    "serverId": Field(UUID, since="2.85"),
    "id": Field(UUID, since="2.85"),
}))
LIST_VOLUMES = Query({"limit": Parameter(INTEGER), "offset": Parameter(INTEGER)}, unknown="2.75")
