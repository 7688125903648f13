"""Bodies of the proxies of fixed and floating addresses."""

from __future__ import annotations

from novalike.api.http.schema import Field, Object, wrapped

_ADDRESS = {"type": "string", "anyOf": [{"format": "ip"}]}
_IPV4 = {"type": "string", "format": "ipv4"}

ADD_FLOATING = wrapped("addFloatingIp", Object({"address": Field(_IPV4, required=True), "fixed_address": Field(_IPV4)}))
REMOVE_FLOATING = wrapped("removeFloatingIp", Object({"address": Field(_IPV4, required=True)}))
ADD_FIXED = wrapped("addFixedIp", Object({"networkId": Field({"type": ["string", "integer"], "minLength": 1, "maxLength": 36}, required=True)}))
REMOVE_FIXED = wrapped("removeFixedIp", Object({"address": Field(_ADDRESS, required=True)}))
CREATE_FLOATING = Object({"pool": Field({"type": ["string", "null"], "maxLength": 255})}, extra=True)
