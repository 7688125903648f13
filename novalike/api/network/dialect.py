"""How Neutron speaks: one version, errors as {"NeutronError": {"type", "message", "detail"}}."""

from __future__ import annotations

import orjson
from webob import Response

from novalike import exception
from novalike.api.http.application import MethodNotAllowed, Request
from novalike.api.http.dialect import OneVersion
from novalike.api.http.versions import Version
from novalike.network import errors

VERSION: Version = (2, 0)
_TYPES = {
    400: "HTTPBadRequest", 401: "HTTPUnauthorized", 403: "PolicyNotAuthorized", 404: "HTTPNotFound", 405: "HTTPMethodNotAllowed",
    409: "HTTPConflict", 413: "HTTPRequestEntityTooLarge", 415: "HTTPUnsupportedMediaType", 500: "HTTPInternalServerError",
    501: "HTTPNotImplemented", 503: "HTTPServiceUnavailable",
}


class NetworkDialect(OneVersion):
    """Implements api.http.application.Dialect."""

    version = VERSION

    def fault(self, request: Request, code: int, message: str, error: Exception | None) -> Response:
        """Render an error. Exceeded limits are conflicts here."""
        if isinstance(error, exception.OverQuota):
            code = 409
        named = type(error).__module__ == errors.__name__
        kind = type(error).__name__ if named else _TYPES.get(code, "HTTPError")
        response = Response(status=code, content_type="application/json", charset=None)
        response.body = orjson.dumps({"NeutronError": {"type": kind, "message": message, "detail": ""}})
        if isinstance(error, MethodNotAllowed):
            response.headers["Allow"] = error.allow
        return response

    def locate(self, request: Request) -> str:
        """Old clients ask for `networks.json`."""
        return str(request.path_info or "/").removesuffix(".json")
