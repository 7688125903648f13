"""Paging of lists: `limit` and `marker`, and the link to the next page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from novalike.api.http.application import Request
from novalike.api.http.query import INTEGER, TEXT, Parameter
from novalike.api.openstack.links import next_page


def parameters(since: str | None = None) -> dict[str, Parameter]:
    """Answer the query parameters of a paged list."""
    return {"limit": Parameter(INTEGER, since=since), "marker": Parameter(TEXT, since=since)}


def limit(request: Request, maximum: int) -> int:
    """Answer how many rows to show: what was asked for, at most `maximum` ([api]max_limit)."""
    asked = request.param("limit")
    return maximum if asked is None else min(int(asked), maximum)


def add_next(request: Request, answer: dict[str, Any], name: str, shown: Sequence[Any], shown_limit: int, marker: str | None) -> None:
    """Add `<name>_links` when the page is full, so that there may be another; `marker` is the last item's id."""
    if shown and len(shown) >= shown_limit and marker is not None:
        answer[f"{name}_links"] = next_page(request, _collection(request), marker)


def _collection(request: Request) -> str:
    return request.route.path.strip("/").format(**request.path_args)
