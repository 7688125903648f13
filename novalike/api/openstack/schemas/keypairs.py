"""Bodies and query strings of key pairs."""

from __future__ import annotations

from typing import Any

from novalike.api.http.query import TEXT, Parameter, Query
from novalike.api.http.schema import Field, Object, wrapped
from novalike.api.openstack import paging
from novalike.api.openstack.schemas.names import NAME

#: Names come into shells, URLs and guests' metadata, so only a few characters are safe.
_SAFE_NAME: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^(?! )[a-zA-Z0-9 _-]+(?<! )$"}
_SAFE_NAME_OR_MAIL: dict[str, Any] = {**_SAFE_NAME, "pattern": r"^(?! )[a-zA-Z0-9 @._-]+(?<! )$"}
_PUBLIC_KEY: dict[str, Any] = {"type": "string", "maxLength": 65535}

CREATE = wrapped("keypair", Object({
    "name": (
        Field({**NAME, **_SAFE_NAME}, required=True, until="2.91"),
        Field(_SAFE_NAME_OR_MAIL, required=True, since="2.92"),
    ),
    "public_key": (Field(_PUBLIC_KEY, until="2.91"), Field(_PUBLIC_KEY, required=True, since="2.92")),
    "type": Field({"type": "string", "enum": ["ssh", "x509"]}, since="2.2"),
    "user_id": Field({"type": "string", "minLength": 1, "maxLength": 64}, since="2.10"),
}))

_USER = {"user_id": Parameter(TEXT, since="2.10")}
LIST_QUERY = Query({**_USER, **paging.parameters(since="2.35")}, unknown="2.75")
ONE_QUERY = Query(_USER, unknown="2.75")
