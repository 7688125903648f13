"""Body of injectNetworkInfo, whose value says nothing."""

from __future__ import annotations

from novalike.api.http.schema import wrapped

INJECT = wrapped("injectNetworkInfo", {})
