"""Bodies and query strings of os-services, os-hypervisors and os-availability-zone."""

from __future__ import annotations

from typing import Any

from novalike.api.http.query import TEXT, Parameter, Query
from novalike.api.http.schema import Field, Object
from novalike.api.openstack import paging
from novalike.api.openstack.schemas.names import BOOLEAN, HOSTNAME

_REASON: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 255}
_OLD = {"host": Field(HOSTNAME, required=True), "binary": Field({"type": "string", "minLength": 1, "maxLength": 255}, required=True)}

#: Until 2.52: the word which says what to do is in the path.
OLD_UPDATE = Object(_OLD)
OLD_DISABLE_WITH_REASON = Object({**_OLD, "disabled_reason": Field(_REASON, required=True)})
OLD_FORCE_DOWN = Object({**_OLD, "forced_down": Field(BOOLEAN, required=True)})
#: From 2.53 on.
UPDATE = Object({
    "status": Field({"type": "string", "enum": ["enabled", "disabled"]}),
    "disabled_reason": Field(_REASON),
    "forced_down": Field(BOOLEAN),
})
SERVICES_QUERY = Query({"host": Parameter(TEXT), "binary": Parameter(TEXT)}, unknown="2.75")

_WITH_SERVERS = {"with_servers": Parameter(BOOLEAN, many=False, since="2.53")}
HYPERVISORS_QUERY = Query({
    **paging.parameters(since="2.33"),
    "hypervisor_hostname_pattern": Parameter(HOSTNAME, many=False, since="2.53"),
    **_WITH_SERVERS,
}, unknown="2.53")
HYPERVISOR_QUERY = Query(_WITH_SERVERS, unknown="2.53")
NO_QUERY = Query({}, unknown="2.102")
