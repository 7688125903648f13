"""The HTTP server of either concurrency mode: what clients of OpenStack rely on."""

from __future__ import annotations

import http.client
import logging
import socket
import threading
import time
from io import BytesIO

import pytest

from novalike.api.http.middleware import ProxyHeaders, SizeLimit
from novalike.api.http.server import HttpServer, Limits
from novalike.exception import TooLarge


class Site:
    """A small WSGI application, and what it saw."""

    def __init__(self):
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.client_left = threading.Event()

    def __call__(self, environ, start_response):
        path = environ["PATH_INFO"]
        if path == "/echo":
            body = environ["wsgi.input"].read()
            start_response("200 OK", [("Content-Length", str(len(body)))])
            return [body]
        if path == "/upload":
            total = 0
            while piece := environ["wsgi.input"].read(65536):
                total += len(piece)
            text = f"{total} {environ.get('wsgi.input_terminated')}".encode()
            start_response("200 OK", [("Content-Length", str(len(text)))])
            return [text]
        if path == "/stream":
            start_response("200 OK", [])
            return self.stream()
        if path == "/slow":
            self.entered.set()
            self.gate.wait(10)
        text = b"hello"
        start_response("200 OK", [("Content-Length", str(len(text)))])
        return [text]

    def stream(self):
        yield b"first"
        self.gate.wait(10)
        yield b"second"


@pytest.fixture
def site():
    return Site()


@pytest.fixture
def server(site):
    made = HttpServer(site, "127.0.0.1", 0, Limits(header_line=2048, grace=5), name="test")
    made.start()
    yield made
    site.gate.set()
    made.stop()


@pytest.fixture
def client(server):
    connection = http.client.HTTPConnection(server.host, server.port, timeout=10)
    yield connection
    connection.close()


def get(connection, path, method="GET", **options):
    connection.request(method, path, **options)
    return connection.getresponse()


def test_connections_stay_open(client):
    assert get(client, "/").read() == b"hello"
    used = client.sock
    for number in range(3):
        assert get(client, "/echo", "POST", body=b"x" * number).read() == b"x" * number
    assert client.sock is used, "the server closed a connection that was to be kept"


def test_chunked_uploads_arrive_whole(client):
    sent = (b"x" * 100_000 for _ in range(20))
    assert get(client, "/upload", "PUT", body=sent, encode_chunked=True, headers={"Transfer-Encoding": "chunked"}).read() == b"2000000 True"
    assert get(client, "/").read() == b"hello", "and the connection is good for more"


def test_answers_stream(client, site):
    answer = get(client, "/stream")
    assert answer.read(5) == b"first", "the first piece comes before the second is made"
    site.gate.set()
    assert answer.read() == b"second"


def test_headers_are_bounded(server):
    with socket.create_connection((server.host, server.port), timeout=10) as raw:
        try:
            raw.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"a" * 1500) for n in range(40)) + b"\r\n")
            status = raw.recv(100)
        except ConnectionError:
            return                                   # closed while we still talked: refused as well
    assert status.split()[1] in (b"400", b"413", b"431"), status


def test_many_at_once(server):
    answers = []

    def ask():
        connection = http.client.HTTPConnection(server.host, server.port, timeout=10)
        answers.append(get(connection, "/").read())
        connection.close()
    threads = [threading.Thread(target=ask) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert answers == [b"hello"] * 30


def test_stop_finishes_requests_and_lets_idle_connections_go(site):
    server = HttpServer(site, "127.0.0.1", 0, Limits(grace=10))
    server.start()
    idle = http.client.HTTPConnection(server.host, server.port, timeout=10)
    get(idle, "/").read()
    busy = http.client.HTTPConnection(server.host, server.port, timeout=10)
    busy.request("GET", "/slow")
    assert site.entered.wait(5)
    stopping = threading.Thread(target=server.stop)
    started = time.monotonic()
    stopping.start()
    time.sleep(0.2)
    site.gate.set()
    assert busy.getresponse().read() == b"hello", "a request under way is answered"
    stopping.join(10)
    assert not stopping.is_alive()
    assert time.monotonic() - started < 5, "an idle connection does not hold the stop up"
    with pytest.raises(OSError):
        socket.create_connection((server.host, server.port), timeout=1).close()
    idle.close()
    busy.close()


def test_a_taken_port_is_an_error_at_once_and_a_left_one_is_free(site):
    first = HttpServer(site, "127.0.0.1", 0, Limits(grace=1))
    first.start()
    with pytest.raises(OSError):
        HttpServer(site, "127.0.0.1", first.port, Limits())
    connection = http.client.HTTPConnection(first.host, first.port, timeout=10)
    get(connection, "/").read()
    first.stop()
    connection.close()
    again = HttpServer(site, "127.0.0.1", first.port, Limits(grace=1))
    again.start()
    again.stop()


def test_one_line_per_request_without_the_query(client, caplog):
    caplog.set_level(logging.INFO, logger="novalike.api.http.access")
    get(client, "/some?token=secret").read()
    get(client, "/").read()                          # by now the first line is written
    lines = [record.getMessage() for record in caplog.records if record.name.endswith("access")]
    assert '"GET /some" status: 200 len: 5 time: ' in lines[0]
    assert "secret" not in lines[0]


def test_a_body_declared_too_long_is_refused_unread(site):
    server = HttpServer(SizeLimit(site, 1000), "127.0.0.1", 0, Limits(grace=1))
    server.start()
    connection = http.client.HTTPConnection(server.host, server.port, timeout=10)
    assert get(connection, "/echo", "POST", body=b"x" * 1000).status == 200
    connection.close()
    connection = http.client.HTTPConnection(server.host, server.port, timeout=10)
    connection.putrequest("POST", "/echo")
    connection.putheader("Content-Length", "1001")
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()
    server.stop()


@pytest.mark.parametrize("read", [lambda body: body.read(), b"".join, lambda body: body.readline()])
def test_a_body_of_unknown_length_is_bounded_as_it_is_read(read):
    answered = []

    def application(environ, start_response):
        answered.append(read(environ["wsgi.input"]))
        return []
    limited = SizeLimit(application, 1000)
    limited({"wsgi.input": BytesIO(b"x" * 1000)}, None)
    assert answered == [b"x" * 1000]
    with pytest.raises(TooLarge):
        limited({"wsgi.input": BytesIO(b"x" * 1001)}, None)


def test_proxy_headers_are_taken_only_behind_their_middleware():
    seen = {}

    def application(environ, start_response):
        seen.update(environ)
        return []
    environ = {
        "wsgi.url_scheme": "http", "HTTP_HOST": "inner:8774", "SCRIPT_NAME": "/compute", "REMOTE_ADDR": "10.0.0.1",
        "HTTP_X_FORWARDED_PROTO": "https", "HTTP_X_FORWARDED_HOST": "cloud.example", "HTTP_X_FORWARDED_FOR": "192.0.2.7, 10.0.0.9",
        "HTTP_X_FORWARDED_PREFIX": "/api/",
    }
    ProxyHeaders(application)(dict(environ), None)
    assert (seen["wsgi.url_scheme"], seen["HTTP_HOST"], seen["REMOTE_ADDR"]) == ("https", "cloud.example", "192.0.2.7")
    assert seen["SCRIPT_NAME"] == "/api/compute"
    ProxyHeaders(application)({**environ, "HTTP_FORWARDED": 'for=198.51.100.1;proto=http;host="other.example"'}, None)
    assert (seen["wsgi.url_scheme"], seen["HTTP_HOST"], seen["REMOTE_ADDR"]) == ("http", "other.example", "198.51.100.1")
