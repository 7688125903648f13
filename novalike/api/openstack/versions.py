"""The roots of the Compute API: which versions there are. Nobody needs a token to ask."""

from __future__ import annotations

from typing import Any

import orjson
from webob import Request, Response

from novalike.api.openstack import microversions

_MEDIA_TYPE = "application/vnd.openstack.compute+json;version="
#: Path below the root -> (id, status, updated, whether it has microversions).
VERSIONS = {
    "v2": ("v2.0", "DEPRECATED", "2011-01-21T11:33:21Z", False),
    "v2.1": ("v2.1", "CURRENT", "2013-07-23T11:33:21Z", True),
}


def index(base: str) -> Response:
    """Answer the list of versions, for GET /."""
    return _answer(200, {"versions": [{**_summary(name), "links": [_self(base, name)]} for name in VERSIONS]})


def choices(request: Request, base: str) -> Response:
    """Answer 300 with where an unknown path could be meant to lead."""
    rest = request.path_info.strip("/")
    return _answer(300, {"choices": [
        {
            "id": identifier, "status": status, "links": [{"rel": "self", "href": f"{base}/{name}/{rest}"}],
            "media-types": _media_types(identifier),
        } for name, (identifier, status, _, _) in VERSIONS.items()
    ]})


def show(name: str, base: str) -> Response:
    """Answer the document of one version (`v2` or `v2.1`)."""
    return _answer(200, {"version": {
        **_summary(name),
        "links": [_self(base, name), {"rel": "describedby", "type": "text/html", "href": "http://docs.openstack.org/"}],
        "media-types": _media_types(VERSIONS[name][0]),
    }})


def named(identifier: str) -> str | None:
    """Answer the path of a version given by its id (`v2.0`) or path (`v2`); None for another."""
    return next((name for name, row in VERSIONS.items() if identifier in {name, row[0]}), None)


def _summary(name: str) -> dict[str, Any]:
    identifier, status, updated, has_microversions = VERSIONS[name]
    return {
        "id": identifier, "status": status, "updated": updated,
        "version": microversions.text(microversions.MAXIMUM) if has_microversions else "",
        "min_version": microversions.text(microversions.MINIMUM) if has_microversions else "",
    }


def _self(base: str, name: str) -> dict[str, str]:
    return {"rel": "self", "href": f"{base}/{name}/"}


def _media_types(identifier: str) -> list[dict[str, str]]:
    return [{"base": "application/json", "type": f"{_MEDIA_TYPE}{identifier[1:].removesuffix('.0')}"}]


def _answer(status: int, content: dict[str, Any]) -> Response:
    return Response(status=status, content_type="application/json", charset=None, body=orjson.dumps(content))
