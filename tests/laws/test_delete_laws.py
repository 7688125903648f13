"""DELETE wins over what other files do not try: builds, passwords, tasks which are being undone, and every single-host action."""

from __future__ import annotations

import pytest

from novalike.conductor.manager import KINDS
from novalike.db import soft_deletes
from novalike.db.engine import Database
from novalike.objects.password import PasswordState
from novalike.objects.rebuild import RebuildState
from novalike.objects.rescue import RescueState
from novalike.objects.secret import Secret
from novalike.objects.states import ACTIONS, VmState
from novalike.virt.fake.faults import Fault
from tests import factories
from tests.factories_instances import CALLER, NOW
from tests.laws import stories
from tests.laws.cloud import SimulatedCloud
from tests.laws.stories import CRASHES

pytestmark = CRASHES
IMAGE = "7b2f9bb6-1b2c-4c5a-9d0e-0c0f6f6a3c11"
#: Kinds of task, and where it is held that DELETE wins in each of their steps.
HELD = {
    **dict.fromkeys(("build", "change_password"), "here"),
    "rescue": "test_rescue_laws", "rebuild": "test_rebuild_laws",
    **dict.fromkeys(("resize", "confirm_resize", "revert_resize"), "test_resize_laws"),
    **dict.fromkeys(("snapshot", "backup"), "test_snapshot_laws"),
    **dict.fromkeys(("shelve", "shelve_offload", "unshelve", "unshelve_here"), "test_shelve_laws"),
    **dict.fromkeys(("attach_interface", "detach_interface", "attach_volume", "detach_volume", "swap_volume"), "test_device_laws"),
    "delete": "test_build_laws",                 # a second one changes nothing
}


def test_no_kind_of_task_is_left_out():
    assert {kind.kind for kind in KINDS} == set(HELD), "a delete in each of its steps must be tried: see stories.deleted_at_any_time"


def booted(cloud: SimulatedCloud, *before: str) -> str:
    """A server to which these actions were done, in peace."""
    with stories.peace(cloud):
        cloud.images.add(factories.image(id=IMAGE, owner=CALLER.project_id))
        uuid = cloud.create(image_properties={"hw_qemu_guest_agent": "yes"})
        cloud.settle()
        for action in before:
            act(cloud, uuid, action)
            cloud.settle()
    return uuid


def act(cloud: SimulatedCloud, uuid: str, action: str) -> None:
    """Accept an action as the API does."""
    if action == "rescue":
        cloud.begin(uuid, "rescue", kind="rescue", state=RescueState(image_id=IMAGE, encrypted_password=cloud.vault.seal(Secret("pw"))))
    elif action == soft_deletes.ACTION:
        server = cloud.server(uuid)
        cloud.order(server, action, Database.write(cloud.database, soft_deletes.begin, server, CALLER, now=NOW))
    else:
        cloud.act(uuid, action)


def broken(cloud: SimulatedCloud, operation: str) -> None:
    for host in cloud.hosts.values():
        host.break_down(Fault(operation=operation, error="it is tired"))


def build(cloud: SimulatedCloud) -> str:
    return cloud.create()


def build_which_fails(cloud: SimulatedCloud) -> str:
    broken(cloud, "spawn")
    return cloud.create()


def change_password(cloud: SimulatedCloud) -> str:
    uuid = booted(cloud)
    cloud.begin(uuid, "change_password", kind="change_password", state=PasswordState(encrypted_password=cloud.vault.seal(Secret("pw"))))
    return uuid


def rebuild_which_fails(cloud: SimulatedCloud) -> str:
    uuid = booted(cloud)
    broken(cloud, "replace_disks")
    cloud.begin(uuid, "rebuild", kind="rebuild", state=RebuildState(changes={"image_ref": IMAGE}, other_image=True))
    return uuid


def rescue_which_fails(cloud: SimulatedCloud) -> str:
    uuid = booted(cloud)
    broken(cloud, "rescue")
    act(cloud, uuid, "rescue")
    return uuid


@pytest.mark.parametrize(
    "begin", [build, build_which_fails, change_password, rebuild_which_fails, rescue_which_fails], ids=lambda begin: begin.__name__,
)
def test_delete_wins_in_every_step(tmp_path, begin):
    stories.deleted_at_any_time(tmp_path, begin)


#: What has to be done before an action, where that is not nothing.
BEFORE = {
    "start": "stop", "unpause": "pause", "resume": "suspend", "unrescue": "rescue", "restore": soft_deletes.ACTION,
}


@pytest.mark.parametrize("action", ACTIONS)
def test_delete_wins_over_an_action(tmp_path, action):
    def begin(cloud: SimulatedCloud) -> str:
        uuid = booted(cloud, *([BEFORE[action]] if action in BEFORE else ()))
        act(cloud, uuid, action)
        return uuid
    stories.deleted_at_any_time(tmp_path, begin)


def test_a_second_delete_changes_nothing(tmp_path):
    def begin(cloud: SimulatedCloud) -> str:
        uuid = booted(cloud)
        cloud.delete(uuid)
        return uuid
    for number in range(4):
        home = tmp_path / str(number)
        home.mkdir()
        cloud = SimulatedCloud(home)
        uuid = begin(cloud)
        for _ in range(number):
            if (message := cloud.next_message()) is not None:
                cloud._guarded(message.deliver)
        if cloud.server(uuid).vm_state != VmState.DELETED:
            cloud.delete(uuid)
        cloud.settle()
        stories.check(cloud, uuid, f"deleted again after {number} messages")
        cloud.close()
