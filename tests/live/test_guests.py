"""Real guests through the whole cloud: what is seen from outside, over SSH from inside, and that nothing of them stays."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from devstack.guest_image import GuestImage
from tests.live.clouds import SDK_WARNS, Cloud, measured, until

pytestmark = [pytest.mark.libvirt, pytest.mark.root, pytest.mark.timeout(240), SDK_WARNS]
USER_DATA = "#!/bin/sh\necho it ran > /run/from-user-data\n"


@dataclass(frozen=True)
class World:
    """What guests need, and how to get into them."""

    cloud: Cloud
    flavor: str
    network: str
    disk: str                 # images
    kernel: str
    ramdisk: str
    root: str
    key: Path

    def boot(self, name: str, image: str, **settings) -> tuple[Guest, float]:
        """Boot a server; answer it and when it was asked for."""
        begun = time.monotonic()
        server = self.cloud.admin.compute.create_server(
            name=name, image_id=image, flavor_id=self.flavor, networks=[{"uuid": self.network}], key_name="guests",
            user_data=base64.b64encode(USER_DATA.encode()).decode(), metadata={"colour": "green"}, **settings,
        )
        server = self.cloud.wait(server.id, "ACTIVE")
        measured(f"{name}: ACTIVE after {time.monotonic() - begun:.2f} s")
        return Guest(self, server.id, server.addresses["guests"][0]["addr"]), begun


@dataclass(frozen=True)
class Guest:
    world: World
    id: str
    address: str

    def run(self, command: str, *, seconds: float = 60) -> str:
        """Run a command in the guest as soon as it lets us in."""
        ssh = [
            *self.world.cloud.stack.enter(), "ssh", "-i", str(self.world.key), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
            "-o", "ConnectTimeout=2", "-o", "BatchMode=yes", f"root@{self.address}", command,
        ]
        give_up = time.monotonic() + seconds
        while True:
            done = subprocess.run(ssh, capture_output=True, text=True, timeout=30, check=False)
            if done.returncode != 255:
                return done.stdout.strip()
            if time.monotonic() > give_up:
                console = self.console()
                raise AssertionError(f"no SSH to {self.address} within {seconds} s: {done.stderr}\nconsole:\n{console[-3000:]}")
            time.sleep(0.2)

    def console(self) -> str:
        return self.world.cloud.admin.compute.get_server_console_output(self.id)["output"]

    def boot_id(self) -> str:
        return self.run("cat /proc/sys/kernel/random/boot_id")


@pytest.fixture(scope="module")
def world(guests: Cloud, guest: GuestImage, tmp_path_factory):
    sdk = guests.admin
    key = tmp_path_factory.mktemp("key") / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    sdk.compute.create_keypair(name="guests", public_key=key.with_suffix(".pub").read_text().strip())
    flavor = sdk.compute.create_flavor(name="guest", ram=128, vcpus=1, disk=1)
    network = sdk.network.create_network(name="guests")
    sdk.network.create_subnet(network_id=network.id, ip_version=4, cidr="10.66.0.0/24")

    def image(name: str, file: Path, kind: str, **properties) -> str:
        container = kind if kind in ("aki", "ari", "ami") else "bare"
        made = sdk.image.create_image(
            name, data=file.read_bytes(), disk_format=kind, container_format=container, **properties,
        )
        return made.id
    kernel, ramdisk = image("kernel", guest.kernel, "aki"), image("ramdisk", guest.ramdisk, "ari")
    yield World(
        guests, flavor.id, network.id, image("disk", guest.disk, "qcow2"), kernel, ramdisk,
        image("root", guest.root, "raw", kernel_id=kernel, ramdisk_id=ramdisk), key,
    )
    for server in sdk.compute.servers(details=False):
        sdk.compute.delete_server(server.id)
    guests.nothing_left()


def test_a_bootable_disk_lives_through_its_life(world: World):
    cloud = world.cloud
    compute = cloud.admin.compute
    guest, begun = world.boot("first", world.disk)
    assert guest.run("hostname") == "first"
    measured(f"first: SSH after {time.monotonic() - begun:.1f} s")

    metadata = json.loads(guest.run("wget -q -O - http://169.254.169.254/openstack/latest/meta_data.json"))
    assert (metadata["uuid"], metadata["name"], metadata["meta"]) == (guest.id, "first", {"colour": "green"})
    assert metadata["public_keys"]["guests"].startswith("ssh-ed25519 ")
    assert guest.run("wget -q -O - http://169.254.169.254/latest/meta-data/local-ipv4") == guest.address
    until("user data ran", lambda: guest.run("cat /run/from-user-data") == "it ran", 10)
    assert guest.run("ls /run/config 2>/dev/null") == "", "no config drive without being asked"
    assert int(guest.run("df -m / | awk 'END{print $2}'")) > 800, "the root disk has the flavor's size"
    assert "login:" in until("a login line", lambda: "login:" in guest.console() and guest.console(), 20)
    tail = compute.get_server_console_output(guest.id, length=3)["output"]
    assert tail.count("\n") <= 3

    guest.run("echo kept > /root/kept; sync")
    first = guest.boot_id()
    compute.reboot_server(guest.id, "HARD")
    cloud.wait(guest.id, "ACTIVE")
    second = guest.boot_id()
    assert second != first
    compute.stop_server(guest.id)
    stopping = time.monotonic()
    assert cloud.wait(guest.id, "SHUTOFF").power_state == 4
    measured(f"first: SHUTOFF after {time.monotonic() - stopping:.1f} s")
    assert cloud.virsh("domstate", guest.id).strip() == "shut off"
    compute.start_server(guest.id)
    cloud.wait(guest.id, "ACTIVE")
    assert guest.boot_id() not in (first, second)
    assert guest.run("cat /root/kept") == "kept"

    begun = time.monotonic()
    compute.delete_server(guest.id)
    cloud.wait_gone(guest.id)
    measured(f"first: deleted after {time.monotonic() - begun:.1f} s")
    cloud.nothing_left()


def test_kernel_ramdisk_and_config_drive(world: World):
    cloud = world.cloud
    guest, begun = world.boot("second", world.root, config_drive=True)
    assert guest.run("hostname") == "second"
    measured(f"second: SSH after {time.monotonic() - begun:.1f} s")
    assert "from config drive" in guest.console()
    metadata = json.loads(guest.run("cat /run/config/openstack/latest/meta_data.json"))
    assert (metadata["uuid"], metadata["meta"]) == (guest.id, {"colour": "green"})
    network = json.loads(guest.run("cat /run/config/openstack/latest/network_data.json"))
    assert network["links"][0]["ethernet_mac_address"] == guest.run("cat /sys/class/net/eth0/address")
    assert guest.run("cat /run/config/openstack/latest/user_data") == USER_DATA.strip()
    cloud.admin.compute.delete_server(guest.id)
    cloud.wait_gone(guest.id)
    cloud.nothing_left()


def test_a_killed_daemon_leaves_guests_alone_and_ends_its_builds(world: World):
    cloud = world.cloud
    guest, _begun = world.boot("third", world.root)
    booted = guest.boot_id()
    compute = cloud.admin.compute
    one = compute.create_server(name="midway", image_id=world.disk, flavor_id=world.flavor, networks=[{"uuid": world.network}])
    time.sleep(0.3)
    cloud.kill("all")
    assert guest.boot_id() == booted, "guests do not notice"
    cloud.start("all")
    cloud.stack.wait_for_apis()
    begun = time.monotonic()
    cloud.wait(one.id, "ACTIVE")
    measured(f"midway: ACTIVE {time.monotonic() - begun:.1f} s after the cloud was started again")
    assert guest.boot_id() == booted
    for server in (one.id, guest.id):
        compute.delete_server(server)
        cloud.wait_gone(server)
    cloud.nothing_left()
