"""Ports and volumes of real guests: what they see come and go, and what a daemon's death in the middle of it changes."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from devstack.settings import Settings
from tests.fakes.volumes import Volumes
from tests.live.clouds import SDK_WARNS, Cloud, measured, until
from tests.live.conftest import SOON, _need_libvirt, _running, free_ports
from tests.live.guests import Guest, World, worlds

pytestmark = [pytest.mark.libvirt, pytest.mark.root, pytest.mark.timeout(300), SDK_WARNS]
OPTIONS = SOON | {
    "volume.client": "tests.fakes.volumes:of_cloud", "libvirt.device_detach_timeout": "5", "conductor.device_timeout": "60",
}


@pytest.fixture(scope="module")
def cloud(guest):
    _need_libvirt()
    yield from _running(Settings(shape="embedded", driver="libvirt", apart=True, ports=free_ports(), options=OPTIONS))


@pytest.fixture(scope="module")
def volumes(cloud: Cloud):
    """The cloud's volume service, looked at from outside."""
    folder = next(cloud.state.rglob("volumes"))
    made = Volumes(folder=Path(folder))
    yield made
    assert not made.held_by("") and not any(volume.status != "available" for volume in made.shown().values())
    made.close()


@pytest.fixture(scope="module")
def world(cloud, volumes, guest, tmp_path_factory):
    yield from worlds(cloud, guest, tmp_path_factory.mktemp("key"))


@pytest.fixture(scope="module")
def server(world) -> Guest:
    made, _ = world.boot("plugged", world.root)
    made.run("true")
    return made


def attach(world: World, server: Guest, volume_id: str) -> None:
    """Attach a volume and wait until it is in use."""
    began = time.monotonic()
    world.cloud.admin.compute.create_volume_attachment(server.id, volume_id=volume_id)
    idle(world.cloud, server)
    measured(f"volume attached after {time.monotonic() - began:.2f} s")


def detach(world: World, server: Guest, volume_id: str) -> None:
    """Detach a volume and wait until it is gone."""
    began = time.monotonic()
    world.cloud.admin.compute.delete_volume_attachment(server.id, volume_id)
    idle(world.cloud, server)
    measured(f"volume detached after {time.monotonic() - began:.2f} s")


def idle(cloud: Cloud, server: Guest) -> None:
    """Wait until nothing works on the server."""
    until("the change of devices has ended", lambda: not cloud.busy(), 60, pause=0.05)


def count(server: Guest) -> int:
    """Answer how many volumes the guest sees."""
    return int(server.run("ls -d /sys/block/vd[b-z] 2>/dev/null | wc -l"))


def sees(server: Guest, volume_id: str) -> None:
    """Wait until the guest has noticed its new disk."""
    until("the guest sees the volume", lambda: server.run("cat /sys/block/vdb/serial") == volume_id[:20], 20)


def test_a_second_port_and_its_address(world: World, server: Guest):
    cloud = world.cloud
    other = cloud.admin.network.create_network(name="second")
    cloud.admin.network.create_subnet(network_id=other.id, ip_version=4, cidr="10.67.0.0/24", gateway_ip=None)
    assert "eth1" not in server.run("ls /sys/class/net")
    began = time.monotonic()
    made = cloud.admin.compute.create_server_interface(server.id, net_id=other.id)
    measured(f"port attached after {time.monotonic() - began:.2f} s")
    address = made.fixed_ips[0]["ip_address"]
    until("the guest has it", lambda: server.run("cat /sys/class/net/eth1/address") == made.mac_addr, 20)
    until(
        "the guest has the port's address",
        lambda: address in server.run("ip -4 addr show eth1 2>/dev/null; true"), 40, pause=0.5,
    )
    measured(f"its address after {time.monotonic() - began:.1f} s")
    assert [ip["addr"] for ip in cloud.admin.compute.get_server(server.id).addresses["second"]] == [address]
    assert made.port_id in [port.port_id for port in cloud.admin.compute.server_interfaces(server.id)]
    began = time.monotonic()
    cloud.admin.compute.delete_server_interface(made.port_id, server.id)
    until("the guest lost the port", lambda: "eth1" not in server.run("ls /sys/class/net"), 30)
    measured(f"port detached after {time.monotonic() - began:.2f} s")
    until("the port is gone", lambda: cloud.admin.network.find_port(made.port_id) is None, 20)
    assert "second" not in cloud.admin.compute.get_server(server.id).addresses
    cloud.admin.network.delete_network(other.id)


def test_a_port_of_the_users_own_outlives_its_attachment(world: World, server: Guest):
    cloud = world.cloud
    port = cloud.admin.network.create_port(network_id=world.network)
    cloud.cli("server", "add", "port", server.id, port.id)
    until("the guest has it", lambda: port.mac_address in server.run("cat /sys/class/net/*/address"), 10)
    cloud.cli("server", "remove", "port", server.id, port.id)
    until("the guest lost it", lambda: port.mac_address not in server.run("cat /sys/class/net/*/address"), 30)
    until("it is free", lambda: not cloud.admin.network.get_port(port.id).device_id, 10)
    cloud.admin.network.delete_port(port.id)


def test_a_volume_carries_data_from_server_to_server(world: World, server: Guest, volumes: Volumes):
    cloud, volume = world.cloud, volumes.make(project_id="")
    attach(world, server, volume)
    shown = cloud.admin.compute.get_volume_attachment(server.id, volume)
    assert shown.device == "/dev/vdb"
    sees(server, volume)
    assert server.run("/sbin/mke2fs -q -F -t ext4 /dev/vdb && mkdir -p /mnt && mount /dev/vdb /mnt && echo kept > /mnt/marker && sync && cat /mnt/marker") == "kept"
    # It stays over a stop, in the same place.
    server.run("umount /mnt")
    cloud.admin.compute.stop_server(server.id)
    cloud.wait(server.id, "SHUTOFF")
    cloud.admin.compute.start_server(server.id)
    cloud.wait(server.id, "ACTIVE")
    assert server.run("mkdir -p /mnt && mount /dev/vdb /mnt && cat /mnt/marker && umount /mnt") == "kept"
    found = cloud.admin.compute.get_server_diagnostics(server.id)
    assert (found.state, found.driver, found.num_disks, found.num_nics) == ("running", "libvirt", 2, 1)
    assert found.nic_details[0]["mac_address"] == cloud.admin.compute.get_server(server.id).addresses["guests"][0]["OS-EXT-IPS-MAC:mac_addr"]
    assert found.disk_details[1]["read_bytes"] > 0
    detach(world, server, volume)
    assert "vdb" not in server.run("ls /sys/block")
    assert volumes.shown()[volume].status == "available"
    other, _ = world.boot("reader", world.root)
    cloud.admin.compute.create_volume_attachment(other.id, volume_id=volume, delete_on_termination=True)
    idle(cloud, other)
    sees(other, volume)
    assert other.run("mkdir -p /mnt && mount /dev/vdb /mnt && cat /mnt/marker") == "kept"
    cloud.admin.compute.delete_server(other.id)
    cloud.wait_gone(other.id)
    assert volume not in volumes.shown(), "the volume was to end with its server"


def test_several_volumes_asked_for_at_once(world: World, server: Guest, volumes: Volumes):
    """As Terraform does."""
    ids, began = [volumes.make(project_id="") for _ in range(3)], time.monotonic()
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda one: world.cloud.admin.compute.create_volume_attachment(server.id, volume_id=one), ids))
    until("the guest has all", lambda: count(server) == 3, 30)
    measured(f"three volumes asked for at once: attached after {time.monotonic() - began:.1f} s")
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda one: world.cloud.admin.compute.delete_volume_attachment(server.id, one), ids))
    until("the guest has none", lambda: count(server) == 0, 60)
    until("all are available", lambda: {volumes.shown()[one].status for one in ids} == {"available"}, 20)


@pytest.mark.parametrize("after", [0.05, 0.3])
def test_a_killed_daemon_in_the_middle(world: World, server: Guest, volumes: Volumes, after: float):
    cloud, volume = world.cloud, volumes.make(project_id="")
    booted = server.boot_id()

    def killed() -> None:
        time.sleep(after)
        cloud.kill("all")
        cloud.start("all")
        cloud.stack.wait_for_apis()
    cloud.admin.compute.create_volume_attachment(server.id, volume_id=volume)
    killed()
    until("it is attached", lambda: volumes.shown()[volume].status == "in-use", 60)
    until("nothing works on the server", lambda: not cloud.busy(), 30)
    sees(server, volume)
    cloud.admin.compute.delete_volume_attachment(server.id, volume)
    killed()
    until("it is detached", lambda: volumes.shown()[volume].status == "available" and not cloud.busy(), 60)
    assert "vdb" not in server.run("ls /sys/block")
    assert server.boot_id() == booted
    assert not list(cloud.admin.compute.volume_attachments(server.id))


def test_a_deleted_server_lets_go_of_all(world: World, server: Guest, volumes: Volumes):
    cloud, volume = world.cloud, volumes.make(project_id="")
    attach(world, server, volume)
    cloud.admin.compute.create_server_interface(server.id, net_id=world.network)
    cloud.admin.compute.delete_server(server.id)
    cloud.wait_gone(server.id)
    assert volumes.shown()[volume].status == "available"
    assert not volumes.exports
    cloud.nothing_left()
