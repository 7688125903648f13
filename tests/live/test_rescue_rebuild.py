"""Rescue, rebuild and passwords on real guests, seen from inside; and servers deleted in the middle of it."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.live.clouds import SDK_WARNS, measured
from tests.live.guests import Guest, World, worlds

pytestmark = [pytest.mark.libvirt, pytest.mark.root, pytest.mark.timeout(300), SDK_WARNS]


@pytest.fixture(scope="module")
def world(guests, guest, tmp_path_factory):
    yield from worlds(guests, guest, tmp_path_factory.mktemp("key"))


@pytest.fixture(scope="module")
def root_image(world: World, guest) -> str:
    """A small image with a guest agent; as a rescue image, for stable rescue."""
    made = world.cloud.admin.image.create_image(
        "agent", data=guest.root.read_bytes(), disk_format="raw", container_format="bare", kernel_id=world.kernel,
        ramdisk_id=world.ramdisk, hw_qemu_guest_agent="yes", hw_rescue_bus="virtio",
    )
    return made.id


@pytest.fixture
def ours(world: World):
    """Guests of a test; they go afterwards, and nothing may be left."""
    made: list[Guest] = []

    def boot(name: str, image: str) -> Guest:
        guest, _begun = world.boot(name, image)
        made.append(guest)
        guest.run("echo mine > /root/marker; sync")
        return guest
    yield boot
    for guest in made:
        world.cloud.admin.compute.delete_server(guest.id, ignore_missing=True)
    for guest in made:
        world.cloud.wait_gone(guest.id)
    world.cloud.nothing_left()


def act(world: World, guest: Guest, word: str, value: object, version: str = "2.93") -> dict:
    """Ask for an action; answer what the API says."""
    compute = world.cloud.admin.compute
    answer = compute.post(f"/servers/{guest.id}/action", json={word: value}, microversion=version)
    assert answer.status_code in (200, 202), answer.text
    return answer.json() if answer.content else {}


def lets_in(guest: Guest, password: str, folder: Path, *, seconds: float = 60) -> bool:
    """Whether root gets in by SSH with this password and no key."""
    answer = folder / "password.sh"
    answer.write_text(f"#!/bin/sh\necho '{password}'\n")
    answer.chmod(0o700)
    ssh = [
        *guest.world.cloud.stack.enter(), "setsid", "-w", "ssh", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
        "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=3", "-o", "PubkeyAuthentication=no", "-o", "NumberOfPasswordPrompts=1",
        f"root@{guest.address}", "echo let in",
    ]
    environment = {**os.environ, "SSH_ASKPASS": str(answer), "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": ":0"}
    give_up = time.monotonic() + seconds
    while True:
        done = subprocess.run(ssh, capture_output=True, text=True, timeout=30, check=False, env=environment, stdin=subprocess.DEVNULL)
        if "let in" in done.stdout:
            return True
        if "ermission denied" in done.stderr or time.monotonic() > give_up:
            return False
        time.sleep(0.3)


def test_passwords_rescue_and_rebuild_of_one_guest(world: World, root_image: str, ours, tmp_path):
    cloud, compute = world.cloud, world.cloud.admin.compute
    guest = ours("patient", root_image)
    server = compute.get_server(guest.id)

    assert not lets_in(guest, "Xq7-new-password", tmp_path)
    begun = time.monotonic()
    act(world, guest, "changePassword", {"adminPass": "Xq7-new-password"})
    cloud.wait(guest.id, "ACTIVE")
    measured(f"password changed after {time.monotonic() - begun:.2f} s")
    assert lets_in(guest, "Xq7-new-password", tmp_path)

    begun = time.monotonic()
    assert act(world, guest, "rescue", {"rescue_image_ref": world.root, "adminPass": "Resc-9pass"}) == {"adminPass": "Resc-9pass"}
    cloud.wait(guest.id, "RESCUE")
    measured(f"RESCUE after {time.monotonic() - begun:.2f} s")
    assert guest.run("ls /root/marker 2>/dev/null; awk '$2==\"/\"{print $1}' /proc/mounts") == "/dev/vda", "it runs from the rescue disk"
    measured(f"SSH in the rescue after {time.monotonic() - begun:.1f} s")
    assert guest.run("mount /dev/vdb /mnt && cat /mnt/root/marker; umount /mnt") == "mine", "its own disk is the second one"
    assert lets_in(guest, "Resc-9pass", tmp_path)

    begun = time.monotonic()
    act(world, guest, "unrescue", None)
    cloud.wait(guest.id, "ACTIVE")
    assert guest.run("cat /root/marker; ls /dev/vdb 2>/dev/null") == "mine"
    measured(f"unrescued: SSH after {time.monotonic() - begun:.1f} s")

    act(world, guest, "rescue", {"rescue_image_ref": root_image})
    cloud.wait(guest.id, "RESCUE")
    assert guest.run("mount /dev/vda /mnt && cat /mnt/root/marker; umount /mnt; awk '$2==\"/\"{print $1}' /proc/mounts") == "mine\n/dev/vdb", (
        "in a stable rescue its disk stays the first one"
    )
    act(world, guest, "unrescue", None)
    cloud.wait(guest.id, "ACTIVE")
    assert guest.run("cat /root/marker") == "mine"

    begun = time.monotonic()
    answer = act(world, guest, "rebuild", {"imageRef": world.disk, "name": "renewed", "metadata": {"colour": "blue"}})
    assert (answer["server"]["name"], answer["server"]["image"]["id"]) == ("renewed", world.disk)
    rebuilt = cloud.wait(guest.id, "ACTIVE")
    measured(f"rebuilt: ACTIVE after {time.monotonic() - begun:.2f} s")
    assert guest.run("ls /root/marker 2>/dev/null; hostname") == "patient", "the marker is gone"
    measured(f"rebuilt: SSH after {time.monotonic() - begun:.1f} s")
    assert (rebuilt.id, rebuilt.addresses, rebuilt.compute_host) == (server.id, server.addresses, server.compute_host)
    assert (rebuilt.image.id, rebuilt.name, rebuilt.metadata) == (world.disk, "renewed", {"colour": "blue"})

    compute.stop_server(guest.id)
    cloud.wait(guest.id, "SHUTOFF")
    act(world, guest, "rebuild", {"imageRef": root_image})
    assert cloud.wait(guest.id, "SHUTOFF").image.id == root_image
    assert cloud.virsh("domstate", guest.id).strip() == "shut off"
    compute.start_server(guest.id)
    cloud.wait(guest.id, "ACTIVE")
    assert guest.run("hostname") == "patient"


@pytest.mark.parametrize(("word", "value"), [("rescue", {}), ("rebuild", None)])
def test_deleted_in_the_middle(world: World, ours, word: str, value: dict | None):
    cloud, compute = world.cloud, world.cloud.admin.compute
    guest = ours(f"doomed-{word}", world.root)
    act(world, guest, word, value if value is not None else {"imageRef": world.disk})
    time.sleep(0.5)
    begun = time.monotonic()
    compute.delete_server(guest.id)
    cloud.wait_gone(guest.id)
    measured(f"deleted during {word} after {time.monotonic() - begun:.1f} s")
    cloud.nothing_left()


def test_an_image_which_the_host_cannot_run_changes_nothing(world: World, ours, guest):
    sdk = world.cloud.admin
    foreign = sdk.image.create_image(
        "foreign", data=b"\0" * 4096, disk_format="raw", container_format="bare", hw_architecture="s390x",
    )
    server = ours("stays", world.root)
    booted = server.boot_id()
    act(world, server, "rebuild", {"imageRef": foreign.id})
    assert world.cloud.wait(server.id, "ACTIVE").image.id == world.root
    assert (server.boot_id(), server.run("cat /root/marker")) == (booted, "mine")
    first = next(iter(sdk.compute.server_actions(server.id)))
    assert (first.action, first.message) == ("rebuild", "Error")
