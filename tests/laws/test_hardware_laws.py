"""CPUs, pages and devices of a server are its alone, on every host which keeps a piece of it, whatever dies or is lost."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from novalike.db import audit, claims, hosts
from novalike.objects.hardware import Hardware
from novalike.objects.states import VmState
from novalike.rpc import serializer
from novalike.virt.fake.faults import Fault
from tests.factories_instances import SMALL
from tests.laws import stories
from tests.laws.cloud import SimulatedCloud
from tests.laws.stories import Story
from tests.laws.test_resize_laws import confirm, move, revert

pytestmark = stories.CRASHES

HOST = {
    "fake__numa_cell": ["cpus=0-7 memory_mb=4096 threads=2 pages=2048:512", "cpus=8-15 memory_mb=4096 threads=2"],
    "compute__cpu_dedicated_set": "0-3,8-11", "compute__cpu_shared_set": "4-7,12-15",
    "fake__pci_device": [f"address=0000:05:00.{number} vendor_id=8086 product_id=1520 numa_node=0" for number in range(4)],
    "pci__device_spec": ['{"vendor_id": "8086"}'],
}
OPTIONS = {"host_options": HOST, "pci__alias": ['{"name": "nic", "vendor_id": "8086"}']}
PINNED = replace(SMALL, flavorid="7", name="p1", vcpus=2, memory_mb=512, extra_specs={
    "hw:cpu_policy": "dedicated", "hw:mem_page_size": "large", "pci_passthrough:alias": "nic:2",
})
LARGER = replace(PINNED, flavorid="8", name="p2", vcpus=4, extra_specs={"hw:cpu_policy": "dedicated", "hw:numa_nodes": "2"})


def build(cloud: SimulatedCloud) -> str:
    uuid = cloud.create(flavor=PINNED)
    cloud.settle()
    return uuid


def built_and_moved(cloud: SimulatedCloud) -> str:
    with stories.peace(cloud):
        uuid = build(cloud)
    move(cloud, uuid, flavor=LARGER)
    cloud.settle()
    return uuid


def moved_and(end):
    def play(cloud: SimulatedCloud) -> str:
        with stories.peace(cloud):
            uuid = built_and_moved(cloud)
        end(cloud, uuid)
        cloud.settle()
        return uuid
    return play


def built_and_deleted(cloud: SimulatedCloud) -> str:
    uuid = build(cloud)
    cloud.delete(uuid)
    cloud.settle()
    return uuid


def exact(cloud: SimulatedCloud, uuid: str) -> None:
    """What the server knows, what its claim says and what its guest has are one; and nothing is given twice."""
    server = cloud.server(uuid)
    with cloud.database.read() as session:
        held = {one.role: one for one in claims.of_instance(session, uuid)}
        nodes = hosts.list_compute_nodes(session, down_after=60)
        everyone = claims.hardware_held(session, [node.id for node in nodes])
    assert not [str(one) for one in audit.leftovers(cloud.cells) if one.kind in ("host", "claim", "instance")]
    for parts in everyone.values():
        counted = Counter(host for one in parts for cell in one.cells for _, host in cell.pins)
        counted += Counter(one.address for part in parts for one in part.devices)
        assert max(counted.values(), default=0) <= 1, counted
    if server.vm_state == VmState.DELETED or server.host is None:
        assert not held
        return
    assert server.hardware == held["instance"].hardware is not None
    guest = cloud.hosts[server.host].hypervisor.find(uuid)
    assert serializer.load(Hardware, guest.facts["hardware"]) == server.hardware, "the guest has other hardware than its claim"
    wanted = 4 if server.flavor.flavorid == "8" else 2
    assert (server.hardware.cells[0].page_kb, sum(len(cell.pins) for cell in server.hardware.cells)) == (None if wanted == 4 else 2048, wanted)


STORIES = (
    Story("build", build, {VmState.ACTIVE}, more=exact, options=OPTIONS),
    Story("resize", built_and_moved, {VmState.RESIZED, VmState.ACTIVE}, more=exact, options=OPTIONS),
    Story("confirm", moved_and(confirm), {VmState.ACTIVE}, more=exact, options=OPTIONS),
    Story("revert", moved_and(revert), {VmState.ACTIVE}, more=exact, options=OPTIONS),
    Story("delete", built_and_deleted, {VmState.DELETED}, more=exact, options=OPTIONS),
)


@pytest.mark.parametrize("story", STORIES, ids=str)
def test_hardware_stays_exact_when_a_conductor_dies(tmp_path, story):
    stories.conductor_may_die(tmp_path, story, first=2, stride=9)


def test_two_hosts_give_what_they_have_and_no_more(tmp_path):
    cloud = SimulatedCloud(tmp_path, **OPTIONS)
    uuids = [cloud.create(flavor=PINNED) for _ in range(5)]
    cloud.settle()
    states = Counter(cloud.server(uuid).vm_state for uuid in uuids)
    assert states == {VmState.ACTIVE: 4, VmState.ERROR: 1}, "two times two pairs of CPUs beside huge pages and devices"
    [failed] = [cloud.server(uuid) for uuid in uuids if cloud.server(uuid).vm_state == VmState.ERROR]
    assert "2 removed by PciPassthroughFilter (not enough PCI devices nic)" in failed.fault.message, failed.fault.message
    for uuid in uuids:
        if uuid != failed.uuid:
            exact(cloud, uuid)
    cloud.close()


def test_a_server_built_again_elsewhere_leaves_nothing_behind(tmp_path):
    cloud = SimulatedCloud(tmp_path, **OPTIONS)
    cloud.hosts["host0"].break_down(Fault(operation="spawn", error="no space left"))
    cloud.hosts["host1"].break_down(Fault(operation="spawn", error="no space left"))
    uuid = build(cloud)
    assert cloud.server(uuid).vm_state == VmState.ERROR
    with cloud.database.read() as session:
        assert claims.of_instance(session, uuid) == ()
    assert cloud.server(uuid).hardware is None
    cloud.close()
