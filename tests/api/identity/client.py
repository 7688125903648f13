"""Speaks Keystone v3 to a WSGI application."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
from webob import Request


@dataclass
class Answer:
    status: int
    json: Any
    headers: Any

    @property
    def fault(self) -> str:
        return self.json["error"]["message"]


class Client:
    def __init__(self, app: Any, token: str | None = None) -> None:
        self.app, self.token = app, token
        self.body: dict[str, Any] = {}

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        request = Request.blank(path, method=method)
        if body is not None:
            request.body, request.content_type = orjson.dumps(body), "application/json"
        if self.token:
            request.headers["X-Auth-Token"] = self.token
        request.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
        response = request.get_response(self.app)
        return Answer(response.status_int, orjson.loads(response.body) if response.body else None, response.headers)

    def get(self, path: str, **headers: str) -> Answer:
        return self("GET", path, **headers)

    def post(self, path: str, body: Any) -> Answer:
        return self("POST", path, body)

    def patch(self, path: str, body: Any) -> Answer:
        return self("PATCH", path, body)

    def put(self, path: str, body: Any = None) -> Answer:
        return self("PUT", path, body)

    def delete(self, path: str, **headers: str) -> Answer:
        return self("DELETE", path, **headers)

    def authenticate(self, identity: dict[str, Any], scope: Any = None) -> Answer:
        auth: dict[str, Any] = {"identity": identity} | ({"scope": scope} if scope is not None else {})
        return Client(self.app).post("/v3/auth/tokens", {"auth": auth})

    def log_in(self, name: str, password: str, *, project: str | None = None, scope: Any = None) -> Client:
        """Answer a client with a token of that user. Fails the test when it gets none."""
        if project:
            scope = {"project": {"name": project, "domain": {"id": "default"}}}
        answer = self.authenticate(by_password(name, password), scope)
        assert answer.status == 201, answer
        client = Client(self.app, answer.headers["X-Subject-Token"])
        client.body = answer.json["token"]
        return client


def by_password(name: str, password: str) -> dict[str, Any]:
    return {"methods": ["password"], "password": {"user": {"name": name, "domain": {"id": "default"}, "password": password}}}


def by_token(token: str) -> dict[str, Any]:
    return {"methods": ["token"], "token": {"id": token}}
