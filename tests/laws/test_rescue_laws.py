"""Rescue, unrescue and passwords: whatever dies or is lost, the server runs from the disk its state tells of, and loses none."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from functools import partial

import pytest

from novalike.clock import ManualClock
from novalike.conductor.rescues import Rescues
from novalike.db import state_resets
from novalike.db.engine import Database
from novalike.exception import Unavailable
from novalike.objects.password import PasswordState
from novalike.objects.rescue import RescueState
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
RESCUE_IMAGE = "5d6f0f3e-2f43-4d5a-8b5c-6f7b5a0f9f52"
PASSWORD = Secret("Gh7xQ2pLm9")


def booted(cloud: SimulatedCloud, **properties: str) -> str:
    """A server with something of its user's on its disk; its rescue image has these properties."""
    with stories.peace(cloud):
        cloud.images.add(factories.image(id=RESCUE_IMAGE, owner=CALLER.project_id, properties=properties))
        uuid = cloud.create(image_properties={"hw_qemu_guest_agent": "yes"})
        cloud.settle()
        hypervisor(cloud, uuid).guest_writes(uuid, MARKER)
    return uuid


def hypervisor(cloud: SimulatedCloud, uuid: str):
    return cloud.hosts[cloud.server(uuid).host].hypervisor


def ask(cloud: SimulatedCloud, uuid: str) -> None:
    cloud.begin(uuid, "rescue", kind="rescue", state=RescueState(
        image_id=RESCUE_IMAGE, encrypted_password=cloud.vault.seal(PASSWORD),
    ))


rescue = stories.asking(booted, ask)
failing = partial(stories.asking, booted, ask)


def there_and_back(cloud: SimulatedCloud) -> str:
    uuid = rescue(cloud)
    if cloud.server(uuid).vm_state == "rescued":
        cloud.act(uuid, "unrescue")
        cloud.settle()
    return uuid


def change_password(cloud: SimulatedCloud) -> str:
    uuid = booted(cloud)
    cloud.begin(uuid, "change_password", kind="change_password", state=PasswordState(encrypted_password=cloud.vault.seal(PASSWORD)))
    cloud.settle()
    return uuid


def in_rescue(cloud: SimulatedCloud, uuid: str) -> None:
    names = [name for name, _content in hypervisor(cloud, uuid).disks_seen(uuid)]
    assert names == ["disk.rescue", "disk", "disk.config.rescue"]
    keeps_its_disk(cloud, uuid)


def as_before(cloud: SimulatedCloud, uuid: str) -> None:
    guest = hypervisor(cloud, uuid).find(uuid)
    assert list(guest.disks) == ["disk"]
    assert guest.boots_from == []
    assert not [piece for piece in guest.pieces if piece.startswith("rescue:")], guest.pieces
    keeps_its_disk(cloud, uuid)


def keeps_its_disk(cloud: SimulatedCloud, uuid: str) -> None:
    guest = hypervisor(cloud, uuid).find(uuid)
    assert guest.disks["disk"].endswith(MARKER), "what its user wrote is lost"
    assert len(set(guest.pieces)) == len(guest.pieces), f"twice: {guest.pieces}"


def knows_the_password(cloud: SimulatedCloud, uuid: str) -> None:
    assert cloud.hosts[cloud.server(uuid).host].driver.lets_in(uuid, "root", PASSWORD)
    assert cloud.server(uuid).fault is None


RESCUE = Story("rescue", rescue, {"rescued"}, more=in_rescue)
BACK = Story("there and back", there_and_back, {"active"}, more=as_before)
BROKEN = Story("the rescue disk does not boot", failing(Fault(operation="rescue", error="no")), {"active"}, more=as_before)
PASSWORDS = Story("a password", change_password, {"active"}, more=knows_the_password)
STORIES = [
    RESCUE, BACK, BROKEN, PASSWORDS,
    Story("rescue of a stopped server", stories.asking(booted, ask, after="stop"), {"rescued"}, more=in_rescue),
    Story("the image cannot be fetched", failing(Fault(operation="prepare_rescue", error="no image")), {"active"}, more=as_before),
    Story("the disk is full", failing(Fault(operation="prepare_rescue", at="disks", error="full")), {"active"}, more=as_before),
    Story("the guest cannot be stopped", failing(Fault(operation="power_off", error="it hangs", times=1)), {"active"}, more=as_before),
    Story("it breaks when it runs", failing(Fault(operation="rescue", at="domain", error="no", times=1)), {"active"}, more=as_before),
]
each = pytest.mark.parametrize("story", STORIES, ids=str)
some = pytest.mark.parametrize("story", [BACK, BROKEN, PASSWORDS], ids=str)


@each
def test_without_trouble(tmp_path, story):
    stories.run(tmp_path / "calm", story, stories.nothing)


@some
def test_the_conductor_may_die_at_any_point(tmp_path, story):
    stories.conductor_may_die(tmp_path, story, stride=2 if story is BROKEN else 1)


@some
def test_a_host_may_die_at_any_point(tmp_path, story):
    stories.host_may_die(tmp_path, story, stride=2 if story is BROKEN else 1)


@some
@pytest.mark.parametrize("fate", ["lose", "double", "late"])
def test_any_message_may_be_lost_doubled_or_late(tmp_path, story, fate):
    stories.messages_may_suffer(tmp_path, story, fate)


def test_delete_wins_at_any_time(tmp_path):
    def begin(cloud: SimulatedCloud) -> str:
        uuid = booted(cloud)
        ask(cloud, uuid)
        return uuid
    stories.deleted_at_any_time(tmp_path, begin)


def test_an_administrator_resets_it_at_any_time(tmp_path):
    for number in range(1, 5):
        home = tmp_path / str(number)
        home.mkdir()
        cloud = SimulatedCloud(home)
        uuid = booted(cloud)
        ask(cloud, uuid)
        for _ in range(number):
            if (message := cloud.next_message()) is not None:
                cloud._guarded(message.deliver)
        if cloud.server(uuid).task_state is not None:
            cloud.ring(Database.write(cloud.database, state_resets.reset, uuid, VmState.ACTIVE, CALLER, now=NOW))
            cloud.settle()
            stories.check(cloud, uuid, f"reset after {number} messages")
            assert cloud.server(uuid).vm_state == "active"
            as_before(cloud, uuid)
        cloud.close()


def test_a_rescued_server_can_be_deleted(tmp_path):
    cloud = SimulatedCloud(tmp_path)
    uuid = rescue(cloud)
    cloud.delete(uuid)
    cloud.settle()
    stories.check(cloud, uuid, "deleted while rescued")
    cloud.close()


@pytest.mark.parametrize("properties", [{"hw_rescue_bus": "virtio"}, {"hw_rescue_device": "cdrom"}])
def test_stable_rescue_leaves_disks_where_they_are(tmp_path, properties):
    cloud = SimulatedCloud(tmp_path)
    uuid = booted(cloud, **properties)
    ask(cloud, uuid)
    cloud.settle()
    seen = hypervisor(cloud, uuid).disks_seen(uuid)
    assert [name for name, _ in seen] == ["disk", "disk.config.rescue", "disk.rescue"]
    assert seen[0][1].endswith(MARKER)
    cloud.close()


def test_a_failed_rescue_of_a_stopped_server_leaves_it_stopped(tmp_path):
    cloud = SimulatedCloud(tmp_path)
    uuid = booted(cloud)
    cloud.act(uuid, "stop")
    cloud.settle()
    hypervisor(cloud, uuid)
    cloud.hosts[cloud.server(uuid).host].break_down(Fault(operation="rescue", error="no"))
    ask(cloud, uuid)
    cloud.settle()
    server = cloud.server(uuid)
    assert (server.vm_state, server.power_state, server.fault.message) == ("stopped", PowerState.SHUTDOWN, "no")
    as_before(cloud, uuid)
    cloud.close()


def test_a_host_which_is_silent_for_good_leaves_an_error_that_says_so(tmp_path):
    cloud = SimulatedCloud(tmp_path)
    uuid = booted(cloud)
    ask(cloud, uuid)
    cloud.hosts[cloud.server(uuid).host].endpoint = lost
    cloud.settle()
    server = cloud.server(uuid)
    assert server.vm_state == "error"
    assert "did not tell from which disk it runs" in server.fault.message
    cloud.close()


def lost(interface):
    raise Unavailable("no answer")


def test_a_guest_without_an_agent_keeps_the_server_as_it_is(tmp_path):
    cloud = SimulatedCloud(tmp_path)
    with stories.peace(cloud):
        uuid = cloud.create()
        cloud.settle()
    cloud.begin(uuid, "change_password", kind="change_password", state=PasswordState(encrypted_password=cloud.vault.seal(PASSWORD)))
    cloud.settle()
    server = cloud.server(uuid)
    assert (server.vm_state, server.fault.message) == ("active", "The guest agent of the server does not answer.")
    cloud.close()


@pytest.mark.parametrize(("properties", "user"), [
    ({"os_admin_user": "core"}, "core"), ({"os_type": "windows"}, "Administrator"), ({}, "root"),
])
def test_whose_password_it_is(tmp_path, properties, user):
    cloud = SimulatedCloud(tmp_path)
    with stories.peace(cloud):
        uuid = cloud.create(image_properties={"hw_qemu_guest_agent": "yes", **properties})
        cloud.settle()
    cloud.begin(uuid, "change_password", kind="change_password", state=PasswordState(encrypted_password=cloud.vault.seal(PASSWORD)))
    cloud.settle()
    assert cloud.hosts[cloud.server(uuid).host].driver.lets_in(uuid, user, PASSWORD)
    cloud.close()


def test_a_rescue_which_lasts_too_long_ends_by_itself(tmp_path):
    cloud = SimulatedCloud(tmp_path, rescue_timeout=600)
    uuid = rescue(cloud)
    rescued = cloud.server(uuid).launched_at.replace(tzinfo=UTC).timestamp()
    later = ManualClock(rescued + 599)
    Rescues(replace(cloud.world, clock=later)).end_overdue()
    cloud.settle()
    assert cloud.server(uuid).vm_state == "rescued"
    later.advance(2)
    Rescues(replace(cloud.world, clock=later)).end_overdue()
    cloud.settle()
    assert cloud.server(uuid).vm_state == "active"
    as_before(cloud, uuid)
    cloud.close()
