"""The Idempotency-Key header: an extension which no stock client sends."""

from __future__ import annotations

import orjson

from novalike.api.http.application import Request
from novalike.api.openstack import microversions
from novalike.api.operations import once
from novalike.db.idempotency import Key
from novalike.exception import Invalid

HEADER = "Idempotency-Key"
LONGEST = 255


def key(request: Request, operation: str) -> Key | None:
    """Answer the key of a checked request, or None. Raises Invalid for a malformed one.

    What a retry must repeat is the body (in any layout) and the microversion.
    """
    given: str | None = request.headers.get(HEADER)
    if given is None:
        return None
    if not 0 < len(given) <= LONGEST or not given.isascii() or not given.isprintable():
        raise Invalid(f"Invalid header {HEADER}: 1 to {LONGEST} printable ASCII characters are wanted.")
    body = orjson.dumps([microversions.text(request.version), request.body_value], option=orjson.OPT_SORT_KEYS)
    return once.key_of(request.context, operation, given, body)
