"""Query string of /limits."""

from __future__ import annotations

from novalike.api.http.query import TEXT, Parameter, Query

QUERY = Query({"tenant_id": Parameter(TEXT)}, unknown="2.75")
