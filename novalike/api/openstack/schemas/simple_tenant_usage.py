"""Query strings of usage reports."""

from __future__ import annotations

from novalike.api.http.query import TEXT, Parameter, Query
from novalike.api.openstack import paging

_PERIOD = {"start": Parameter(TEXT), "end": Parameter(TEXT), **paging.parameters(since="2.40")}
LIST_QUERY = Query({**_PERIOD, "detailed": Parameter(TEXT)}, unknown="2.75")
SHOW_QUERY = Query(_PERIOD, unknown="2.75")
