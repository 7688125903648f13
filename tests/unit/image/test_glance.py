"""The client of a real Glance where some of its endpoints fail: requests and downloads go on at the next."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from keystoneauth1 import token_endpoint
from keystoneauth1.session import Session

from novalike import conf as configuration
from novalike.context import RequestContext
from novalike.exception import NotFound, Unavailable
from novalike.image.glance import GlanceImageClient

CONTENT = bytes(range(256)) * 9000
ALICE = RequestContext(user_id="a", project_id="alice", roles=("member",))
IMAGE = {
    "id": "one", "status": "active", "visibility": "shared", "owner": "alice", "disk_format": "raw", "container_format": "bare",
    "size": len(CONTENT), "os_hash_algo": "sha512", "os_hash_value": hashlib.sha512(CONTENT).hexdigest(),
}


class Glance:
    """One endpoint with one image. `cut` bytes into a download it hangs up; `busy` requests are answered 503 first."""

    def __init__(self, *, cut: int | None = None, busy: int = 0, content: bytes = CONTENT, members: dict[str, str] | None = None) -> None:
        self.cut, self.busy, self.content, self.members = cut, busy, content, members or {}
        self.asked: list[tuple[str, str | None]] = []
        glance = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                glance.asked.append((self.path, self.headers.get("Range")))
                if glance.busy:
                    glance.busy -= 1
                    self.answer(503, b"")
                elif self.path.endswith("/file"):
                    self.file()
                elif "/members/" in self.path:
                    status = glance.members.get(self.path.rpartition("/")[2])
                    self.answer(200 if status else 404, json.dumps({"status": status}).encode())
                elif self.path.startswith("/v2/images?"):
                    self.answer(200, json.dumps({"images": [IMAGE]}).encode())
                else:
                    self.answer(200, json.dumps(IMAGE).encode())

            def file(self) -> None:
                begin = int((self.headers.get("Range") or "bytes=0-")[6:-1])
                rest = glance.content[begin:]
                self.send_response(206 if begin else 200)
                self.send_header("Content-Length", str(len(rest)))
                self.end_headers()
                self.wfile.write(rest if glance.cut is None else rest[:glance.cut])
                self.close_connection = True

            def answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True, kwargs={"poll_interval": 0.02}).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def glances() -> Iterator[list[Glance]]:
    made: list[Glance] = []
    yield made
    for one in made:
        one.close()


def client(*urls: str, pauses: list[float] | None = None) -> GlanceImageClient:
    conf = configuration.load(glance__api_servers=list(urls), glance__num_retries=2)
    sleep = (pauses if pauses is not None else []).append
    return GlanceImageClient(Session(auth=token_endpoint.Token(urls[0], "secret")), conf.glance, sleep=sleep)


def test_the_next_endpoint_is_asked_when_one_is_away(glances) -> None:
    glances += [Glance(), Glance()]
    gone, here = glances
    gone.close()
    glances.remove(gone)
    asking = client(gone.url, here.url)
    image = asking.get(ALICE, "one")
    assert (image.id, image.size) == ("one", len(CONTENT))
    source = asking.source(ALICE, image)
    assert (source.url, source.others) == (f"{gone.url}/v2/images/one/file", (f"{here.url}/v2/images/one/file",))


def test_all_endpoints_are_asked_again_after_growing_pauses(glances) -> None:
    glances += [Glance(busy=2)]
    pauses: list[float] = []
    assert client(glances[0].url, pauses=pauses).get(ALICE, "one").id == "one"
    assert pauses == [0.5, 1.0]
    glances[0].busy = 99
    with pytest.raises(Unavailable):
        client(glances[0].url).get(ALICE, "one")


def test_a_download_which_breaks_off_goes_on_where_it_was(glances) -> None:
    glances += [Glance(cut=1_500_000)]
    pieces = b"".join(client(glances[0].url).download(ALICE, "one"))
    assert hashlib.sha512(pieces).hexdigest() == IMAGE["os_hash_value"]
    ranges = [sent for path, sent in glances[0].asked if path.endswith("/file")]
    assert ranges[0] is None
    assert all(sent is not None for sent in ranges[1:]), "the second request begins where the first broke off"


def test_other_bytes_than_announced_are_no_image(glances) -> None:
    glances += [Glance(content=bytes(len(CONTENT)))]
    with pytest.raises(Unavailable, match="not those which"):
        list(client(glances[0].url).download(ALICE, "one"))


def test_who_shares_an_image_is_told_by_glance(glances) -> None:
    glances += [Glance(members={"bob": "pending", "carol": "accepted"})]
    asking = client(glances[0].url)
    seen = {}
    for name in ("bob", "carol", "mallory"):
        ctxt = RequestContext(user_id=name, project_id=name, roles=("member",))
        try:
            asking.get(ctxt, "one")
            seen[name] = len(asking.list(ctxt))
        except NotFound:
            seen[name] = -1
    assert seen == {"bob": 0, "carol": 1, "mallory": -1}, "members see it by its id, and in lists once they accepted"
