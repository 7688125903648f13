"""Bodies of addSecurityGroup and removeSecurityGroup."""

from __future__ import annotations

from novalike.api.http.schema import Field, Object, wrapped

_NAMED = Object({"name": Field({"type": "string", "minLength": 1, "maxLength": 255}, required=True)}, extra=True)
ADD = wrapped("addSecurityGroup", _NAMED)
REMOVE = wrapped("removeSecurityGroup", _NAMED)
