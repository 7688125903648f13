"""A proxy between WebSockets and sockets: who gets in, that bytes arrive, and how sessions end."""

from __future__ import annotations

import logging
import shutil
import socket
import ssl
import subprocess
import threading
import time
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path

import pytest

from novalike import conf as configuration
from novalike.clock import Clock
from novalike.compute.console_relay import ConsoleRelay
from novalike.console.manager import ConsoleProxyManager
from novalike.exception import Conflict, Unavailable
from novalike.objects.console import ConsoleAddress, ConsoleRoute, ConsoleToken
from novalike.objects.secret import Secret
from tests.fakes.websockets import Client, Refused

TOKEN = ConsoleToken(
    id=1, instance_uuid="11111111-2222-4333-8444-555555555555", epoch=1, host="h", console_type="novnc", expires_at=0,
    address=ConsoleAddress(host="127.0.0.1", port=1, access_url_base="http://127.0.0.1/vnc_auto.html"),
)


class Guest:
    """A console which echoes, or does what a test wants."""

    def __init__(self, speak=None):
        self._speak = speak or self._echo
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.callers = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                caller, _ = self.listener.accept()
            except OSError:
                return
            self.callers.append(caller)
            threading.Thread(target=self._call, args=(caller,), daemon=True).start()

    def _call(self, caller):
        try:
            with caller:
                self._speak(caller)
        except OSError:
            return

    @staticmethod
    def _echo(caller):
        while piece := caller.recv(65536):
            caller.sendall(piece)

    def close(self):
        for one in (self.listener, *self.callers):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        self.listener.close()


class Tokens:
    """Tokens by their text."""

    def __init__(self):
        self.known = {"good": TOKEN, "serial": replace(TOKEN, id=2, console_type="serial")}
        self.away = False

    def find(self, token):
        if self.away:
            raise Unavailable("The database does not answer.")
        return self.known.get(token.reveal())

    def standing(self, tokens):
        return {token for token in tokens if token in self.known.values()}


class World:
    def __init__(self, tmp_path, guest, **options):
        page = tmp_path / "page"
        (page / "app").mkdir(parents=True)
        (page / "vnc_auto.html").write_text("<html>screen</html>")
        self.guest, self.tokens = guest, Tokens()
        self.route = lambda token: ConsoleRoute(host="127.0.0.1", port=guest.port)
        options = {"web": str(page), "cert": str(tmp_path / "none.pem"), "vnc__novncproxy_host": "127.0.0.1", **options}
        self.manager = ConsoleProxyManager(
            configuration.load(**options, vnc__novncproxy_port=0), "novncproxy", self.tokens, self._found,
        )
        self.clients = []
        self.manager.start()
        self.port = self.manager.server.port

    def _found(self, token):
        return self.route(token)

    def open(self, path="/?token=good", **options):
        self.clients.append(Client("127.0.0.1", self.port, path, **options))
        return self.clients[-1]

    def close(self):
        for client in self.clients:
            client.close()
        self.manager.stop()

    def check(self):
        self.manager.periodics[0].function()

    def get(self, path, method="GET"):
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(method, path)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer, body


@pytest.fixture
def guest():
    made = Guest()
    yield made
    made.close()


@pytest.fixture
def world(tmp_path, guest):
    made = World(tmp_path, guest)
    yield made
    made.close()


def refused(world, path="/?token=good", **options):
    with pytest.raises(Refused) as caught:
        world.open(path, **options)
    return caught.value.args[0]


def test_bytes_go_both_ways(world):
    client = world.open()
    client.send(b"hello")
    assert client.until(b"hello") == b"hello"
    client.send(b"", opcode=9)
    client.send(b"after a ping")
    client.until(b"after a ping")
    client.close()


def test_much_goes_through_and_slow_readers_are_waited_for(world):
    client = world.open()
    chunk = bytes(range(256)) * 256
    sent = threading.Thread(target=lambda: [client.send(chunk) for _ in range(100)], daemon=True)
    sent.start()
    time.sleep(0.3)                                  # nobody reads yet: everything fills up
    found = b""
    while len(found) < len(chunk) * 100:
        found += client.receive()
    assert found == chunk * 100
    sent.join(5)
    client.close()


def test_who_is_refused(world):
    assert refused(world, "/") == 401
    assert refused(world, "/?token=bad") == 403
    assert refused(world, "/?token=serial") == 403, "a token for another sort of console"
    assert refused(world, headers={"Origin": "http://evil.example"}) == 403
    world.open(headers={"Origin": f"http://127.0.0.1:{world.port}"}).close()
    world.open("/", headers={"Cookie": "token=good"}).close()
    world.tokens.away = True
    assert refused(world) == 503


def test_what_the_host_says(world):
    def off(token):
        raise Conflict("Instance is not running")
    world.route = off
    assert refused(world) == 409
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    world.route = lambda token: ConsoleRoute(host="127.0.0.1", port=port)
    assert refused(world) == 502


def test_a_revoked_token_ends_its_session(world):
    client = world.open()
    client.send(b"x")
    client.until(b"x")
    world.check()
    client.send(b"still here")
    client.until(b"still here")
    del world.tokens.known["good"]
    world.check()
    assert client.receive() is None
    assert client.close_code == 1008
    assert refused(world) == 403


def test_sessions_end_with_the_guest_and_with_the_proxy(world):
    client = world.open()
    client.send(b"x")
    client.until(b"x")
    world.guest.close()
    assert client.receive() is None
    assert client.close_code == 1000
    again = Guest()
    world.guest = again
    world.route = lambda token: ConsoleRoute(host="127.0.0.1", port=again.port)
    client = world.open()
    client.send(b"x")
    client.until(b"x")
    world.manager.stop()
    assert client.receive() is None
    assert client.close_code == 1001
    again.close()


def test_a_browser_which_leaves_lets_the_guest_go(tmp_path):
    left = threading.Event()

    def speak(caller):
        while caller.recv(100):
            pass
        left.set()
    guest = Guest(speak)
    world = World(tmp_path, guest)
    client = world.open()
    client.send(b"x")
    client.close()
    assert left.wait(5), "the guest's side stays open"
    world.close()
    guest.close()


def test_a_message_without_end_is_refused(world):
    client = world.open()
    client.socket.sendall(bytes([0x82, 0xFF]) + (1 << 40).to_bytes(8, "big") + b"mask")
    with pytest.raises((ConnectionError, TimeoutError)):
        for _ in range(1000):
            client.socket.sendall(b"x" * 65536)


def test_the_page(world):
    answer, body = world.get("/vnc_auto.html?path=%3Ftoken%3Dgood")
    assert (answer.status, body) == (200, b"<html>screen</html>")
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert world.get("/vnc_auto.html", "HEAD")[0].status == 200
    assert world.get("/app/")[0].status == 404, "folders are not shown"
    assert world.get("/../none.pem")[0].status == 404
    assert world.get("/%2e%2e/%2e%2e/etc/passwd")[0].status == 404
    assert world.get("/vnc_auto.html", "POST")[0].status == 501
    assert "evil.example" not in str(world.get("//evil.example/%2e%2e/app")[0].headers.get("Location", "")).split("/")[:1]


def test_without_a_page(tmp_path, guest):
    world = World(tmp_path, guest, web="")
    assert world.get("/")[0].status == 404
    world.open()
    world.close()


def test_no_token_is_logged(world, caplog):
    caplog.set_level(logging.DEBUG)
    world.tokens.known["top-secret"] = TOKEN
    client = world.open("/?token=top-secret")
    client.send(b"x")
    client.until(b"x")
    client.close()
    refused(world, "/?token=top-secreter")
    world.get("/vnc_auto.html?path=%3Ftoken%3Dtop-secret")
    with socket.create_connection(("127.0.0.1", world.port)) as rude:
        rude.sendall(b"FLY /?token=top-secret HTTP/9.9\r\n\r\n")
        rude.recv(1000)
    assert "console of instance" in caplog.text
    assert "top-secret" not in caplog.text


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    if not shutil.which("openssl"):
        pytest.skip("there is no openssl")
    file = tmp_path_factory.mktemp("tls") / "self.pem"
    subprocess.run(
        ["openssl", "req", "-new", "-x509", "-nodes", "-newkey", "rsa:2048", "-subj", "/CN=127.0.0.1", "-keyout", str(file), "-out",
         f"{file}.crt"], check=True, capture_output=True,
    )
    file.write_text(file.read_text() + Path(f"{file}.crt").read_text())
    return str(file)


def test_tls_and_plain_on_one_port(tmp_path, guest, certificate):
    world = World(tmp_path, guest, cert=certificate, console__ssl_minimum_version="tlsv1_2")
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    client = world.open(encryption=trusting)
    chunk = bytes(range(256)) * 256
    sent = threading.Thread(target=lambda: [client.send(chunk) for _ in range(30)], daemon=True)
    sent.start()
    sent.join(0.2)
    found = b""
    while len(found) < len(chunk) * 30:
        found += client.receive()
    assert found == chunk * 30
    sent.join(5)
    client.close()
    world.open()
    world.close()


def test_tls_only(tmp_path, guest, certificate):
    world = World(tmp_path, guest, cert=certificate, ssl_only=True)
    with pytest.raises(OSError):  # which one depends on how fast it closes
        world.open()
    world.close()
    with pytest.raises(ValueError, match="ssl_only"):
        World(tmp_path / "other", guest, ssl_only=True)


def test_a_relay_lets_in_with_a_ticket_once(world):
    relay = ConsoleRelay("127.0.0.1", 0, Clock())
    relay.start()
    world.route = lambda token: relay.admit("127.0.0.1", world.guest.port)
    client = world.open()
    client.send(b"over the relay")
    client.until(b"over the relay")
    client.close()
    used = relay.admit("127.0.0.1", world.guest.port)

    def call(ticket):
        with socket.create_connection((relay.host, relay.port), timeout=5) as caller:
            caller.sendall(ticket.reveal().encode() + b"\nhello")
            try:
                return caller.recv(100)
            except ConnectionResetError:             # it closed without reading all
                return b""
    assert call(used.ticket) == b"hello"
    assert call(used.ticket) == b"", "a ticket works once"
    assert call(Secret("x" * 43)) == b""
    assert call(Secret("x" * 100)) == b""
    relay.stop()
