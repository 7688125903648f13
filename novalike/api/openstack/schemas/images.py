"""Query strings of the image proxy. Bodies of image metadata are those of server metadata."""

from __future__ import annotations

from novalike.api.http.query import INTEGER, TEXT, Parameter, Query

LIST_QUERY = Query({
    **{name: Parameter(TEXT) for name in ("name", "status", "changes-since", "server", "type", "marker")},
    **{name: Parameter(INTEGER) for name in ("minRam", "minDisk", "limit", "page_size", "offset")},
})
