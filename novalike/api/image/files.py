"""Images' bytes: upload, download (whole or a range), stage and import."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from webob import Response

from novalike.api.http.application import PUBLIC, Request, Route, UnsupportedMedia
from novalike.api.image import schemas
from novalike.context import service_context
from novalike.exception import Invalid, NotBuilt, TooLarge, Unauthorized
from novalike.image.local.service import LocalImages
from novalike.image.local.tickets import HEADER, UPLOAD
from novalike.objects.image import Image

_BLOCK = 65536


class Files:
    def __init__(self, images: LocalImages) -> None:
        self.images = images

    def routes(self) -> list[Route]:
        one = "/v2/images/{image_id}"
        return [
            # Public: a ticket may stand in a token's place. The handlers check.
            Route(method="GET", path=f"{one}/file", handler=self.download, rule=PUBLIC),
            Route(method="PUT", path=f"{one}/file", handler=self.upload, rule=PUBLIC, stream=True, status=204),
            Route(method="PUT", path=f"{one}/stage", handler=self.stage, rule="upload_image", stream=True, status=204),
            Route(method="POST", path=f"{one}/import", handler=self.import_image, rule="upload_image", body=schemas.IMPORT, status=202),
            Route(method="GET", path="/v2/info/import", handler=self.import_methods, rule="get_image"),
        ]

    def download(self, request: Request) -> Response:
        image_id = request.path_args["image_id"]
        ticket = request.headers.get(HEADER)
        if ticket is not None:
            if not self.images.tickets.holds(ticket, image_id):
                raise Unauthorized("The image ticket is not valid (any more).")
            context = service_context(request.context.request_id)
        else:
            context = request.context
            _need_token(request)
            request.authorize("download_image")
        image = self.images.get(context, image_id)
        if image.status not in {"active", "deactivated"}:
            return Response(status=204)          # no bytes yet
        return self._answer(request, image, context)

    def _answer(self, request: Request, image: Image, context: Any) -> Response:
        size = image.size or 0
        wanted = request.range
        span = wanted.range_for_length(size) if wanted is not None else None
        if wanted is not None and span is None:
            return Response(status=416, headers={"Content-Range": f"bytes */{size}"})
        start, end = span or (0, size)
        response = Response(status=200 if span is None else 206, content_type="application/octet-stream", charset=None)
        response.headers["Accept-Ranges"] = "bytes"
        if span is None and image.checksum:
            response.headers["Content-MD5"] = image.checksum
        if span is not None:
            response.headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        blocks = self.images.read(context, image, start=start, length=end - start)
        response.app_iter = blocks
        response.content_length = end - start
        return response

    def upload(self, request: Request) -> None:
        ticket = request.headers.get(HEADER)
        if ticket is not None:
            self._upload_by_ticket(request, ticket)
            return
        _need_token(request)
        image = self._mine(request, "upload_image")
        self.images.upload(request.context, image.id, self._chunks(request))

    def _upload_by_ticket(self, request: Request, ticket: str) -> None:
        image_id = request.path_args["image_id"]
        if not self.images.tickets.holds(ticket, image_id, UPLOAD):
            raise Unauthorized("The image ticket is not valid (any more).")
        self.images.upload_again(service_context(request.context.request_id), image_id, self._chunks(request))

    def stage(self, request: Request) -> None:
        image = self._mine(request)
        self.images.stage(request.context, image.id, self._chunks(request))

    def import_image(self, request: Request) -> None:
        method = request.body_value["method"]["name"]
        image = self._mine(request)
        if method in {"web-download", "copy-image", "glance-download"}:
            raise NotBuilt(f"The import method {method} is not supported; use glance-direct.")
        if method != "glance-direct":
            raise Invalid(f"Unknown import method name '{method[:64]}'.")
        self.images.import_staged(request.context, image.id)

    def import_methods(self, request: Request) -> dict[str, Any]:
        return {"import-methods": {"description": "Import methods available.", "type": "array", "value": ["glance-direct"]}}

    def _mine(self, request: Request, rule: str | None = None) -> Image:
        image = self.images.mine(request.context, request.path_args["image_id"])
        request.authorize(rule or request.route.rule, {"project_id": image.owner, "user_id": None})
        return image

    def _chunks(self, request: Request) -> Iterator[bytes]:
        if (request.content_type or "") != "application/octet-stream":
            raise UnsupportedMedia("Unsupported Content-Type; it must be application/octet-stream.")
        declared = request.content_length
        told = request.headers.get("X-OpenStack-Image-Size")
        expected = declared if declared is not None else int(told) if told and told.isdecimal() and len(told) < 19 else None
        if expected is not None and expected > self.images.section.image_size_cap:
            raise TooLarge(f"The image is larger than image_size_cap ({self.images.section.image_size_cap} bytes).")
        chunked = "chunked" in request.headers.get("Transfer-Encoding", "").lower()
        if declared is None and not chunked:
            raise Invalid("The request has no body: neither Content-Length nor chunked Transfer-Encoding is given.")
        return body(request.environ["wsgi.input"], declared, expected)


def _need_token(request: Request) -> None:
    if request.context.user_id is None:
        raise Unauthorized("The request you have made requires authentication.")


def body(stream: Any, declared: int | None, expected: int | None) -> Iterator[bytes]:
    """Answer a body in pieces. Raises Invalid when it ends before all of it came."""
    received = 0
    while declared is None or received < declared:
        try:
            piece = stream.read(_BLOCK if declared is None else min(_BLOCK, declared - received))
        except (OSError, ValueError) as error:   # the connection broke, or its chunks are malformed
            raise Invalid("The upload was interrupted.", details=str(error)) from error
        if not piece:
            break
        received += len(piece)
        yield piece
    if expected is not None and received != expected:
        raise Invalid(f"The upload was interrupted, or its size is not what was declared: {received} of {expected} bytes came.")
