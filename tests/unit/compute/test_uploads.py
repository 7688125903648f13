"""Sending an image's bytes: all of them, or an error in time."""

from __future__ import annotations

import io
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from novalike import conf as conf_module
from novalike.clock import Clock
from novalike.compute.uploads import HttpUpload
from novalike.exception import Fenced, NovalikeError
from novalike.objects.image import ImageTarget


class _Handler(BaseHTTPRequestHandler):
    def do_PUT(self):
        self.server.asked.append((self.path, dict(self.headers)))
        if self.path.startswith("/refuse"):
            self.send_error(409)
            self.close_connection = True
            return
        self.server.received += self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.startswith("/hang"):
            self.server.reached.set()
            self.server.go_on.wait(20)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    made = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    made.asked, made.received, made.go_on, made.reached = [], b"", threading.Event(), threading.Event()
    threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield made
    made.go_on.set()
    made.shutdown()
    made.server_close()


def upload(server, path, **headers):
    target = ImageTarget(image_id="i", url=f"http://127.0.0.1:{server.server_port}{path}", headers=headers)
    return HttpUpload(target, conf_module.load(image_cache__fetch_timeout=5).image_cache, Clock())


def test_all_bytes_arrive_with_the_ticket(server):
    content = b"x" * 700_001
    assert upload(server, "/v2/images/i/file", **{"X-Image-Ticket": "t"}).send(io.BytesIO(content), go_on=lambda: None) == len(content)
    assert server.received == content
    path, headers = server.asked[0]
    assert (path, headers["X-Image-Ticket"], headers["Content-Type"]) == ("/v2/images/i/file", "t", "application/octet-stream")


def test_a_refusal_says_its_status(server):
    with pytest.raises(NovalikeError, match="409"):
        upload(server, "/refuse").send(io.BytesIO(b"x" * 3_000_000), go_on=lambda: None)


def test_nobody_there_is_an_error():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        target = ImageTarget(image_id="i", url=f"http://127.0.0.1:{taken.getsockname()[1]}/")
        with pytest.raises(NovalikeError, match="could not be sent"):
            HttpUpload(target, conf_module.load().image_cache, Clock()).send(io.BytesIO(b"x"), go_on=lambda: None)


def test_an_overtaken_upload_stops_between_blocks(server):
    def go_on():
        raise Fenced("taken over")
    with pytest.raises(Fenced):
        upload(server, "/v2/images/i/file").send(io.BytesIO(b"x" * 3_000_000), go_on=go_on)


def test_an_aborted_upload_does_not_wait_for_the_answer(server):
    sending = upload(server, "/hang")
    def abort():
        server.reached.wait(10)
        sending.abort()
    threading.Thread(target=abort, daemon=True).start()
    began = time.monotonic()
    with pytest.raises(NovalikeError):
        sending.send(io.BytesIO(b"x" * 100), go_on=lambda: None)
    assert time.monotonic() - began < 8
