"""Where a guest's console is, and how proxies get there."""

from __future__ import annotations

import socket
import struct
from dataclasses import replace

import pytest

from novalike.exception import Conflict, Invalid, NotFound
from novalike.objects.console import NO_PORT
from tests.factories_compute import CONTEXT, action, destroy, server


@pytest.fixture
def consoled(make_daemon):
    return make_daemon(serial_console__enabled=True)


def where(daemon, ours, kind="novnc"):
    return daemon.console.console(CONTEXT, instance=ours, console_type=kind)


def way(daemon, ours, kind="novnc"):
    return daemon.console.open_console(CONTEXT, instance_uuid=ours.uuid, console_type=kind)


def test_address_and_url_come_from_this_host(consoled):
    ours = consoled.running_server()
    found = where(consoled, ours)
    assert (found.host, found.access_url_base) == ("127.0.0.1", "http://127.0.0.1:6080/vnc_auto.html")
    assert found.port == way(consoled, ours).port > 0
    serial = where(consoled, ours, "serial")
    assert serial.access_url_base == "ws://127.0.0.1:6083/"
    assert serial.port != found.port


def test_what_is_refused(make_daemon, consoled):
    ours = consoled.running_server()
    for kind, words in (("novnc2", "Invalid console type"), ("spice-html5", "Unavailable console type spice-html5")):
        with pytest.raises(Invalid, match=words):
            where(consoled, ours, kind)
    with pytest.raises(NotFound):
        where(consoled, server())


def test_a_host_without_consoles(make_daemon):
    daemon = make_daemon(vnc__enabled=False)
    ours = daemon.running_server()
    for kind in ("novnc", "serial"):
        with pytest.raises(Invalid, match=f"Unavailable console type {kind}"):
            where(daemon, ours, kind)


def test_a_guest_which_is_off_has_an_address_and_no_way(consoled):
    ours = consoled.running_server()
    consoled.do(action(ours, "stop", arguments={}))
    assert where(consoled, ours).port == NO_PORT
    with pytest.raises(Conflict, match="not running"):
        way(consoled, ours)


def test_the_relay_hides_where_the_guest_is(make_daemon):
    daemon = make_daemon(console__relay_host="127.0.0.1", console__relay_port=0)
    ours = daemon.running_server()
    found = way(daemon, ours)
    assert found.port != where(daemon, ours).port
    assert found.ticket is not None
    with socket.create_connection((found.host, found.port), timeout=5) as viewer:
        viewer.sendall(found.ticket.reveal().encode() + b"\n")
        assert viewer.recv(12) == b"RFB 003.008\n"


def _take(viewer, count):
    found = b""
    while len(found) < count:
        piece = viewer.recv(count - len(found))
        assert piece, "the console closed"
        found += piece
    return found


def test_the_fake_screen_speaks_rfb(consoled):
    ours = consoled.running_server()
    with socket.create_connection(("127.0.0.1", way(consoled, ours).port), timeout=5) as viewer:
        assert _take(viewer, 12) == b"RFB 003.008\n"
        viewer.sendall(b"RFB 003.008\n")
        assert _take(viewer, 2) == b"\x01\x01"
        viewer.sendall(b"\x01")
        assert _take(viewer, 4) == b"\0\0\0\0"
        viewer.sendall(b"\x01")
        width, height = struct.unpack("!HH", _take(viewer, 4))
        _take(viewer, 16)
        name = _take(viewer, struct.unpack("!I", _take(viewer, 4))[0])
        assert ours.uuid.encode() in name

        def picture():
            viewer.sendall(struct.pack("!BBHHHH", 3, 0, 0, 0, width, height))
            assert _take(viewer, 4) == b"\0\0\0\1"
            _take(viewer, 12)
            return _take(viewer, width * height * 4)
        first = picture()
        assert len(set(first)) > 10, "the screen is blank"
        viewer.sendall(struct.pack("!BBxxI", 4, 1, ord("a")))
        assert picture() != first, "a key changes nothing"


def test_the_fake_serial_port_shows_the_prompt_and_echoes(consoled):
    ours = consoled.running_server()
    with socket.create_connection(("127.0.0.1", way(consoled, ours, "serial").port), timeout=5) as viewer:
        shown = b""
        while not shown.endswith(b"login: "):
            shown += viewer.recv(4096)
        viewer.sendall(b"root\r")
        assert _take(viewer, 5) == b"root\r"
        consoled.do(destroy(replace(ours, epoch=ours.epoch + 1)))
        assert viewer.recv(10) == b"", "a console outlives its guest"
