"""Real guests through the whole cloud: what is seen from outside, over SSH from inside, and that nothing of them stays."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from devstack import access
from tests.live.clouds import SDK_WARNS, measured, until
from tests.live.guests import USER_DATA, Guest, World, worlds

pytestmark = [pytest.mark.libvirt, pytest.mark.root, pytest.mark.timeout(240), SDK_WARNS]


@pytest.fixture(scope="module")
def world(guests, guest, tmp_path_factory):
    yield from worlds(guests, guest, tmp_path_factory.mktemp("key"))


def test_a_bootable_disk_and_the_metadata_service(world: World):
    cloud = world.cloud
    guest, begun = world.boot("first", world.disk)
    assert guest.run("hostname") == "first"
    measured(f"bootable disk: SSH after {time.monotonic() - begun:.1f} s")
    metadata = json.loads(guest.run("wget -q -O - http://169.254.169.254/openstack/latest/meta_data.json"))
    assert (metadata["uuid"], metadata["name"], metadata["meta"]) == (guest.id, "first", {"colour": "green"})
    assert metadata["public_keys"]["guests"].startswith("ssh-ed25519 ")
    assert guest.run("wget -q -O - http://169.254.169.254/latest/meta-data/local-ipv4") == guest.address
    until("user data ran", lambda: guest.run("cat /run/from-user-data") == "it ran", 10)
    assert guest.run("ls /run/config 2>/dev/null") == "", "no config drive without being asked"
    assert int(guest.run("df -m / | awk 'END{print $2}'")) > 800, "the root disk has the flavor's size"
    assert "login:" in until("a login line", lambda: "login:" in guest.console() and guest.console(), 20)
    assert cloud.admin.compute.get_server_console_output(guest.id, length=3)["output"].count("\n") <= 3
    the_groups_rules_hold(guest)
    begun = time.monotonic()
    cloud.admin.compute.delete_server(guest.id)
    cloud.wait_gone(guest.id)
    measured(f"deleted after {time.monotonic() - begun:.1f} s")
    cloud.nothing_left()


def the_groups_rules_hold(guest: Guest) -> None:
    """Take away the rule that lets SSH in, and put it back."""
    cloud = guest.world.cloud
    network = cloud.admin.network
    [rule] = [
        rule for group in network.security_groups(name="default", project_id=cloud.admin.current_project_id)
        for rule in network.security_group_rules(security_group_id=group.id, port_range_min=22)
    ]
    knock = "import socket, sys; socket.create_connection((sys.argv[1], 22), 0.5)"

    def let_in() -> bool:
        command = [*cloud.stack.enter(guest.node), sys.executable, "-I", "-c", knock, guest.address]
        return subprocess.run(command, capture_output=True, timeout=20, check=False).returncode == 0

    assert let_in()
    network.delete_security_group_rule(rule.id)
    begun = time.monotonic()
    until("the door to be shut", lambda: not let_in(), 10)
    measured(f"a removed rule is in force after {time.monotonic() - begun:.1f} s")
    access.let_in(cloud.admin)
    until("the door to be open", let_in, 10)


def test_kernel_ramdisk_and_config_drive_through_a_life(world: World):
    cloud = world.cloud
    compute = cloud.admin.compute
    flavor = compute.create_flavor(name="celled", ram=128, vcpus=1, disk=1)
    compute.create_flavor_extra_specs(flavor, {"hw:numa_nodes": "1", "hw:mem_page_size": "small"})
    guest, begun = replace(world, flavor=flavor.id).boot("second", world.root, config_drive=True)
    topology = compute.get(f"/servers/{guest.id}/topology", microversion="2.78").json()
    assert topology == {"nodes": [{"cpu_pinning": {}, "host_node": 0, "memory_mb": 128, "siblings": [], "vcpu_set": [0]}], "pagesize_kb": 4}
    assert '<memnode cellid="0" mode="strict" nodeset="0"/>' in cloud.virsh("dumpxml", guest.id).replace("'", '"')
    assert guest.run("hostname") == "second"
    measured(f"kernel and ramdisk: SSH after {time.monotonic() - begun:.1f} s")
    assert "from config drive" in guest.console()
    metadata = json.loads(guest.run("cat /run/config/openstack/latest/meta_data.json"))
    assert (metadata["uuid"], metadata["meta"]) == (guest.id, {"colour": "green"})
    network = json.loads(guest.run("cat /run/config/openstack/latest/network_data.json"))
    assert network["links"][0]["ethernet_mac_address"] == guest.run("cat /sys/class/net/eth0/address")
    assert guest.run("cat /run/config/openstack/latest/user_data") == USER_DATA.strip()

    guest.run("echo kept > /root/kept; sync")
    first = guest.boot_id()
    compute.reboot_server(guest.id, "HARD")
    cloud.wait(guest.id, "ACTIVE")
    second = guest.boot_id()
    assert second != first
    stopping = time.monotonic()
    compute.stop_server(guest.id)
    assert cloud.wait(guest.id, "SHUTOFF").power_state == 4
    measured(f"shut down after {time.monotonic() - stopping:.1f} s")
    assert cloud.virsh("domstate", guest.id).strip() == "shut off"
    compute.start_server(guest.id)
    cloud.wait(guest.id, "ACTIVE")
    assert guest.boot_id() not in (first, second)
    assert guest.run("cat /root/kept") == "kept"
    compute.delete_server(guest.id)
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
