"""Rebuild: whatever dies or is lost, the server has all of its old disks or all of the new ones, and says which.

A failure before the old disks are gone leaves the server as it was; one after leaves ERROR, with the new facts.
"""

from __future__ import annotations

from functools import partial

import pytest

from novalike.db import instances, state_resets
from novalike.db.engine import Database
from novalike.exception import Unavailable
from novalike.objects.rebuild import RebuildState
from novalike.objects.secret import Secret
from novalike.objects.states import PowerState, VmState
from novalike.virt.fake.faults import Fault
from tests import factories
from tests.factories_instances import CALLER, NOW
from tests.laws import stories
from tests.laws.cloud import SimulatedCloud
from tests.laws.stories import CRASHES, Story

pytestmark = CRASHES
MARKER = "written by its user\n"
NEW_IMAGE = "7b2f9bb6-1b2c-4c5a-9d0e-0c0f6f6a3c11"
CHANGES = {
    "image_ref": NEW_IMAGE, "image_properties": {"os_type": "linux"}, "image_name": "new", "display_name": "renewed",
    "metadata": {"made": "anew"}, "key_name": "k2", "key_data": "ssh-rsa B", "user_data": "Zm9v",
}


def booted(cloud: SimulatedCloud) -> str:
    """A server with something of its user's on its disk."""
    with stories.peace(cloud):
        cloud.images.add(factories.image(id=NEW_IMAGE, owner=CALLER.project_id))
        uuid = cloud.create()
        cloud.settle()
        cloud.hosts[cloud.server(uuid).host].hypervisor.guest_writes(uuid, MARKER)
    return uuid


def ask(cloud: SimulatedCloud, uuid: str, **state) -> None:
    secret = cloud.vault.seal(Secret("new-password"))
    cloud.begin(uuid, "rebuild", kind="rebuild", state=RebuildState(
        changes=CHANGES, other_image=True, encrypted_password=secret, **state,
    ))


rebuild = stories.asking(booted, ask)
failing = partial(stories.asking, booted, ask)


def is_new(cloud: SimulatedCloud, uuid: str) -> None:
    server = cloud.server(uuid)
    for field, value in CHANGES.items():
        assert getattr(server, field) == value, f"{field} is {getattr(server, field)!r}"
    guest = cloud.hosts[server.host].hypervisor.find(uuid)
    assert guest.disks["disk"] == f"image {NEW_IMAGE}\n", "the old disk is still there"
    no_remains(guest)


def is_old(cloud: SimulatedCloud, uuid: str) -> None:
    server = cloud.server(uuid)
    for field, value in CHANGES.items():
        assert getattr(server, field) != value, f"{field} was changed by a rebuild that failed"
    guest = cloud.hosts[server.host].hypervisor.find(uuid)
    assert guest.disks["disk"].endswith(MARKER), "what its user wrote is lost"
    no_remains(guest)
    assert server.fault is not None


def old_or_new(cloud: SimulatedCloud, uuid: str) -> None:
    server = cloud.server(uuid)
    (is_new if server.image_ref == NEW_IMAGE else is_old)(cloud, uuid)


def no_remains(guest) -> None:
    remains = [piece for piece in guest.pieces if "_new/" in piece]
    assert not remains, f"what was prepared remains: {remains}"
    assert len(set(guest.pieces)) == len(guest.pieces), f"twice: {guest.pieces}"


STORIES = [
    Story("rebuild", rebuild, {"active"}, more=is_new),
    Story("rebuild of a stopped server", stories.asking(booted, ask, after="stop"), {"stopped"}, more=is_new),
    Story("the image cannot be fetched", failing(Fault(operation="prepare_rebuild", error="no image")), {"active"}, more=is_old),
    Story("half of the disks", failing(Fault(operation="prepare_rebuild", at="disks", error="disk full")), {"active"}, more=is_old),
    Story("the guest cannot be stopped", failing(Fault(operation="power_off", error="it hangs", times=1)), {"active"}, more=is_old),
    Story("the disks cannot be replaced", failing(Fault(operation="replace_disks", error="no")), {"active"}, more=is_old),
    Story(
        "it breaks when they are replaced", failing(Fault(operation="replace_disks", at="disks", error="no", times=1)), {"error"},
        more=is_new,
    ),
    Story("the new guest does not start", failing(Fault(operation="start_rebuilt", error="no")), {"error"}, more=is_new),
]
each = pytest.mark.parametrize("story", STORIES, ids=str)
#: The two which go through all phases, one which is undone, and one which fails too late. The first is tried at every point,
#: the others at every third: most of their points are the same.
some = pytest.mark.parametrize("story", [STORIES[0], STORIES[1], STORIES[5], STORIES[7]], ids=str)


@each
def test_without_trouble(tmp_path, story):
    stories.run(tmp_path / "calm", story, stories.nothing)


@some
def test_the_conductor_may_die_at_any_point(tmp_path, story):
    stories.conductor_may_die(tmp_path, story, stride=1 if story is STORIES[0] else 3)


@some
def test_a_host_may_die_at_any_point(tmp_path, story):
    stories.host_may_die(tmp_path, story, stride=1 if story is STORIES[0] else 3)


@some
@pytest.mark.parametrize("fate", ["lose", "double", "late"])
def test_any_message_may_be_lost_doubled_or_late(tmp_path, story, fate):
    stories.messages_may_suffer(tmp_path, story, fate, stride=1 if story is STORIES[0] else 2)


def test_delete_wins_at_any_time(tmp_path):
    def begin(cloud: SimulatedCloud) -> str:
        uuid = booted(cloud)
        ask(cloud, uuid)
        return uuid
    stories.deleted_at_any_time(tmp_path, begin)


def test_an_administrator_resets_it_at_any_time(tmp_path):
    for number in range(1, 12):
        home = tmp_path / str(number)
        home.mkdir()
        cloud = SimulatedCloud(home)
        uuid = booted(cloud)
        ask(cloud, uuid)
        for _ in range(number):
            if (message := cloud.next_message()) is not None:
                cloud._guarded(message.deliver)
        task = Database.write(cloud.database, state_resets.reset, uuid, VmState.ACTIVE, CALLER, now=NOW)
        if task is not None:
            cloud.ring(task)
        cloud.settle()
        stories.check(cloud, uuid, f"reset after {number} messages")
        old_or_new(cloud, uuid)
        cloud.close()


def test_it_keeps_what_it_must(tmp_path):
    cloud = SimulatedCloud(tmp_path)
    uuid = booted(cloud)
    before = cloud.server(uuid)
    ask(cloud, uuid)
    cloud.settle()
    after = cloud.server(uuid)
    for field in ("uuid", "host", "node", "network_info", "launched_at", "flavor", "epoch", "availability_zone", "created_at"):
        assert getattr(after, field) == getattr(before, field), field
    cloud.close()


def test_task_states_in_novas_order(tmp_path):
    cloud = SimulatedCloud(tmp_path)
    uuid = booted(cloud)
    ask(cloud, uuid)
    seen = [cloud.server(uuid).task_state]
    while (message := cloud.next_message()) is not None:
        cloud._guarded(message.deliver)
        if cloud.server(uuid).task_state != seen[-1]:
            seen.append(cloud.server(uuid).task_state)
    assert seen == ["rebuilding", "rebuild_block_device_mapping", "rebuild_spawning", None]
    cloud.close()


def test_the_old_guest_is_told_nothing_new_before_its_disks_are_gone(tmp_path):
    cloud = SimulatedCloud(tmp_path)
    uuid = booted(cloud)
    ask(cloud, uuid)
    while (message := cloud.next_message()) is not None:
        cloud._guarded(message.deliver)
        server = cloud.server(uuid)
        if server.task_state in ("rebuilding", "rebuild_block_device_mapping"):
            assert (server.image_ref, server.user_data) == ("", None)
    cloud.close()


def test_an_image_which_the_host_cannot_run_is_refused_before_anything_is_touched(tmp_path):
    cloud = SimulatedCloud(tmp_path)
    uuid = booted(cloud)
    boots = len(cloud.hosts[cloud.server(uuid).host].hypervisor.find(uuid).boots)
    cloud.begin(uuid, "rebuild", kind="rebuild", state=RebuildState(
        changes={**CHANGES, "image_properties": {"hw_architecture": "s390x"}}, other_image=True,
    ))
    cloud.settle()
    server = cloud.server(uuid)
    stories.check(cloud, uuid, "no valid host")
    assert (server.vm_state, server.image_ref) == ("active", "")
    assert "No valid host was found" in server.fault.message
    assert "ImagePropertiesFilter (the image needs s390x)" in server.fault.message
    guest = cloud.hosts[server.host].hypervisor.find(uuid)
    assert (len(guest.boots), guest.power_state) == (boots, PowerState.RUNNING)
    cloud.close()


def test_an_image_which_vanishes_before_its_order_is_made_ends_it_at_once(tmp_path, caplog):
    cloud = SimulatedCloud(tmp_path)
    uuid = booted(cloud)
    get = cloud.images.get

    def get_once(ctxt, image_id):
        found = get(ctxt, image_id)
        del cloud.images.images[image_id]
        return found
    cloud.images.get = get_once                  # the check still finds it
    ask(cloud, uuid)
    cloud.deliver()                              # no time passes
    stories.check(cloud, uuid, "its image is gone")
    is_old(cloud, uuid)
    assert cloud.server(uuid).fault.message == f"Image {NEW_IMAGE} could not be found."
    assert cloud.server(uuid).vm_state == "active"
    assert "unexpectedly" not in caplog.text
    cloud.close()


def lost(interface):
    raise Unavailable("no answer")


def test_a_host_which_is_silent_for_good_leaves_an_error_that_says_so(tmp_path):
    cloud = SimulatedCloud(tmp_path)
    uuid = booted(cloud)
    ask(cloud, uuid)
    host = cloud.hosts[cloud.server(uuid).host]
    host.endpoint = lost                         # nothing arrives there any more
    cloud.settle()
    server = cloud.server(uuid)
    assert server.vm_state == "error"
    assert "did not tell what became of its disks" in server.fault.message
    cloud.close()


def test_ephemeral_disks_are_not_preserved_and_nothing_is_lost(tmp_path):
    cloud = SimulatedCloud(tmp_path)
    uuid = booted(cloud)
    ask(cloud, uuid, preserve_ephemeral=True)
    cloud.settle()
    is_old(cloud, uuid)
    assert cloud.server(uuid).fault.message == "The current driver does not support preserving ephemeral partitions."
    cloud.close()


def test_a_password_of_the_old_system_is_forgotten(tmp_path):
    cloud = SimulatedCloud(tmp_path)
    uuid = booted(cloud)
    Database.write(cloud.database, instances.change, uuid, NOW, lambda _: {"system_metadata": {"password_0": "old", "kept": "1"}})
    ask(cloud, uuid)
    cloud.settle()
    assert cloud.server(uuid).system_metadata == {"kept": "1"}
    cloud.close()
