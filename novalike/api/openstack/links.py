"""Links in answers: `self` with the version in it, `bookmark` without, `next` to the following page."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote, urlencode

from novalike.api.http.application import Request


def links(request: Request, collection: str, identifier: str) -> list[dict[str, str]]:
    """Answer the self and bookmark links of one resource of a collection ("servers", say)."""
    path = _path(request, collection, identifier)
    base = request.base_url
    return [{"rel": "self", "href": f"{base}/{path}"}, {"rel": "bookmark", "href": f"{_unversioned(base)}/{path}"}]


def bookmark(request: Request, collection: str, identifier: str) -> list[dict[str, str]]:
    """Answer only the bookmark link, as a server's image and flavor have it."""
    return [{"rel": "bookmark", "href": f"{_unversioned(request.base_url)}/{_path(request, collection, identifier)}"}]


def next_page(request: Request, collection: str, marker: str) -> list[dict[str, str]]:
    """Answer the link to the page after `marker`, with all parameters of this request."""
    parameters = [(name, value) for name, value in request.GET.items() if name != "marker"]
    query = urlencode([*parameters, ("marker", marker)])
    return [{"rel": "next", "href": f"{request.base_url}/{_path(request, collection)}?{query}"}]


def _path(request: Request, *parts: str) -> str:
    project = getattr(request, "project_in_path", None)
    return "/".join(quote(part, safe="/") for part in _given((project, *parts)))


def _given(parts: Iterable[str | None]) -> Iterable[str]:
    return (part for part in parts if part)


def _unversioned(base: str) -> str:
    head, slash, last = base.rpartition("/")
    return head if slash and last in {"v2", "v2.1"} else base
