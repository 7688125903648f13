"""Images of real guests, and shelving them: what was on their disks is seen from inside again; nobody's death loses or leaves any."""

from __future__ import annotations

import contextlib
import time

import openstack
import pytest

from tests.live.clouds import SDK_WARNS, measured, until
from tests.live.guests import Guest, World, worlds

pytestmark = [pytest.mark.libvirt, pytest.mark.root, pytest.mark.mariadb, pytest.mark.rabbitmq, pytest.mark.timeout(420), SDK_WARNS]


@pytest.fixture(scope="module")
def world(single_guests, guest, tmp_path_factory):
    for made in worlds(single_guests, guest, tmp_path_factory.mktemp("key")):
        made.cloud.admin.image.update_image(made.disk, hw_qemu_guest_agent="yes")
        yield made
        for image in images_of(made):
            made.cloud.admin.image.delete_image(image.id)


@pytest.fixture(scope="module")
def marked(world: World) -> Guest:
    """A guest which all tests share."""
    made, _begun = world.boot("marked", world.disk)
    made.run("echo first > /root/first; sync")
    return made


def images_of(world: World) -> list:
    """Images made of servers."""
    return [image for image in world.cloud.admin.image.images() if image.properties.get("image_type") or image.instance_uuid]


def idle(world: World, server: str, *statuses: str, seconds: float = 90):
    return world.cloud.wait(server, *statuses, seconds=seconds)


def until_task(world: World, server: str, *tasks: str) -> str:
    """Wait until the server is at one of these; answer it."""
    compute = world.cloud.admin.compute
    return until(f"{server} is at {tasks}", lambda: next((t for t in [compute.get_server(server).task_state] if t in tasks), None), 60, pause=0.02)


def no_copies(world: World) -> None:
    """No copy of a disk lies on the host."""
    until("no copies", lambda: not list(world.cloud.state.glob("*/instances/snapshots/*")), 20)


def snapshot(world: World, server: str, name: str) -> str:
    begun = time.monotonic()
    image = world.cloud.admin.compute.create_server_image(server, name)
    image_id = getattr(image, "id", image)
    idle(world, server, "ACTIVE", "SHUTOFF")
    measured(f"snapshot {name}: {time.monotonic() - begun:.1f} s")
    return image_id


def test_a_snapshot_of_a_running_guest_boots_with_what_it_had_not_yet_written_through(world: World, marked: Guest):
    image_api = world.cloud.admin.image
    booted = marked.boot_id()
    marked.run("echo unsynced > /root/unsynced")         # only the agent's freeze brings this to the disk
    made = snapshot(world, marked.id, "live")
    image = image_api.get_image(made)
    assert (image.status, image.disk_format, image.container_format, image.min_disk) == ("active", "qcow2", "bare", 1)
    assert image.owner_id == world.cloud.admin.current_project_id
    told = {name: image.properties.get(name, getattr(image, name, None)) for name in ("image_type", "instance_uuid", "base_image_ref", "image_location", "hw_qemu_guest_agent")}
    assert told == {"image_type": "snapshot", "instance_uuid": marked.id, "base_image_ref": world.disk, "image_location": "snapshot", "hw_qemu_guest_agent": "yes"}
    assert marked.boot_id() == booted
    assert marked.run("echo later > /root/later && sync && echo written") == "written", "the guest's file systems stand still"
    no_copies(world)
    second, _begun = world.boot("second", made)
    assert second.run("cat /root/first /root/unsynced") == "first\nunsynced"
    assert second.run("ls /root/later 2>/dev/null") == ""
    world.cloud.admin.compute.delete_server(second.id)
    world.cloud.wait_gone(second.id)
    image_api.delete_image(made)


def test_a_stopped_server_gives_an_image_and_backups_rotate(world: World, marked: Guest):
    compute, image_api = world.cloud.admin.compute, world.cloud.admin.image
    marked.run("echo stopped > /root/stopped; sync")
    compute.stop_server(marked.id)
    idle(world, marked.id, "SHUTOFF")
    made = snapshot(world, marked.id, "cold")
    assert image_api.get_image(made).status == "active"
    backups = []
    for _ in range(2):
        compute.backup_server(marked.id, "nightly", "daily", 1)
        idle(world, marked.id, "SHUTOFF")
        backups += [one.id for one in images_of(world) if one.name == "nightly" and one.id not in backups]
        time.sleep(1)                                    # images know seconds
    assert len(backups) == 2
    assert [one.id for one in images_of(world) if one.name == "nightly"] == backups[1:], "the older one is rotated away"
    no_copies(world)
    second, _begun = world.boot("of-cold", made)
    assert second.run("cat /root/first /root/stopped") == "first\nstopped"
    compute.delete_server(second.id)
    world.cloud.wait_gone(second.id)
    for one in (made, backups[1]):
        image_api.delete_image(one)
    compute.start_server(marked.id)
    idle(world, marked.id, "ACTIVE")


def test_shelved_and_back(world: World, marked: Guest):
    cloud, compute = world.cloud, world.cloud.admin.compute
    marked.run("echo shelved > /root/shelved")           # it shuts down properly: that syncs
    begun = time.monotonic()
    compute.shelve_server(marked.id)
    server = idle(world, marked.id, "SHELVED_OFFLOADED")
    measured(f"shelved and offloaded after {time.monotonic() - begun:.1f} s")
    assert (server.compute_host, server.hypervisor_hostname) == (None, None)
    assert server.addresses["guests"][0]["addr"] == marked.address
    assert cloud.virsh("list", "--all", "--uuid").split() == []
    assert not list(cloud.state.glob(f"*/instances/{marked.id}*"))
    (image,) = images_of(world)
    assert image.name == "marked-shelved"
    looking = time.monotonic()
    cloud.nothing_left()
    measured(f"nothing left {time.monotonic() - looking:.1f} s later")
    begun = time.monotonic()
    compute.unshelve_server(marked.id)
    server = idle(world, marked.id, "ACTIVE")
    measured(f"unshelved after {time.monotonic() - begun:.1f} s")
    assert server.addresses["guests"][0]["addr"] == marked.address
    assert marked.run("cat /root/first /root/shelved") == "first\nshelved"
    measured(f"unshelved: SSH after {time.monotonic() - begun:.1f} s")
    assert images_of(world) == []


@pytest.mark.parametrize("at", ["image_snapshot", "image_uploading"])
def test_compute_killed_in_the_middle_of_a_snapshot(world: World, marked: Guest, at: str):
    cloud, compute = world.cloud, world.cloud.admin.compute
    marked.run("dd if=/dev/urandom of=/root/ballast bs=1M count=60 2>/dev/null; sync")
    booted = marked.boot_id()
    made = compute.create_server_image(marked.id, f"killed-at-{at}")
    until_task(world, marked.id, *([at] if at == "image_snapshot" else [at, "image_pending_upload"]))
    cloud.kill("compute1")
    begun = time.monotonic()
    cloud.start("compute1")
    idle(world, marked.id, "ACTIVE")
    measured(f"compute killed at {at}: the snapshot ended {time.monotonic() - begun:.1f} s later")
    assert cloud.admin.image.get_image(getattr(made, "id", made)).status == "active"
    assert marked.boot_id() == booted
    assert marked.run("echo written > /root/after && sync && cat /root/after") == "written", "the guest's file systems stand still"
    no_copies(world)
    cloud.admin.image.delete_image(getattr(made, "id", made))


def test_a_delete_during_the_upload_leaves_no_image(world: World, marked: Guest):
    cloud, compute = world.cloud, world.cloud.admin.compute
    made = compute.create_server_image(marked.id, "never")
    at = until_task(world, marked.id, "image_pending_upload", "image_uploading")
    compute.delete_server(marked.id)
    cloud.wait_gone(marked.id)
    measured(f"deleted at {at}")
    with contextlib.suppress(openstack.exceptions.NotFoundException):
        assert cloud.admin.image.get_image(getattr(made, "id", made)).status == "active", "a half-made image stays"
    no_copies(world)
    cloud.nothing_left()
