"""More servers than places: every place is used, none twice, and whoever got none is told why."""

from __future__ import annotations

import concurrent.futures
from collections import Counter

import pytest

from devstack.stack import Daemon
from tests.live.clouds import SDK_WARNS, Cloud, until

pytestmark = [pytest.mark.timeout(240), SDK_WARNS]
HOSTS, PLACES, ASKED = 4, 10, 50


@pytest.fixture
def doubled(single: Cloud):
    """The single stack with a second conductor and a second scheduler."""
    file = single.state / "second.conf"
    file.write_text("[DEFAULT]\nhost = second\n")
    second = [Daemon(f"{name}2", name, (single.state / "novalike.conf", file)) for name in ("conductor", "scheduler")]
    for daemon in second:
        single.stack.start(daemon)

    def up() -> bool:
        found = {service.binary: service.state for service in single.admin.compute.services() if service.host == "second"}
        return found == {"nova-conductor": "up", "nova-scheduler": "up"}
    until("the second conductor and scheduler", up, 30)
    yield single
    for daemon in second:
        single.stack.end(daemon.name)


def test_fifty_servers_for_forty_places(doubled: Cloud):
    sdk = doubled.admin
    flavor = sdk.compute.create_flavor(name="ten", ram=64, vcpus=1, disk=10)
    image = sdk.image.create_image("capacity", disk_format="raw", container_format="bare", data=b"\0" * 1024)
    sdk.set_compute_quotas("admin", instances=-1, cores=-1, ram=-1)
    body = {"name": "place", "imageRef": image.id, "flavorRef": flavor.id, "networks": "none"}
    with concurrent.futures.ThreadPoolExecutor(10) as together:
        answers = list(together.map(
            lambda _: sdk.compute.post("/servers", json={"server": body}, microversion="2.37").status_code, range(ASKED),
        ))
    assert answers == [202] * ASKED

    def ended() -> Counter | None:
        found = Counter(server.status for server in sdk.compute.servers(details=True, limit=1000))
        return found if not found["BUILD"] else None
    found = until("no server builds any more", ended, 90)
    servers = list(sdk.compute.servers(details=True, limit=1000))
    assert found == {"ACTIVE": HOSTS * PLACES, "ERROR": ASKED - HOSTS * PLACES}
    hosts = Counter(server.compute_host for server in servers if server.status == "ACTIVE")
    assert sorted(hosts.values()) == [PLACES] * HOSTS, "every place is used, and no host over its capacity"
    for server in servers:
        if server.status == "ERROR":
            fault = server.fault
            assert fault["code"] == 500
            assert fault["message"].startswith("No valid host was found."), fault
            assert "DiskFilter" in fault["message"] or "disk" in fault["message"], fault
            assert server.compute_host is None
    for server in servers:
        sdk.compute.delete_server(server.id)
    until("all deleted", lambda: not list(sdk.compute.servers(details=False)), 90)
    doubled.nothing_left()
    sdk.delete_compute_quotas("admin")
    sdk.compute.delete_flavor(flavor.id)
    sdk.image.delete_image(image.id)
