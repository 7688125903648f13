"""Consoles of real guests: a screen in a real browser, a serial port over a WebSocket, and who is kept out.

On both shapes: in the embedded one the proxies run beside the guests, in the other they come to the hypervisor by its relay.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.fakes.websockets import Client, Refused
from tests.live.browser import Browser, colours
from tests.live.clouds import SDK_WARNS, Cloud, measured, until
from tests.live.conftest import _missing

pytestmark = [pytest.mark.libvirt, pytest.mark.root, pytest.mark.timeout(240), SDK_WARNS]


@dataclass
class World:
    cloud: Cloud
    server: str

    def url(self, kind: str = "--novnc") -> str:
        return self.cloud.cli("console", "url", "show", kind, "-f", "json", self.server)["url"]

    def connect(self, url: str, **options) -> Client:
        """Open the WebSocket to which a console's URL leads."""
        parts = urlsplit(url)
        path = parse_qs(parts.query)["path"][0] if parts.scheme == "http" else f"?{parts.query}"
        return Client(parts.hostname, parts.port, f"/{path}", **options)

    def log(self) -> str:
        return self.cloud.admin.compute.get_server_console_output(self.server)["output"]


@pytest.fixture(scope="module", params=["guests", "single_guests"])
def world(request, guest):
    cloud = request.getfixturevalue(request.param)
    sdk = cloud.admin
    image = sdk.image.create_image("screen", data=guest.disk.read_bytes(), disk_format="qcow2", container_format="bare")
    flavor = sdk.compute.create_flavor(name="screen", ram=128, vcpus=1, disk=1)
    server = sdk.compute.create_server(name="screen", image_id=image.id, flavor_id=flavor.id, networks="none")
    cloud.wait(server.id, "ACTIVE")
    made = World(cloud, server.id)
    until("the guest asks for a login", lambda: "login:" in made.log(), 90)
    yield made
    for left in sdk.compute.servers(details=False):
        sdk.compute.delete_server(left.id)
    cloud.nothing_left()


@pytest.fixture
def browser(tmp_path):
    if not Browser.available():
        _missing("Chromium is not installed")
    made = Browser(tmp_path / "profile")
    yield made
    made.close()


def test_a_browser_shows_the_screen_and_takes_keys(world: World, browser: Browser, tmp_path):
    begun = time.monotonic()
    browser.open(world.url())
    until(
        "noVNC is connected", lambda: "Connected" in (browser.evaluate("document.getElementById('status').textContent") or ""), 30,
    )
    until("noVNC has a picture", lambda: browser.evaluate("document.querySelector('canvas').width") > 100, 10)

    def drawn():
        png = browser.screenshot()
        (tmp_path / "screen.png").write_bytes(png)
        found = colours(png)
        letters = sum(count for colour, count in found.items() if colour != b"\0\0\0" and min(colour) > 0x90 and max(colour) < 0xC0)
        return letters > 500 and found
    found = until("the screen shows letters", drawn, 30, pause=0.5)
    assert found.get(b"\0\0\0", 0) > 100_000, "most of a text screen is black"
    measured(f"console in a browser after {time.monotonic() - begun:.1f} s")
    browser.evaluate("document.querySelector('canvas').focus()")
    browser.type("root\r")
    time.sleep(1)
    browser.type("tiny\r")
    time.sleep(1)
    browser.type("echo typed in a browser > /dev/console\r")
    until("what was typed reached the guest", lambda: "typed in a browser" in world.log(), 20)


def test_the_serial_port_answers(world: World):
    client = world.connect(world.url("--serial"))
    give_up, said = time.monotonic() + 30, b""
    client.send(b"\r")
    while b"login:" not in said:
        assert time.monotonic() < give_up, f"no login prompt: {said!r}"
        message = client.receive()
        assert message is not None, f"the session ended: {client.close_code}"
        said += message
    client.send(b"somebody")
    assert b"somebody" in client.until(b"somebody"), "it does not echo"
    client.close()


def test_who_is_kept_out(world: World):
    url = world.url()
    client = world.connect(url)
    assert client.until(b"RFB 003.008\n") == b"RFB 003.008\n"
    client.close()
    for origin in ("http://evil.example", "null", f"https://{urlsplit(url).hostname}"):
        with pytest.raises(Refused) as refused:
            world.connect(url, headers={"Origin": origin})
        assert refused.value.args == (403,)
    world.connect(url, headers={"Origin": f"http://{urlsplit(url).netloc}"}).close()
    with pytest.raises(Refused) as refused:
        world.connect(url[:-4] + "0000")
    assert refused.value.args == (403,)
    assert world.cloud.admin.compute.get("/os-console-auth-tokens/x", microversion="2.31").status_code == 404


def test_a_server_which_is_off_and_on_keeps_its_token(world: World):
    """The port of its console may be another one afterwards, and the old one somebody else's."""
    compute = world.cloud.admin.compute
    url = world.url()
    compute.stop_server(world.server)
    world.cloud.wait(world.server, "SHUTOFF")
    with pytest.raises(Refused) as refused:
        world.connect(url)
    assert refused.value.args == (409,)
    compute.start_server(world.server)
    world.cloud.wait(world.server, "ACTIVE")
    client = world.connect(url)
    client.until(b"RFB")
    client.close()


def test_z_deleting_the_server_ends_it(world: World):
    url, other = world.url(), world.url()
    client = world.connect(url)
    client.until(b"RFB")
    world.cloud.admin.compute.delete_server(world.server)
    begun = time.monotonic()
    with pytest.raises(Refused) as refused:
        world.connect(other)
    assert refused.value.args == (403,)
    assert client.receive() is None
    measured(f"an open console ended {time.monotonic() - begun:.1f} s after its server was deleted")
    world.cloud.wait_gone(world.server)
