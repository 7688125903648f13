"""Every request gets an id, which its answer, its log lines and the work it causes carry."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from novalike.context import new_request_id

REQUEST_ID = "openstack.request_id"
GLOBAL_REQUEST_ID = "openstack.global_request_id"
_WELL_FORMED = re.compile(r"req-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class RequestId:
    """WSGI filter. The id is always ours; one which the caller sends is kept beside it as the global one, if well-formed.

    `headers` are the names under which the answer tells it (Nova adds one of its own).
    """

    def __init__(self, app: Any, *, headers: tuple[str, ...] = ("X-Openstack-Request-Id",)) -> None:
        self._app = app
        self._headers = headers

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request_id = environ[REQUEST_ID] = new_request_id()
        sent = environ.get("HTTP_X_OPENSTACK_REQUEST_ID", "")
        environ[GLOBAL_REQUEST_ID] = sent if _WELL_FORMED.fullmatch(sent) else None

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            ours = {name.lower() for name in self._headers}
            kept = [(name, value) for name, value in headers if name.lower() not in ours]
            return start_response(status, [*kept, *((name, request_id) for name in self._headers)], *rest)

        return self._app(environ, start)  # type: ignore[no-any-return]
