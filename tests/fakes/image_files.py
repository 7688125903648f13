"""A small HTTP server of image bytes, which can be told to break."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from novalike.objects.image import ImageSource

TICKET = "X-Image-Ticket"


class ImageFiles:
    """Serves `files` by name to whoever sends the ticket.

    `requests` are (name, Range header or None) in order. While `cut_after` is set, connections break after so many bytes;
    `honours_ranges` False makes it ignore Range; `status` answers that to everything.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.cut_after: int | None = None
        self.honours_ranges = True
        self.status: int | None = None
        self.redirect_to: str | None = None
        self.port = 0

    def add(self, name: str, content: bytes, disk_format: str = "raw", **changes: object) -> ImageSource:
        """Serve these bytes and answer where they are to be fetched."""
        self.files[name] = content
        values: dict[str, object] = {
            "image_id": name, "url": f"http://127.0.0.1:{self.port}/{name}", "headers": {TICKET: "good"}, "disk_format": disk_format,
            "size": len(content), "os_hash_algo": "sha512", "os_hash_value": hashlib.sha512(content).hexdigest(),
        }
        return ImageSource(**(values | changes))

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        name, wanted = request.path.lstrip("/"), request.headers.get("Range")
        self.requests.append((name, wanted))
        if self.redirect_to:
            request.send_response(302)
            request.send_header("Location", self.redirect_to)
            request.end_headers()
            return
        if self.status or request.headers.get(TICKET) != "good":
            request.send_error(self.status or 403)
            return
        if name not in self.files:
            request.send_error(404)
            return
        content, start = self.files[name], 0
        if wanted and self.honours_ranges:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(content):
                request.send_error(416)
                return
        request.send_response(206 if start else 200)
        request.send_header("Content-Length", str(len(content) - start))
        request.end_headers()
        end = len(content) if self.cut_after is None else start + self.cut_after
        request.wfile.write(content[start:end])


@contextmanager
def serve() -> Iterator[ImageFiles]:
    """Run such a server on a free port."""
    files = ImageFiles()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            files.answer(self)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    files.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield files
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
