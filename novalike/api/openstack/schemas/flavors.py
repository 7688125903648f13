"""Bodies and query strings of flavors, their access lists and extra specs."""

from __future__ import annotations

from typing import Any

from novalike.api.http.query import TEXT, Parameter, Query
from novalike.api.http.schema import Field, Object, wrapped
from novalike.api.openstack import paging
from novalike.api.openstack.schemas.names import BOOLEAN, DESCRIPTION, NAME, PROJECT_ID, WHOLE

_ID: dict[str, Any] = {
    "type": ["string", "number", "null"], "minLength": 1, "maxLength": 255, "pattern": r"^(?! )[a-zA-Z0-9. _-]+(?<! )$",
}
_FACTOR: dict[str, Any] = {
    "type": ["number", "string"], "pattern": r"^[0-9]{1,30}(\.[0-9]{1,30})?$", "exclusiveMinimum": 0, "maximum": 3.40282e38,
}

CREATE = wrapped("flavor", Object({
    "name": Field(NAME, required=True),
    "id": Field(_ID),
    "ram": Field(WHOLE, required=True),
    "vcpus": Field(WHOLE, required=True),
    "disk": Field(WHOLE, required=True),
    "OS-FLV-EXT-DATA:ephemeral": Field(WHOLE),
    "swap": Field(WHOLE),
    "rxtx_factor": Field(_FACTOR, until="2.101"),
    "os-flavor-access:is_public": Field(BOOLEAN),
    "description": Field(DESCRIPTION, since="2.55"),
}))
UPDATE = wrapped("flavor", Object({"description": Field(DESCRIPTION, required=True)}))

LIST_QUERY = Query({
    **paging.parameters(),
    "is_public": Parameter(TEXT),
    "minRam": Parameter(TEXT),
    "minDisk": Parameter(TEXT),
    "sort_key": Parameter(TEXT),
    "sort_dir": Parameter(TEXT),
    "name": Parameter(TEXT, since="2.102"),
}, unknown="2.75")
#: GET of one flavor, its extra specs or its access list takes no parameters.
NO_QUERY = Query({}, unknown="2.102")

_TENANT = Object({"tenant": Field(PROJECT_ID, required=True)})
ADD_ACCESS = wrapped("addTenantAccess", _TENANT)
REMOVE_ACCESS = wrapped("removeTenantAccess", _TENANT)

#: Numbers are accepted as values, and stored as text.
_SPECS: dict[str, Any] = {
    "type": "object", "additionalProperties": False, "maxProperties": 1000,
    "patternProperties": {r"^[a-zA-Z0-9-_:. ]{1,255}$": {"type": ["string", "number"], "maxLength": 255}},
}
SET_SPECS = wrapped("extra_specs", _SPECS)
SET_ONE_SPEC = Object(
    {}, patterns=_SPECS["patternProperties"], rules={"minProperties": 1, "maxProperties": 1},
)
