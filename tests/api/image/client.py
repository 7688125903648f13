"""Speaks Glance v2 to a WSGI application."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
from webob import Request

from novalike.api.http.application import CONTEXT_KEY

PATCH = "application/openstack-images-v2.1-json-patch"


@dataclass
class Answer:
    status: int
    json: Any
    headers: Any
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


class Client:
    def __init__(self, app: Any, context: Any) -> None:
        self.app, self.context = app, context

    def __call__(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        request = Request.blank(path, method=method)
        if body is not None:
            request.body = body
        request.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
        if self.context is not None:
            request.environ[CONTEXT_KEY] = self.context
        response = request.get_response(self.app)
        content = orjson.loads(response.body) if response.body and "json" in (response.content_type or "") else None
        return Answer(response.status_int, content, response.headers, response.body)

    def get(self, path: str, **headers: str) -> Answer:
        return self("GET", path, **headers)

    def post(self, path: str, body: Any = None) -> Answer:
        return self("POST", path, b"" if body is None else orjson.dumps(body), Content_Type="application/json")

    def put(self, path: str, body: Any = None) -> Answer:
        return self("PUT", path, b"" if body is None else orjson.dumps(body), Content_Type="application/json")

    def patch(self, path: str, *operations: Any) -> Answer:
        return self("PATCH", path, orjson.dumps(operations), Content_Type=PATCH)

    def delete(self, path: str) -> Answer:
        return self("DELETE", path)

    def create(self, **fields: Any) -> Any:
        """Create an image and answer it. Fails the test when that is refused."""
        answer = self.post("/v2/images", {"name": "i", "disk_format": "raw", "container_format": "bare", **fields})
        assert answer.status == 201, answer
        return answer.json

    def upload(self, image_id: str, content: bytes) -> Answer:
        return self("PUT", f"/v2/images/{image_id}/file", content, Content_Type="application/octet-stream")
