"""Snapshots and backups: whatever dies or is lost, the server goes on as it was, and an image is complete or gone."""

from __future__ import annotations

import uuid as uuid_module
from functools import partial

import pytest

from novalike.context import service_context
from novalike.objects.image import Image
from novalike.objects.snapshot_tasks import SnapshotState
from novalike.objects.states import PowerState
from novalike.virt.fake import snapshots
from novalike.virt.fake.faults import Fault
from tests.factories_instances import CALLER
from tests.laws import stories
from tests.laws.cloud import SimulatedCloud
from tests.laws.stories import CRASHES, Story

pytestmark = CRASHES
MARKER = "written by its user\n"
#: Short, so that every deadline passes within a law's patience.
OPTIONS = {"conductor__snapshot_timeout": 300, "conductor__upload_timeout": 300}


def booted(cloud: SimulatedCloud, **values) -> str:
    """A server with something of its user's on its disk."""
    with stories.peace(cloud):
        uuid = cloud.create(**values)
        cloud.settle()
        hypervisor(cloud, uuid).guest_writes(uuid, MARKER)
    return uuid


def hypervisor(cloud: SimulatedCloud, uuid: str):
    return cloud.hosts[cloud.server(uuid).host].hypervisor


def record(cloud: SimulatedCloud, uuid: str, **properties: str) -> str:
    """Make an image's record, as the API does at accept."""
    return cloud.images.create(service_context(), Image(
        id=str(uuid_module.uuid4()), name="image", owner=CALLER.project_id, disk_format="qcow2", container_format="bare",
        properties={"instance_uuid": uuid, **properties},
    )).id


def ask(cloud: SimulatedCloud, uuid: str) -> str:
    image = record(cloud, uuid, image_type="snapshot")
    cloud.begin(uuid, "snapshot", kind="snapshot", state=SnapshotState(image_id=image))
    return image


def ask_backup(cloud: SimulatedCloud, uuid: str, rotation: int, kind: str = "daily") -> str:
    image = record(cloud, uuid, image_type="backup", backup_type=kind)
    cloud.begin(uuid, "backup", kind="backup", state=SnapshotState(image_id=image, backup_type=kind, rotation=rotation))
    return image


snapshot = stories.asking(booted, ask)
failing = partial(stories.asking, booted, ask)


def backups(cloud: SimulatedCloud) -> str:
    uuid = booted(cloud)
    with stories.peace(cloud):
        for _ in range(2):
            ask_backup(cloud, uuid, rotation=5)
            cloud.settle()
        ask_backup(cloud, uuid, rotation=5, kind="weekly")
        cloud.settle()
    ask_backup(cloud, uuid, rotation=2)
    cloud.settle()
    return uuid


def complete(cloud: SimulatedCloud, uuid: str) -> None:
    """One image, with all that was on the disk, and the host keeps no copy."""
    (image,) = cloud.images.images.values()
    assert (image.status, image.disk_format) == ("active", "raw")
    assert snapshots.from_bytes(cloud.images.contents[image.id]).endswith(MARKER)
    undisturbed(cloud, uuid)
    assert cloud.server(uuid).fault is None


def nothing_made(cloud: SimulatedCloud, uuid: str) -> None:
    assert not cloud.images.images
    assert cloud.server(uuid).fault is not None
    undisturbed(cloud, uuid)


def undisturbed(cloud: SimulatedCloud, uuid: str) -> None:
    guest = hypervisor(cloud, uuid).find(uuid)
    assert not [piece for piece in guest.pieces if piece.startswith("copy:")], "the host keeps a copy"
    assert guest.beside == {}
    assert len(guest.boots) == 1, "the guest was restarted"


def two_of_three(cloud: SimulatedCloud, uuid: str) -> None:
    kinds = sorted(image.properties["backup_type"] for image in cloud.images.images.values())
    assert kinds == ["daily", "daily", "weekly"], "the oldest of this type goes, and no other"
    newest = sorted(cloud.images.images.values(), key=lambda image: image.created_at)
    assert newest[-1].properties["backup_type"] == "daily"
    undisturbed(cloud, uuid)


SNAPSHOT = Story("snapshot", snapshot, {"active"}, more=complete, options=OPTIONS)
STOPPED = Story("snapshot of a stopped server", stories.asking(booted, ask, after="stop"), {"stopped"}, more=complete, options=OPTIONS)
PAUSED = Story("snapshot of a paused server", stories.asking(booted, ask, after="pause"), {"paused"}, more=complete, options=OPTIONS)
SUSPENDED = Story("snapshot of a suspended server", stories.asking(booted, ask, after="suspend"), {"suspended"}, more=complete, options=OPTIONS)
BACKUPS = Story("backups", backups, {"active"}, more=two_of_three, options=OPTIONS)
UNCOPIED = Story(
    "the disk cannot be copied", failing(Fault(operation="copy_disk", error="the disk is full")), {"active"}, more=nothing_made, options=OPTIONS,
)
UNSENT = Story(
    "the copy cannot be read", failing(Fault(operation="open_copy", error="the disk is bad")), {"active"}, more=nothing_made, options=OPTIONS,
)
SENT_LATER = Story(
    "the copy can be read the second time", failing(Fault(operation="open_copy", error="busy", times=1)), {"active"}, more=complete,
    options=OPTIONS,
)
ALL = [SNAPSHOT, STOPPED, PAUSED, SUSPENDED, BACKUPS, UNCOPIED, UNSENT, SENT_LATER]
#: Those whose trouble differs from each other's.
HARD = pytest.mark.parametrize("story", [SNAPSHOT, BACKUPS, UNSENT], ids=str)


def stride(story: Story) -> int:
    """The long story of many attempts is tried at every third point: the attempts are alike."""
    return 3 if story is UNSENT else 1


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
    stories.messages_may_suffer(tmp_path, story, fate, stride=stride(story))


@pytest.mark.parametrize("begin", [ask, lambda cloud, uuid: ask_backup(cloud, uuid, rotation=1)], ids=["snapshot", "backup"])
def test_a_delete_leaves_no_half_made_image(tmp_path, begin):
    def start(cloud: SimulatedCloud) -> str:
        uuid = booted(cloud)
        begin(cloud, uuid)
        return uuid
    stories.deleted_at_any_time(tmp_path, start)


def test_rotation_0_keeps_none(tmp_path):
    cloud = SimulatedCloud(tmp_path, **OPTIONS)
    uuid = booted(cloud)
    for rotation in (1, 0):
        ask_backup(cloud, uuid, rotation)
        cloud.settle()
    stories.check(cloud, uuid, "rotation 0")
    assert not cloud.images.images
    cloud.close()


def test_rotation_never_touches_what_is_not_the_projects(tmp_path):
    cloud = SimulatedCloud(tmp_path, **OPTIONS)
    uuid = booted(cloud)
    foreign = cloud.images.add(Image(id="foreign", owner="else", status="active", visibility="public", properties={
        "image_type": "backup", "backup_type": "daily", "instance_uuid": uuid,
    }))
    ask_backup(cloud, uuid, rotation=0)
    cloud.settle()
    assert list(cloud.images.images.values()) == [foreign]
    cloud.close()


def test_a_refused_deletion_does_not_fail_a_backup(tmp_path):
    cloud = SimulatedCloud(tmp_path, **OPTIONS)
    uuid = booted(cloud)
    ask_backup(cloud, uuid, rotation=1)
    cloud.settle()
    cloud.images.refusing = True
    ask_backup(cloud, uuid, rotation=1)
    cloud.settle()
    stories.check(cloud, uuid, "a protected backup")
    assert len(cloud.images.images) == 2
    assert cloud.server(uuid).fault is None
    cloud.close()


def test_an_image_which_its_user_deletes_meanwhile_ends_the_snapshot(tmp_path):
    cloud = SimulatedCloud(tmp_path, **OPTIONS)
    uuid = booted(cloud)
    image = ask(cloud, uuid)
    for _ in range(2):                           # the doorbell, the order to copy
        cloud._guarded(cloud.next_message().deliver)
    del cloud.images.images[image]
    cloud.settle()
    stories.check(cloud, uuid, "no image")
    nothing_made(cloud, uuid)
    cloud.close()


def test_a_guest_which_cannot_come_to_rest_gives_no_image_that_demands_it(tmp_path):
    cloud = SimulatedCloud(tmp_path, **OPTIONS)
    uuid = booted(cloud, image_properties={"os_require_quiesce": "yes"})
    ask(cloud, uuid)
    cloud.settle()
    nothing_made(cloud, uuid)
    assert "rest" in cloud.server(uuid).fault.message
    assert hypervisor(cloud, uuid).find(uuid).power_state == PowerState.RUNNING
    cloud.close()


def test_a_new_server_of_the_image_has_what_was_written(tmp_path):
    cloud = SimulatedCloud(tmp_path, **OPTIONS)
    uuid = booted(cloud)
    image = ask(cloud, uuid)
    cloud.settle()
    other = cloud.create(image_ref=image)
    cloud.settle()
    assert hypervisor(cloud, other).find(other).disks["disk"].endswith(MARKER)
    cloud.close()
