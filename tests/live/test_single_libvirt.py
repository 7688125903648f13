"""One process per daemon, MariaDB, RabbitMQ and real guests: builds go on when the hypervisor's daemons die in the middle."""

from __future__ import annotations

import os
import signal
import time

import pytest

from devstack import libvirtd
from tests.live.clouds import SDK_WARNS, measured, until
from tests.live.guests import World, worlds

pytestmark = [pytest.mark.libvirt, pytest.mark.root, pytest.mark.mariadb, pytest.mark.rabbitmq, pytest.mark.timeout(300), SDK_WARNS]


@pytest.fixture(scope="module")
def world(single_guests, guest, tmp_path_factory):
    yield from worlds(single_guests, guest, tmp_path_factory.mktemp("key"))


def test_a_guest_outlives_every_daemon_of_its_host(world: World):
    cloud = world.cloud
    compute = cloud.admin.compute
    first, begun = world.boot("first", world.root)
    booted = first.boot_id()
    measured(f"single shape: SSH after {time.monotonic() - begun:.1f} s")

    def building() -> str:
        return compute.create_server(name="midway", image_id=world.disk, flavor_id=world.flavor, networks=[{"uuid": world.network}]).id
    midway = [building()]
    until("it is being spawned", lambda: compute.get_server(midway[0]).task_state == "spawning", 20, pause=0.02)
    for name in ("compute1", "network1"):
        cloud.kill(name)
    midway.append(building())
    assert first.boot_id() == booted, "guests do not notice"
    for name in ("network1", "compute1"):
        cloud.start(name)
    begun = time.monotonic()
    for server in midway:
        cloud.wait(server, "ACTIVE")
    measured(f"compute and network daemons killed: all ACTIVE after {time.monotonic() - begun:.1f} s")

    midway.append(building())
    os.kill(libvirtd.daemon_pid(cloud.state / "node1" / "libvirt"), signal.SIGKILL)
    cloud.wait(midway[-1], "ACTIVE", "ERROR")
    assert first.boot_id() == booted
    for server in (first.id, *midway):
        compute.delete_server(server)
    for server in (first.id, *midway):
        cloud.wait_gone(server)
    cloud.nothing_left()
