"""Links in answers: `self` with the version in it, `bookmark` without, `next` to the following page."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import quote, urlencode

from novalike.api.http.application import Request

_KEY = "novalike.link_starts"


def links(request: Request, collection: str, identifier: str) -> list[dict[str, str]]:
    """Answer the self and bookmark links of one resource of a collection ("servers", say)."""
    base, unversioned = _starts(request)
    path = f"{collection}/{_quoted(identifier)}"
    return [{"rel": "self", "href": base + path}, {"rel": "bookmark", "href": unversioned + path}]


def bookmark(request: Request, collection: str, identifier: str) -> list[dict[str, str]]:
    """Answer only the bookmark link, as a server's image and flavor have it."""
    return [{"rel": "bookmark", "href": f"{_starts(request)[1]}{collection}/{_quoted(identifier)}"}]


def next_page(request: Request, collection: str, marker: str) -> list[dict[str, str]]:
    """Answer the link to the page after `marker`, with all parameters of this request."""
    parameters = [(name, value) for name, value in request.GET.items() if name != "marker"]
    query = urlencode([*parameters, ("marker", marker)])
    return [{"rel": "next", "href": f"{_starts(request)[0]}{collection}?{query}"}]


def _starts(request: Request) -> tuple[str, str]:
    """Answer what links of this request begin with, with and without the version; made once per request."""
    made: tuple[str, str] | None = request.environ.get(_KEY)
    if made is None:
        base, project = request.base_url, getattr(request, "project_in_path", None)
        within = f"{quote(project)}/" if project else ""
        made = request.environ[_KEY] = (f"{base}/{within}", f"{_unversioned(base)}/{within}")
    return made


@lru_cache(maxsize=4096)
def _quoted(identifier: str) -> str:
    return quote(identifier)


def _unversioned(base: str) -> str:
    head, slash, last = base.rpartition("/")
    return head if slash and last in {"v2", "v2.1"} else base
