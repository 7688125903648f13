"""Resize on one host, and cold migration between two, as the guests see it; and what happens when daemons die in the middle."""

from __future__ import annotations

import time

import pytest

from tests.live.clouds import SDK_WARNS, Cloud, measured, until
from tests.live.guests import Guest, World, worlds

pytestmark = [pytest.mark.libvirt, pytest.mark.root, pytest.mark.timeout(400), SDK_WARNS]


@pytest.fixture(scope="module")
def one(guests, guest, tmp_path_factory):
    yield from worlds(guests, guest, tmp_path_factory.mktemp("one"))


@pytest.fixture(scope="module")
def two(two_nodes, guest, tmp_path_factory):
    yield from worlds(two_nodes, guest, tmp_path_factory.mktemp("two"))


def larger(cloud: Cloud) -> str:
    found = cloud.admin.compute.find_flavor("larger")
    return (found or cloud.admin.compute.create_flavor(name="larger", ram=192, vcpus=2, disk=2, swap=16)).id


def seen(guest: Guest) -> tuple[int, int, int]:
    """What the guest sees of itself: CPUs, MiB of memory, MiB of disk."""
    cpus, memory, sectors = guest.run("nproc; awk '/MemTotal/{print $2}' /proc/meminfo; cat /sys/block/vda/size").split()
    return int(cpus), int(memory) >> 10, int(sectors) >> 11


def moved(cloud: Cloud, guest: Guest, status: str = "VERIFY_RESIZE") -> float:
    begun = time.monotonic()
    cloud.wait(guest.id, status, seconds=120)
    return time.monotonic() - begun


def remove(cloud: Cloud, guest: Guest) -> None:
    cloud.admin.compute.delete_server(guest.id)
    cloud.wait_gone(guest.id)
    cloud.nothing_left()


def test_a_guest_grows_and_shrinks_back_on_its_host(one: World):
    cloud, compute = one.cloud, one.cloud.admin.compute
    guest, _ = one.boot("grows", one.disk)
    small = seen(guest)
    guest.run("echo kept > /root/kept; sync")
    compute.resize_server(guest.id, larger(cloud))
    until("it is being moved", lambda: compute.get_server(guest.id).status == "RESIZE", 10, pause=0.05)
    measured(f"resize on one host: VERIFY_RESIZE after {moved(cloud, guest):.1f} s")
    assert guest.run("cat /root/kept") == "kept"
    cpus, memory, disk = seen(guest)
    assert (cpus, disk) == (2, 2048)
    assert memory - small[1] > 50
    assert guest.run("cat /sys/block/vdb/size") == str(16 << 11), "the new flavor's swap"
    guest.run("echo lost > /root/lost; sync")
    compute.revert_server_resize(guest.id)
    measured(f"revert on one host: ACTIVE after {moved(cloud, guest, 'ACTIVE'):.1f} s")
    assert guest.run("cat /root/kept; cat /root/lost 2>/dev/null") == "kept"
    assert seen(guest) == small

    compute.resize_server(guest.id, larger(cloud))
    moved(cloud, guest)
    booted = guest.boot_id()
    compute.confirm_server_resize(guest.id)
    measured(f"confirm: ACTIVE after {moved(cloud, guest, 'ACTIVE'):.1f} s")
    assert guest.boot_id() == booted, "confirming disturbs nothing"
    assert guest.run("cat /root/kept") == "kept"
    assert seen(guest)[0] == 2
    [limits] = [compute.get_limits().absolute]
    assert limits.total_cores_used == 2, "the quota counts what is there"
    remove(cloud, guest)


def test_a_killed_daemon_ends_its_resize_after_all(one: World):
    cloud, compute = one.cloud, one.cloud.admin.compute
    guest, _ = one.boot("killed", one.root, config_drive=True)
    guest.run("echo kept > /root/kept; sync")
    compute.resize_server(guest.id, larger(cloud))
    until("its disks are made", lambda: compute.get_server(guest.id).task_state in ("resize_finish", None), 60, pause=0.02)
    cloud.kill("all")
    cloud.start("all")
    cloud.stack.wait_for_apis()
    measured(f"resize on one host, killed while resize_finish: VERIFY_RESIZE {moved(cloud, guest):.1f} s after the new start")
    assert guest.run("cat /root/kept") == "kept"
    assert seen(guest)[0] == 2
    compute.revert_server_resize(guest.id)
    moved(cloud, guest, "ACTIVE")
    assert guest.run("cat /root/kept") == "kept"
    assert guest.run("cat /run/config/openstack/latest/user_data") != "", "the config drive came along"
    compute.resize_server(guest.id, larger(cloud))
    until("it moves", lambda: compute.get_server(guest.id).task_state == "resize_migrating", 20, pause=0.02)
    remove(cloud, guest)


@pytest.mark.mariadb
@pytest.mark.rabbitmq
def test_a_guest_moves_to_another_host_and_back(two: World):
    cloud, compute = two.cloud, two.cloud.admin.compute
    guest, _ = two.boot("moves", two.disk, availability_zone="nova:node1", config_drive=True)
    guest.run("echo kept > /root/kept; sync")
    size = seen(guest)
    compute.migrate_server(guest.id)
    measured(f"cold migration to another host: VERIFY_RESIZE after {moved(cloud, guest):.1f} s")
    server = compute.get_server(guest.id)
    assert server.compute_host == "node2"
    assert (guest.run("cat /root/kept"), seen(guest)) == ("kept", size)
    [record] = list(compute.migrations(instance_uuid=guest.id))
    assert (record.source_compute, record.dest_compute, record.status, record.migration_type) == ("node1", "node2", "finished", "migration")
    compute.confirm_server_resize(guest.id)
    moved(cloud, guest, "ACTIVE")
    cloud.nothing_left()

    compute.resize_server(guest.id, larger(cloud))
    measured(f"resize to another host: VERIFY_RESIZE after {moved(cloud, guest):.1f} s")
    assert compute.get_server(guest.id).compute_host == "node1"
    assert (guest.run("cat /root/kept"), seen(guest)[0]) == ("kept", 2)
    guest.run("echo lost > /root/lost; sync")
    compute.revert_server_resize(guest.id)
    measured(f"revert from another host: ACTIVE after {moved(cloud, guest, 'ACTIVE'):.1f} s")
    assert compute.get_server(guest.id).compute_host == "node2"
    assert guest.run("cat /root/kept; cat /root/lost 2>/dev/null") == "kept"
    assert seen(guest) == size
    cloud.nothing_left()
    remove(cloud, guest)
