"""Guests of live tests: what they need, and how to get into them."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import libvirt
import libvirt_qemu

from devstack.access import let_in
from devstack.guest_image import GuestImage
from tests.live.clouds import Cloud, measured

libvirt.registerErrorHandler(lambda _context, _error: None, None)     # it would write what is raised to stderr, too
USER_DATA = "#!/bin/sh\necho it ran > /run/from-user-data\n"


@dataclass(frozen=True)
class World:
    """What guests need."""

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
        measured(f"{name}: libvirt ACTIVE after {time.monotonic() - begun:.2f} s")
        return Guest(self, server.id, server.addresses["guests"][0]["addr"]), begun


@dataclass(frozen=True)
class Guest:
    world: World
    id: str
    address: str

    @property
    def node(self) -> int:
        """The number of the compute host where it is now."""
        cloud = self.world.cloud
        if cloud.stack.settings.computes == 1:
            return 1
        return int(cloud.admin.compute.get_server(self.id).compute_host.removeprefix("node"))

    def run(self, command: str, *, seconds: float = 60) -> str:
        """Run a command in the guest as soon as it lets us in."""
        ssh = [
            *self.world.cloud.stack.enter(self.node), "ssh", "-i", str(self.world.key), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
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

    def ask(self, command: str, *, seconds: float = 30) -> tuple[int, str]:
        """Run a command by the guest's agent (its image has `hw_qemu_guest_agent`), whatever its network is like; answer its
        status and what it printed."""
        give_up = time.monotonic() + seconds
        connection = libvirt.open(self.world.cloud.hypervisor(self.node))
        try:
            domain = connection.lookupByUUIDString(self.id)

            def agent(word: str, **arguments: object) -> dict:
                return json.loads(libvirt_qemu.qemuAgentCommand(domain, json.dumps({"execute": word, "arguments": arguments}), 10, 0))["return"]
            while True:
                try:
                    pid = agent("guest-exec", path="/bin/sh", arg=["-c", f"exec 2>&1; {command}"], **{"capture-output": True})["pid"]
                    break
                except libvirt.libvirtError:
                    if time.monotonic() > give_up:
                        raise AssertionError(f"the agent of the guest does not answer; console:\n{self.console()[-3000:]}") from None
                    time.sleep(0.3)
            while not (status := agent("guest-exec-status", pid=pid))["exited"]:
                assert time.monotonic() < give_up, f"not done within {seconds:g} s in the guest: {command}"
                time.sleep(0.03)
            return status.get("exitcode", -1), base64.b64decode(status.get("out-data", "")).decode(errors="replace").strip()
        finally:
            connection.close()

    def console(self) -> str:
        return self.world.cloud.admin.compute.get_server_console_output(self.id)["output"]

    def boot_id(self) -> str:
        return self.run("cat /proc/sys/kernel/random/boot_id")


def worlds(cloud: Cloud, guest: GuestImage, folder: Path) -> Iterator[World]:
    """Make images, flavor, network and key; afterwards every server goes, nothing may be left, and others may do the same there."""
    sdk = cloud.admin
    key = folder / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    sdk.compute.create_keypair(name="guests", public_key=key.with_suffix(".pub").read_text().strip())
    let_in(sdk)
    flavor = sdk.compute.create_flavor(name="guest", ram=128, vcpus=1, disk=1)
    network = sdk.network.create_network(name="guests")
    sdk.network.create_subnet(network_id=network.id, ip_version=4, cidr="10.66.0.0/24")

    images: list[str] = []

    def image(name: str, file: Path, kind: str, **properties) -> str:
        container = kind if kind in ("aki", "ari", "ami") else "bare"
        images.append(sdk.image.create_image(
            name, data=file.read_bytes(), disk_format=kind, container_format=container, **properties,
        ).id)
        return images[-1]
    kernel, ramdisk = image("kernel", guest.kernel, "aki"), image("ramdisk", guest.ramdisk, "ari")
    yield World(
        cloud, flavor.id, network.id, image("disk", guest.disk, "qcow2"), kernel, ramdisk,
        image("root", guest.root, "raw", kernel_id=kernel, ramdisk_id=ramdisk), key,
    )
    for server in sdk.compute.servers(details=False):
        sdk.compute.delete_server(server.id)
    cloud.nothing_left()
    for port in sdk.network.ports(network_id=network.id):
        if not port.device_owner.startswith("network:"):
            sdk.network.delete_port(port.id)
    sdk.network.delete_network(network.id)
    sdk.compute.delete_flavor(flavor.id)
    sdk.compute.delete_keypair("guests")
    for one in images:
        sdk.image.delete_image(one)
