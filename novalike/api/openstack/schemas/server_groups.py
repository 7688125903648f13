"""Query strings of server groups."""

from __future__ import annotations

from novalike.api.http.query import INTEGER, TEXT, Parameter, Query

LIST_QUERY = Query({
    "all_projects": Parameter(TEXT), "limit": Parameter(INTEGER), "offset": Parameter(INTEGER),
}, unknown="2.75")
NO_QUERY = Query({}, unknown="2.102")
