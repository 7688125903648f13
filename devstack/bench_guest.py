"""Real guests: how long from POST to ACTIVE and to a login, beside defining and starting the same domain by hand."""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import libvirt
import openstack
from rich.console import Console
from rich.table import Table

from devstack import guest_image, processes
from devstack.access import let_in
from devstack.demo import ssh_command, wait_for_ssh
from devstack.progress import step
from devstack.settings import STANDARD_PORTS, Settings
from devstack.stack import Stack

#: What the issue asks for: seconds from POST to a login.
LOGIN_TARGETS = {"kernel and ramdisk": 8.0, "bootable disk": 13.0}


def measure(repeat: int) -> dict[str, Any]:
    """Boot `repeat` guests of each kind in a fresh embedded cloud; answer all times in seconds."""
    pictures = guest_image.build()
    stack = Stack(Path(tempfile.mkdtemp(prefix="nlb-", dir="/tmp")))
    try:
        stack.up(Settings(shape="embedded", driver="libvirt", ports={name: processes.free_port() for name in STANDARD_PORTS}))
        config = openstack.config.OpenStackConfig(config_files=[str(stack.state / "clouds.yaml")], load_envvars=False)
        cloud = openstack.connection.Connection(config=config.get_one(cloud="novalike-admin"))
        images = _images(cloud, pictures)
        flavor = cloud.compute.create_flavor(name="guest", ram=256, vcpus=1, disk=1)
        network = cloud.network.create_network(name="guest")
        cloud.network.create_subnet(network_id=network.id, ip_version=4, cidr="10.78.0.0/24")
        let_in(cloud)
        _key(cloud, stack.state)
        connection = libvirt.open(_uri(stack))
        found: dict[str, Any] = {}
        for kind, image in images.items():
            rows = []
            for number in range(repeat + 1):     # the first one fills the image cache and is not counted
                with step(f"{kind} {number or '(fills the cache)'}"):
                    row = _one(cloud, stack, connection, image, flavor.id, network.id)
                if number:
                    rows.append(row)
            found[kind] = rows
        connection.close()
        return found
    finally:
        stack.down(purge=True)


def _images(cloud: Any, pictures: guest_image.GuestImage) -> dict[str, str]:
    def add(name: str, file: Path, kind: str, **properties: str) -> str:
        made = cloud.image.create_image(
            name=name, disk_format=kind, container_format=kind if kind in {"aki", "ari", "ami"} else "bare", filename=str(file), **properties,
        )
        return str(made.id)
    kernel, ramdisk = add("kernel", pictures.kernel, "aki"), add("ramdisk", pictures.ramdisk, "ari")
    return {
        "kernel and ramdisk": add("root", pictures.root, "ami", kernel_id=kernel, ramdisk_id=ramdisk),
        "bootable disk": add("disk", pictures.disk, "qcow2"),
    }


def _key(cloud: Any, state: Path) -> None:
    file = state / "id_demo"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(file)], check=True)
    cloud.compute.create_keypair(name="guest", public_key=file.with_suffix(".pub").read_text().strip())


def _uri(stack: Stack) -> str:
    return f"qemu:///system?socket={stack.state / 'libvirt' / 'run' / 'libvirt-sock'}"


def _one(cloud: Any, stack: Stack, connection: libvirt.virConnect, image: str, flavor: str, network: str) -> dict[str, float]:
    begun = time.monotonic()
    server = cloud.compute.create_server(name="guest", image_id=image, flavor_id=flavor, key_name="guest", networks=[{"uuid": network}])
    server = _until(cloud, server.id, "ACTIVE")
    active = time.monotonic() - begun
    address = next(iter(server.addresses.values()))[0]["addr"]
    wait_for_ssh(ssh_command(stack.state, address), "true")
    login = time.monotonic() - begun
    cloud.compute.stop_server(server.id)
    _until(cloud, server.id, "SHUTOFF")
    by_hand = _by_hand(connection, server.id)
    begun = time.monotonic()
    cloud.compute.delete_server(server.id)
    cloud.compute.wait_for_delete(server, interval=0.05)
    return {"active": active, "by hand": by_hand, "login": login, "delete": time.monotonic() - begun}


def _until(cloud: Any, server: str, status: str) -> Any:
    give_up = time.monotonic() + 120
    while (found := cloud.compute.get_server(server)).status != status:
        if found.status == "ERROR" or time.monotonic() > give_up:
            raise RuntimeError(f"the server is {found.status}: {found.fault}")
        time.sleep(0.02)
    return found


def _by_hand(connection: libvirt.virConnect, server: str) -> float:
    """Define and start the stopped server's own domain, as an administrator with virsh would; seconds."""
    domain = connection.lookupByUUIDString(server)
    xml = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    domain.undefine()
    begun = time.monotonic()
    connection.defineXML(xml).create()
    took = time.monotonic() - begun
    connection.lookupByUUIDString(server).destroy()
    return took


def show(measured: Mapping[str, Any]) -> None:
    """Print medians beside what is asked for."""
    table = Table(title="real guests, medians in seconds", title_justify="left")
    for name in ("boot", "POST to ACTIVE", "define + create by hand", "difference", "asked", "POST to login", "asked", "delete"):
        table.add_column(name, justify="left" if name == "boot" else "right")
    for kind, rows in measured.items():
        def median(pick: Callable[[dict[str, float]], float], rows: list[dict[str, float]] = rows) -> str:
            return f"{statistics.median(map(pick, rows)):.2f}"
        table.add_row(
            kind, median(lambda r: r["active"]), median(lambda r: r["by hand"]), median(lambda r: r["active"] - r["by hand"]), "0.15",
            median(lambda r: r["login"]), f"{LOGIN_TARGETS[kind]:.0f}", median(lambda r: r["delete"]),
        )
    Console().print(table)

