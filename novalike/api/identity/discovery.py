"""Version documents: where clients begin."""

from __future__ import annotations

from typing import Any

import orjson
from webob import Response

from novalike.api.http.application import PUBLIC, Request, Route
from novalike.api.identity.dialect import VERSION


def routes() -> list[Route]:
    """Answer the routes."""
    return [
        Route(method="GET", path="/", handler=index, rule=PUBLIC),
        Route(method="GET", path="/v3", handler=show, rule=PUBLIC),
    ]


def index(request: Request) -> Response:
    """Answer all versions: 300, as Keystone does."""
    response = Response(status=300, content_type="application/json", charset=None)
    response.body = orjson.dumps({"versions": {"values": [_version(request)]}})
    response.headers["Location"] = f"{request.base_url}/v3/"
    return response


def show(request: Request) -> dict[str, Any]:
    """Answer the one version."""
    return {"version": _version(request)}


def _version(request: Request) -> dict[str, Any]:
    major, minor = VERSION
    return {
        "id": f"v{major}.{minor}", "status": "stable", "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": f"{request.base_url}/v3/"}],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
    }
