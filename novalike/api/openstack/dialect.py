"""How the Compute API speaks: microversions by header, a project id in the path, faults in Nova's envelope."""

from __future__ import annotations

import re

import orjson
from webob import Response

from novalike.api.http.application import MethodNotAllowed, Request
from novalike.api.http.versions import Version, parse
from novalike.api.openstack import microversions
from novalike.exception import Invalid, NovalikeError

HEADER = "OpenStack-API-Version"
LEGACY_HEADER = "X-OpenStack-Nova-API-Version"
#: Names the kind of error for programs (docs/compute-api.md).
ERROR_HEADER, UNEXPECTED = "X-Novalike-Error", "unexpected"

FAULTS = {
    400: "badRequest", 401: "unauthorized", 403: "forbidden", 404: "itemNotFound", 405: "badMethod", 409: "conflictingRequest",
    413: "overLimit", 415: "badMediaType", 429: "overLimit", 501: "notImplemented", 503: "serviceUnavailable",
}
#: Nova's default [api]project_id_regex.
_PROJECT_ID = re.compile(r"[0-9a-f\-]*")


class NotAcceptable(NovalikeError):
    """The microversion is outside of what this API speaks."""

    code = 406


class ComputeDialect:
    """The dialect of /v2.1, or with `legacy` that of /v2, which ignores microversion headers.

    `words` are the first path elements of all routes; anything else in their place may be a project id. `identity_url` is
    told to callers without a token.
    """

    def __init__(self, words: frozenset[str], *, legacy: bool = False, identity_url: str = "") -> None:
        self._words = words
        self._legacy = legacy
        self._identity_url = identity_url

    def fault(self, request: Request, code: int, message: str, error: Exception | None) -> Response:
        """Render an error as {"<name>": {"code", "message"}}."""
        response = Response(status=code, content_type="application/json", charset=None)
        content: dict[str, object] = {"code": code, "message": message}
        # In a header: strict clients refuse faults with more keys than Nova's.
        response.headers[ERROR_HEADER] = error.machine_code() if isinstance(error, NovalikeError) else UNEXPECTED
        if code in {413, 429}:
            response.headers["Retry-After"] = "0"
            content["retryAfter"] = "0"
        elif code == 503:
            response.headers["Retry-After"] = "5"
        elif code == 401:
            response.headers["WWW-Authenticate"] = f'Keystone uri="{self._identity_url}"'
        if isinstance(error, MethodNotAllowed):
            response.headers["Allow"] = error.allow
        response.body = orjson.dumps({FAULTS.get(code, "computeFault"): content})
        return response

    def negotiate(self, request: Request) -> Version:
        """Read the microversion headers: the common one first, then Nova's own; none means 2.1."""
        if self._legacy:
            return microversions.MINIMUM
        wanted = _asked(request)
        if wanted is None:
            return microversions.MINIMUM
        if wanted == "latest":
            return microversions.MAXIMUM
        try:
            version = parse(wanted)
        except ValueError as error:
            raise Invalid(
                f"API Version String '{wanted[:255]}' is of invalid format. Must be of format MajorNum.MinorNum.",
            ) from error
        if not microversions.MINIMUM <= version <= microversions.MAXIMUM:
            raise NotAcceptable(
                f"Version {wanted[:255]} is not supported by the API. Minimum is {microversions.text(microversions.MINIMUM)} and "
                f"maximum is {microversions.text(microversions.MAXIMUM)}.",
            )
        return version

    def finish(self, request: Request, response: Response) -> None:
        """Add request ids and the version which was spoken."""
        response.headers["X-Compute-Request-Id"] = request.context.request_id
        response.headers["X-OpenStack-Request-Id"] = request.context.request_id
        version: Version | None = getattr(request, "version", None)
        if version is None or self._legacy:
            return
        spoken = microversions.text(version)
        response.headers[HEADER] = f"compute {spoken}"
        response.headers[LEGACY_HEADER] = spoken
        response.headers.add("Vary", HEADER)
        response.headers.add("Vary", LEGACY_HEADER)

    def locate(self, request: Request) -> str:
        """Answer the path without the project id, which must be the caller's."""
        path: str = request.path_info
        _, _, rest = path.partition("/")
        first, _, rest = rest.partition("/")
        own = request.context.project_id
        request.project_in_path = None
        if not first or first in self._words or (first != own and not looks_like_project(first)):
            return path
        if request.context.user_id is not None and first != own:
            raise Invalid(
                f"Malformed request URL: URL's project_id '{first[:255]}' doesn't match Context's project_id '{own}'",
            )
        request.project_in_path = first
        return f"/{rest}"


def looks_like_project(text: str) -> bool:
    """Tell whether a path element may be a project id (nothing at all may be one too)."""
    return _PROJECT_ID.fullmatch(text) is not None


def _asked(request: Request) -> str | None:
    given: str | None = None
    for part in request.headers.get(HEADER, "").split(","):
        service, _, version = part.strip().partition(" ")
        if service.lower() == "compute":
            given = version.strip().lower()
    if given is None and LEGACY_HEADER in request.headers:
        given = request.headers[LEGACY_HEADER].strip().lower()
    return given
