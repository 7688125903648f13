"""Speaks to a WSGI application as a given caller."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from webob import Request

from novalike.api.http.application import CONTEXT_KEY
from novalike.context import RequestContext

PROJECT, USER = "6f70656e737461636b20342065766572", "fake-user"
MEMBER = ("member", "reader")
ADMIN = ("admin", "manager", "member", "reader")


@dataclass
class Answer:
    status: int
    json: Any
    headers: Any
    body: bytes = field(default=b"", repr=False)

    @property
    def fault(self) -> str:
        """The message of a fault."""
        return next(iter(self.json.values()))["message"]


class Client:
    """Sends requests to `app` below `prefix`; `version` is the microversion (None: no header)."""

    def __init__(self, app: Any, context: RequestContext | None, *, prefix: str = "/v2.1", version: str | None = None) -> None:
        self.app, self.context, self.prefix, self.version = app, context, prefix, version

    def at(self, version: str | None) -> Client:
        return Client(self.app, self.context, prefix=self.prefix, version=version)

    def under(self, prefix: str) -> Client:
        return Client(self.app, self.context, prefix=prefix, version=self.version)

    def __call__(self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None, raw: bytes | None = None) -> Answer:
        request = Request.blank(f"{self.prefix}{path}", method=method)
        if body is not None or raw is not None:
            request.body = orjson.dumps(body) if raw is None else raw
            request.content_type = "application/json"
        if self.version is not None:
            request.headers["OpenStack-API-Version"] = f"compute {self.version}"
        request.headers.update(headers or {})
        if self.context is not None:
            request.environ[CONTEXT_KEY] = replace(self.context)
        response = request.get_response(self.app)
        content = orjson.loads(response.body) if response.body and "json" in (response.content_type or "") else None
        return Answer(response.status_int, content, response.headers, response.body)

    def get(self, path: str, **options: Any) -> Answer:
        return self("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> Answer:
        return self("POST", path, body, **options)

    def put(self, path: str, body: Any = None, **options: Any) -> Answer:
        return self("PUT", path, body, **options)

    def delete(self, path: str, **options: Any) -> Answer:
        return self("DELETE", path, **options)


def context(*roles: str, project: str | None = PROJECT, user: str | None = USER) -> RequestContext:
    """Answer the context of a caller with these roles (default: a member)."""
    roles = roles or MEMBER
    return RequestContext(user_id=user, project_id=project, roles=roles, is_admin="admin" in roles)
