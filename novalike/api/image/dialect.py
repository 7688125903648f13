"""How Glance speaks: no microversions; errors as web pages, or as JSON to clients which ask for it."""

from __future__ import annotations

from webob import Response
from webob import exc as http

from novalike.api.http.application import MethodNotAllowed, Request
from novalike.api.http.dialect import OneVersion
from novalike.api.http.versions import Version

#: The newest minor version of v2 whose features are here.
VERSION: Version = (2, 9)


class ImageDialect(OneVersion):
    """Implements api.http.application.Dialect."""

    version = VERSION

    def fault(self, request: Request, code: int, message: str, error: Exception | None) -> Response:
        """Render an error."""
        page = http.status_map.get(code, http.HTTPInternalServerError)(message)
        response = Response(status=page.status)
        # A page by default: openstacksdk sends an empty Accept with uploads, and finds the reason only in these two.
        if "application/json" in request.headers.get("Accept", ""):
            response.content_type, response.text = "application/json", page.json_body(request.environ)
        else:
            response.content_type, response.text = "text/html", page.html_body(request.environ)
        if isinstance(error, MethodNotAllowed):
            response.headers["Allow"] = error.allow
        return response
