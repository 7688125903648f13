"""Query string of a server's action log."""

from __future__ import annotations

from novalike.api.http.query import INTEGER, TEXT, Parameter, Query

_TIME = {"type": "string", "maxLength": 64}
LIST = Query({
    "limit": Parameter(INTEGER, many=False, since="2.58"),
    "marker": Parameter(TEXT, many=False, since="2.58"),
    "changes-since": Parameter(_TIME, many=False, since="2.58"),
    "changes-before": Parameter(_TIME, many=False, since="2.66"),
}, unknown="2.58")
