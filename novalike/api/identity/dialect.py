"""How Keystone speaks: no microversions, errors as {"error": {"code", "message", "title"}}."""

from __future__ import annotations

from http.client import responses

import orjson
from webob import Response

from novalike.api.http.application import MethodNotAllowed, Request
from novalike.api.http.dialect import OneVersion
from novalike.api.http.versions import Version

#: The version of the v3 API which the discovery documents tell.
VERSION: Version = (3, 14)


class IdentityDialect(OneVersion):
    """Implements api.http.application.Dialect."""

    version = VERSION

    def fault(self, request: Request, code: int, message: str, error: Exception | None) -> Response:
        """Render an error."""
        title = responses.get(code, "Error")
        response = Response(status=code, content_type="application/json", charset=None)
        response.body = orjson.dumps({"error": {"code": code, "message": message, "title": title}})
        if isinstance(error, MethodNotAllowed):
            response.headers["Allow"] = error.allow
        return response

    def finish(self, request: Request, response: Response) -> None:
        """Answers differ by token, so caches must tell them apart."""
        response.headers.setdefault("Vary", "X-Auth-Token")
