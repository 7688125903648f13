"""Shelving: whatever dies or is lost, a server is on its host with its disk, or complete in its image with its ports kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, timedelta
from functools import partial

import pytest

from novalike.clock import ManualClock
from novalike.conductor.shelved import Shelved
from novalike.db import state_resets
from novalike.db.engine import Database
from novalike.objects.snapshot_tasks import OffloadState, ShelveState, UnshelveHereState, UnshelveState
from novalike.objects.states import PowerState, VmState
from novalike.virt.fake import snapshots
from novalike.virt.fake.faults import Fault
from tests.factories_instances import CALLER, NOW
from tests.laws import stories
from tests.laws.cloud import SimulatedCloud
from tests.laws.stories import CRASHES, Story
from tests.laws.test_snapshot_laws import MARKER, OPTIONS, booted, hypervisor, record

pytestmark = CRASHES


def ask(cloud: SimulatedCloud, uuid: str, *, offload: bool = True) -> None:
    server = cloud.server(uuid)
    cloud.begin(uuid, "shelve", kind="shelve", state=ShelveState(
        image_id=record(cloud, uuid, image_type="snapshot"), of_server=True, former=server.vm_state, host=server.host, offload=offload,
    ))


def ask_back(cloud: SimulatedCloud, uuid: str, **wanted) -> None:
    server = cloud.server(uuid)
    image = server.system_metadata["shelved_image_id"]
    if server.vm_state == VmState.SHELVED:
        cloud.begin(uuid, "unshelve", kind="unshelve_here", state=UnshelveHereState(image_id=image))
    else:
        cloud.begin(uuid, "unshelve", kind="unshelve", state=UnshelveState(image_id=image, **wanted))


def offload(cloud: SimulatedCloud, uuid: str) -> None:
    cloud.begin(uuid, "shelve_offload", kind="shelve_offload", state=OffloadState(host=cloud.server(uuid).host))


def shelve(offload: bool, action: str | None = None):
    return stories.asking(booted, partial(ask, offload=offload), after=action)


def shelved(cloud: SimulatedCloud, *, offload: bool) -> str:
    """A server which was shelved in peace."""
    uuid = booted(cloud)
    with stories.peace(cloud):
        ask(cloud, uuid, offload=offload)
        cloud.settle()
    return uuid


def late_offload(cloud: SimulatedCloud) -> str:
    uuid = shelved(cloud, offload=False)
    offload(cloud, uuid)
    cloud.settle()
    return uuid


def back(offload: bool, *faults: Fault):
    def play(cloud: SimulatedCloud) -> str:
        uuid = shelved(cloud, offload=offload)
        for fault in faults:
            for host in cloud.hosts.values():
                host.break_down(fault)
        ask_back(cloud, uuid)
        cloud.settle()
        return uuid
    return play


failing = partial(stories.asking, booted, ask)


def in_its_image(cloud: SimulatedCloud, uuid: str) -> None:
    server = cloud.server(uuid)
    (image,) = cloud.images.images.values()
    assert server.system_metadata["shelved_image_id"] == image.id
    assert server.system_metadata["shelved_host"] in cloud.hosts
    assert server.system_metadata["shelved_at"]
    assert image.status == "active"
    assert snapshots.from_bytes(cloud.images.contents[image.id]).endswith(MARKER)
    assert server.fault is None
    if server.host is not None:
        guest = hypervisor(cloud, uuid).find(uuid)
        assert guest.beside == {}
        assert guest.disks["disk"].endswith(MARKER)


def as_it_was(cloud: SimulatedCloud, uuid: str) -> None:
    """It is shelved no more, has what was written, and its image is gone."""
    server = cloud.server(uuid)
    assert not cloud.images.images, "the image it was shelved into remains"
    assert not [key for key in server.system_metadata if key.startswith("shelved")]
    guest = hypervisor(cloud, uuid).find(uuid)
    assert guest.disks["disk"].endswith(MARKER), "what its user wrote is lost"
    assert guest.beside == {}


def failed(cloud: SimulatedCloud, uuid: str) -> None:
    as_it_was(cloud, uuid)
    assert cloud.server(uuid).fault is not None


def still_offloaded(cloud: SimulatedCloud, uuid: str) -> None:
    server = cloud.server(uuid)
    assert server.fault is not None
    (image,) = cloud.images.images.values()
    assert image.id == server.system_metadata["shelved_image_id"]


SHELVE = Story("shelve", shelve(offload=False), {"shelved"}, more=in_its_image, options=OPTIONS)
AT_ONCE = Story("shelve and offload", shelve(offload=True), {"shelved_offloaded"}, more=in_its_image, options=OPTIONS)
PAUSED = Story("shelve a paused server", shelve(False, "pause"), {"shelved"}, more=in_its_image, options=OPTIONS)
SUSPENDED = Story("shelve a suspended server", shelve(True, "suspend"), {"shelved_offloaded"}, more=in_its_image, options=OPTIONS)
STOPPED = Story("shelve a stopped server", shelve(True, "stop"), {"shelved_offloaded"}, more=in_its_image, options=OPTIONS)
LATE = Story("offload", late_offload, {"shelved_offloaded"}, more=in_its_image, options=OPTIONS)
HERE = Story("unshelve where it is", back(False), {"active"}, more=as_it_was, options=OPTIONS)
BACK = Story("unshelve", back(True), {"active"}, more=as_it_was, options=OPTIONS)
SECOND_TRY = Story(
    "unshelve on the second host", back(True, Fault(operation="spawn", error="no more loop devices", times=1)),
    {"active", "shelved_offloaded"}, options=OPTIONS,
)
NOWHERE = Story(
    "unshelve fails everywhere", back(True, Fault(operation="spawn", error="the disk is full")), {"shelved_offloaded"},
    more=still_offloaded, options=OPTIONS,
)
UNCOPIED = Story(
    "shelve when the disk cannot be copied", failing(Fault(operation="copy_disk", error="the disk is full")), {"active"}, more=failed,
    options=OPTIONS,
)
PAUSED_UNCOPIED = Story(
    "shelve a paused server when the disk cannot be copied", failing(Fault(operation="copy_disk", error="the disk is full"), after="pause"),
    {"paused"}, more=failed, options=OPTIONS,
)
ALL = [SHELVE, AT_ONCE, PAUSED, SUSPENDED, STOPPED, LATE, HERE, BACK, SECOND_TRY, NOWHERE, UNCOPIED, PAUSED_UNCOPIED]
HARD = pytest.mark.parametrize("story", [AT_ONCE, PAUSED, LATE, HERE, BACK, NOWHERE, UNCOPIED], ids=str)


def stride(story: Story) -> int:
    """Long stories are tried at every fourth point (each was once; all held)."""
    return 1 if story is LATE else 4


@pytest.mark.parametrize("story", ALL, ids=str)
def test_without_trouble(tmp_path, story):
    stories.run(tmp_path / "calm", story, stories.nothing)


@HARD
def test_the_conductor_may_die_at_any_point(tmp_path, story):
    stories.conductor_may_die(tmp_path, story, stride=stride(story))


@HARD
def test_a_host_may_die_at_any_point(tmp_path, story):
    stories.host_may_die(tmp_path, story, stride=stride(story))


@HARD
@pytest.mark.parametrize("fate", ["lose", "double", "late"])
def test_any_message_may_be_lost_doubled_or_late(tmp_path, story, fate):
    stories.messages_may_suffer(tmp_path, story, fate, stride=2)


def begin_shelve(cloud: SimulatedCloud) -> str:
    uuid = booted(cloud)
    ask(cloud, uuid)
    return uuid


def begin_offload(cloud: SimulatedCloud) -> str:
    uuid = shelved(cloud, offload=False)
    offload(cloud, uuid)
    return uuid


def begin_back(cloud: SimulatedCloud) -> str:
    uuid = shelved(cloud, offload=True)
    ask_back(cloud, uuid)
    return uuid


def begin_here(cloud: SimulatedCloud) -> str:
    uuid = shelved(cloud, offload=False)
    ask_back(cloud, uuid)
    return uuid


@pytest.mark.parametrize("begin", [begin_shelve, begin_offload, begin_back, begin_here])
def test_a_delete_wins(tmp_path, begin):
    stories.deleted_at_any_time(tmp_path, begin)


def test_the_image_of_a_shelved_server_goes_with_it(tmp_path):
    cloud = SimulatedCloud(tmp_path, **OPTIONS)
    uuid = shelved(cloud, offload=True)
    assert cloud.images.images
    cloud.delete(uuid)
    cloud.settle()
    stories.check(cloud, uuid, "deleted when offloaded")
    assert not cloud.images.images
    cloud.close()


def test_it_can_come_back_to_the_host_it_left(tmp_path):
    cloud = SimulatedCloud(tmp_path, hosts=1, **OPTIONS)
    uuid = booted(cloud)
    for _ in range(2):
        ask(cloud, uuid)
        cloud.settle()
        assert cloud.server(uuid).vm_state == "shelved_offloaded"
        ask_back(cloud, uuid)
        cloud.settle()
        stories.check(cloud, uuid, "back")
        as_it_was(cloud, uuid)
    cloud.close()


def test_an_offload_does_not_wait_for_a_host_which_cannot(tmp_path):
    cloud = SimulatedCloud(tmp_path, **OPTIONS)
    uuid = shelved(cloud, offload=False)
    host = cloud.server(uuid).host
    cloud.hosts[host].break_down(Fault(operation="destroy", error="the disk is stuck", times=40))
    offload(cloud, uuid)
    cloud.deliver()
    for _ in range(15):
        cloud.pass_time(16)
        cloud.sweep()
    assert cloud.server(uuid).vm_state == "shelved_offloaded"
    assert cloud.busy() == [f"debt of {host}"]
    ask_back(cloud, uuid)                        # elsewhere: a host with debts gets nothing
    cloud.settle()
    stories.check(cloud, uuid, "after the debt was paid")
    as_it_was(cloud, uuid)
    assert cloud.server(uuid).host != host
    cloud.close()


def test_a_server_whose_image_is_gone_stays_on_its_host(tmp_path):
    cloud = SimulatedCloud(tmp_path, **OPTIONS)
    uuid = shelved(cloud, offload=False)
    cloud.images.images.clear()
    offload(cloud, uuid)
    cloud.settle()
    stories.check(cloud, uuid, "no image")
    server = cloud.server(uuid)
    assert (server.vm_state, "gone" in server.fault.message) == ("shelved", True)
    ask_back(cloud, uuid)
    cloud.settle()
    assert hypervisor(cloud, uuid).find(uuid).disks["disk"].endswith(MARKER)
    cloud.close()


def test_an_offloaded_server_whose_image_is_gone_is_lost(tmp_path):
    cloud = SimulatedCloud(tmp_path, **OPTIONS)
    uuid = shelved(cloud, offload=True)
    cloud.images.images.clear()
    ask_back(cloud, uuid)
    cloud.settle()
    server = cloud.server(uuid)
    assert (server.vm_state, server.host, server.task_state) == ("error", None, None)
    assert "cannot be found" in server.fault.message
    cloud.delete(uuid)
    cloud.settle()
    stories.check(cloud, uuid, "deleted")
    cloud.close()


def test_the_zone_asked_for_is_where_it_is_pinned_once_it_is_back(tmp_path):
    cloud = SimulatedCloud(tmp_path, **OPTIONS)
    uuid = shelved(cloud, offload=True)
    ask_back(cloud, uuid, zone="nowhere", pins=True)
    cloud.settle()
    assert (cloud.server(uuid).vm_state, cloud.server(uuid).requested_zone) == ("shelved_offloaded", None)
    ask_back(cloud, uuid, zone="nova", pins=True)
    cloud.settle()
    assert (cloud.server(uuid).vm_state, cloud.server(uuid).requested_zone) == ("active", "nova")
    cloud.close()


def test_a_dead_image_service_does_not_take_a_server_back(tmp_path):
    """Its image stays then, for there is nobody to delete it."""
    cloud = SimulatedCloud(tmp_path, **OPTIONS)
    uuid = shelved(cloud, offload=True)
    ask_back(cloud, uuid)
    spawned = False
    while not spawned:
        message = cloud.next_message()
        spawned = message.name == "report"
        cloud.images.away = spawned
        cloud._guarded(message.deliver)
    cloud.settle()
    server = cloud.server(uuid)
    assert (server.vm_state, server.fault) == ("active", None)
    assert hypervisor(cloud, uuid).find(uuid).power_state == PowerState.RUNNING
    cloud.close()


def test_an_administrator_who_resets_the_state_loses_no_disk(tmp_path):
    for number in range(40):
        folder = tmp_path / str(number)
        folder.mkdir()
        cloud = SimulatedCloud(folder, **OPTIONS)
        uuid = booted(cloud)
        ask(cloud, uuid)
        for _ in range(number):
            message = cloud.next_message()
            if message is not None:
                cloud._guarded(message.deliver)
        over = not cloud.busy()
        task = Database.write(cloud.database, state_resets.reset, uuid, VmState.ACTIVE, CALLER, now=NOW)
        if task is not None:
            cloud.ring(task)
        cloud.settle()
        server = cloud.server(uuid)
        assert server.task_state is None
        if not over:
            stories.check(cloud, uuid, f"reset after {number} messages")
            if server.host is not None:
                assert hypervisor(cloud, uuid).find(uuid).disks["disk"].endswith(MARKER)
            else:
                (image,) = cloud.images.images.values()
                assert server.system_metadata["shelved_image_id"] == image.id
        cloud.close()
        if over:
            return
    raise AssertionError("the operation never ended")


def test_shelved_servers_leave_their_host_in_time(tmp_path):
    cloud = SimulatedCloud(tmp_path, shelved_offload_time=3600, **OPTIONS)
    uuid = shelved(cloud, offload=False)
    now = cloud.world.clock.now()
    for age, ends in ((3000, "shelved"), (3700, "shelved_offloaded")):
        clock = ManualClock((now + timedelta(seconds=age)).replace(tzinfo=UTC).timestamp())
        Shelved(replace(cloud.world, clock=clock)).offload()
        cloud.pass_time(10)
        cloud.sweep()
        cloud.settle()
        assert cloud.server(uuid).vm_state == ends
    stories.check(cloud, uuid, "offloaded in time")
    cloud.close()
