"""The local image service's API: Glance v2 as stock clients use it."""

from __future__ import annotations

from typing import Any

import orjson
from webob import Response

from novalike.api.http.application import PUBLIC, Application, Request, Route
from novalike.api.image import schemas
from novalike.api.image.dialect import VERSION, ImageDialect
from novalike.api.image.files import Files
from novalike.api.image.images import Images, Members
from novalike.api.services import ApiServices
from novalike.image.local.service import LocalImages


def application(services: ApiServices) -> Application:
    """Build the API over `services.local["image"]`. It expects the authentication middleware around it.

    Raises ValueError when a route names an unknown policy rule.
    """
    images: LocalImages = services.local["image"]
    routes = [
        Route(method="GET", path="/", handler=lambda request: _versions(request, 300), rule=PUBLIC),
        Route(method="GET", path="/versions", handler=lambda request: _versions(request, 200), rule=PUBLIC),
        *schemas.routes(images.section), *Images(images).routes(), *Members(images).routes(), *Files(images).routes(),
    ]
    return Application(
        "image", routes, dialect=ImageDialect(), enforcer=services.enforcer, link_prefix=services.conf.image.public_endpoint, exact=True,
    )


def _versions(request: Request, status: int) -> Response:
    """Answer the version document: v2 up to VERSION, the newest current."""
    major, newest = VERSION
    link = [{"rel": "self", "href": f"{request.base_url}/v{major}/"}]
    versions: list[dict[str, Any]] = [
        {"id": f"v{major}.{minor}", "status": "CURRENT" if minor == newest else "SUPPORTED", "links": link}
        for minor in range(newest, -1, -1) if minor != 8  # v2.8 means several stores, which are not here
    ]
    response = Response(status=status, content_type="application/json", charset=None)
    response.body = orjson.dumps({"versions": versions})
    return response
