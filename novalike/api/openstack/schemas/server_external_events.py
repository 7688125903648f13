"""Body of os-server-external-events."""

from __future__ import annotations

from novalike.api.http.schema import Field, Object
from novalike.api.openstack.schemas.names import UUID
from novalike.api.operations import external_events as events

#: Names by the version which brought them.
_FIRST = [events.NETWORK_CHANGED, events.VIF_PLUGGED, events.VIF_UNPLUGGED, events.VIF_DELETED]
_LATER = (
    ("2.51", events.VOLUME_EXTENDED), ("2.76", events.POWER_UPDATE), ("2.82", events.ACCELERATOR_BOUND), ("2.93", events.VOLUME_REIMAGED),
)


def _names() -> tuple[Field, ...]:
    fields, names, since = [], list(_FIRST), "2.1"
    for version, name in _LATER:
        last = f"2.{int(version.partition('.')[2]) - 1}"
        fields.append(Field({"type": "string", "enum": [*names]}, required=True, since=since, until=last))
        names.append(name)
        since = version
    return (*fields, Field({"type": "string", "enum": names}, required=True, since=since))


CREATE = Object({"events": Field({"type": "array", "minItems": 1, "items": Object({
    "server_uuid": Field(UUID, required=True),
    "name": _names(),
    "status": Field({"type": "string", "enum": ["failed", "completed", "in-progress"]}),
    "tag": Field({"type": "string", "maxLength": 255}),
})}, required=True)})
