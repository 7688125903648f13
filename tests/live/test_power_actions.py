"""Pause, suspend, crash dump and soft delete: what real guests notice of them."""

from __future__ import annotations

import time

import pytest

from devstack.settings import Settings
from tests.live.clouds import SDK_WARNS, Refused, measured, until
from tests.live.conftest import FAKE, SOON, _running, free_ports
from tests.live.guests import Guest, World, worlds

pytestmark = [pytest.mark.libvirt, pytest.mark.root, pytest.mark.timeout(300), SDK_WARNS]


@pytest.fixture(scope="module")
def world(guests, guest, tmp_path_factory):
    yield from worlds(guests, guest, tmp_path_factory.mktemp("key"))


@pytest.fixture(scope="module")
def server(world) -> Guest:
    made, _begun = world.boot("powered", world.root)
    made.run("true")
    return made


def uptime(guest: Guest) -> float:
    return float(guest.run("cut -d' ' -f1 /proc/uptime"))


def test_a_paused_guests_clock_stands_still(world: World, server: Guest):
    cloud = world.cloud
    before, began = uptime(server), time.monotonic()
    cloud.admin.compute.pause_server(server.id)
    assert cloud.wait(server.id, "PAUSED").power_state == 3
    assert cloud.virsh("domstate", server.id).strip() == "paused"
    time.sleep(4)
    cloud.admin.compute.unpause_server(server.id)
    assert cloud.wait(server.id, "ACTIVE").power_state == 1
    passed = uptime(server) - before
    assert passed < time.monotonic() - began - 3, "the guest's clock went on while it was paused"


def test_suspend_keeps_a_running_process(world: World, server: Guest):
    cloud = world.cloud
    booted = server.boot_id()
    process = server.run("sleep 4321 >/dev/null 2>&1 & echo $!")
    began = time.monotonic()
    cloud.admin.compute.suspend_server(server.id)
    cloud.wait(server.id, "SUSPENDED")
    measured(f"suspended after {time.monotonic() - began:.1f} s")
    assert cloud.virsh("domstate", server.id).strip() == "shut off"
    began = time.monotonic()
    cloud.admin.compute.resume_server(server.id)
    cloud.wait(server.id, "ACTIVE")
    measured(f"resumed after {time.monotonic() - began:.1f} s")
    assert server.boot_id() == booted
    assert "4321" in server.run(f"tr '\\0' ' ' < /proc/{process}/cmdline")


def test_a_crash_dump_is_an_nmi_to_the_guest(world: World, server: Guest):
    world.cloud.admin.compute.trigger_server_crash_dump(server.id)
    until("the guest's kernel tells of an NMI", lambda: "NMI" in server.run("dmesg | grep -i 'nmi received' || true"), 20)


def test_soft_delete_restore_and_reclaim():
    options = SOON | FAKE | {"DEFAULT.reclaim_instance_interval": "4"}
    for cloud in _running(Settings(shape="embedded", driver="fake", computes=1, ports=free_ports(), options=options)):
        image = cloud.admin.image.create_image("i", data=b"x" * 1024, disk_format="raw", container_format="bare")
        flavor = cloud.admin.compute.create_flavor(name="f", ram=64, vcpus=1, disk=1)
        made = cloud.admin.compute.create_server(name="phoenix", image_id=image.id, flavor_id=flavor.id, networks="none")
        cloud.wait(made.id, "ACTIVE")
        cloud.cli("server", "delete", made.id)
        cloud.wait(made.id, "SOFT_DELETED")
        with pytest.raises(Refused, match="Cannot 'start' instance"):
            cloud.cli("server", "start", made.id)
        cloud.cli("server", "restore", made.id)
        assert cloud.wait(made.id, "ACTIVE").power_state == 1
        cloud.cli("server", "delete", made.id)
        cloud.wait(made.id, "SOFT_DELETED")
        cloud.wait_gone(made.id, seconds=90)
        cloud.nothing_left()
