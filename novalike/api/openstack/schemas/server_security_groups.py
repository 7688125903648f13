"""Bodies of addSecurityGroup and removeSecurityGroup."""

from __future__ import annotations

from novalike.api.http.schema import Field, Object

_NAMED = Object({"name": Field({"type": "string", "minLength": 1, "maxLength": 255}, required=True)})
ADD = Object({"addSecurityGroup": Field(_NAMED, required=True)}, extra=True)
REMOVE = Object({"removeSecurityGroup": Field(_NAMED, required=True)}, extra=True)
