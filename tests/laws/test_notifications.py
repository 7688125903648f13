"""What is told of servers' operations in a whole cloud: all of it, once, in order, and only after it is stored."""

from __future__ import annotations

from dataclasses import replace

import pytest

from novalike.conductor.actions import Actions
from novalike.conductor.engine import Engine
from novalike.conductor.manager import KINDS
from novalike.conductor.reports import HostReportsEndpoint
from novalike.context import service_context
from novalike.objects.tasks import PowerChange
from novalike.virt.fake.faults import Fault
from tests.fakes.notifications import RecordingSender, notifier
from tests.laws.cloud import SimulatedCloud


class ToldCloud(SimulatedCloud):
    """A simulated cloud whose conductor tells."""

    sender: RecordingSender

    def start_conductor(self) -> None:
        super().start_conductor()
        self.sender = getattr(self, "sender", None) or RecordingSender(unversioned=False)
        self.notifier = notifier(self.sender, notifications__notify_on_state_change=getattr(self, "wanted", None))
        world = replace(self.engine._world, notifier=self.notifier)
        self.engine = Engine(world, KINDS)
        self.actions = Actions(world, self.database)
        self.reports = HostReportsEndpoint(world, self.database, self.actions)

    def told(self) -> list[str]:
        """Answer all events so far."""
        self.notifier.stop()
        return self.sender.events()


@pytest.fixture
def cloud(tmp_path):
    made = ToldCloud(tmp_path)
    yield made
    made.close()


def test_a_server_s_life_is_told_in_order(cloud):
    uuid = cloud.create()
    cloud.settle()
    cloud.act(uuid, "stop")
    cloud.settle()
    cloud.delete(uuid)
    cloud.settle()
    assert cloud.told() == [
        "instance.create.start", "instance.create.end", "instance.power_off.end", "instance.delete.start", "instance.shutdown.start",
        "instance.shutdown.end", "instance.delete.end",
    ], "the start of an action is told by the API which accepts it"
    begun = next(one.payload for one in cloud.sender.sent)["nova_object.data"]
    ended = cloud.sender.payload("instance.create.end")["nova_object.data"]
    gone = cloud.sender.payload("instance.delete.end")["nova_object.data"]
    assert (begun["state"], begun["task_state"]) == ("building", "spawning")
    assert (ended["state"], ended["task_state"], ended["power_state"]) == ("active", None, "running")
    assert (gone["state"], gone["deleted_at"] is not None) == ("deleted", True)
    assert {one.publisher.partition(":")[0] for one in cloud.sender.sent} == {"nova-compute"}
    assert ended["request_id"] == gone["request_id"] != None  # noqa: E711  both, and not None


def test_a_build_which_fails_is_told_once_however_often_it_was_tried(cloud):
    for host in cloud.hosts.values():
        host.break_down(Fault(operation="spawn", error="no disk"))
    cloud.create()
    cloud.settle()
    assert cloud.told() == ["instance.create.start", "instance.create.error"]
    fault = cloud.sender.payload("instance.create.error")["nova_object.data"]["fault"]
    assert "no disk" in fault["nova_object.data"]["exception_message"]
    assert cloud.sender.sent[-1].priority == "ERROR"


def test_a_server_which_fits_nowhere_is_told(cloud):
    from tests.factories import flavor

    cloud.create(flavor=flavor(vcpus=99))
    cloud.settle()
    assert cloud.told() == ["instance.create.start", "instance.create.error"]
    assert cloud.sender.sent[-1].publisher == "nova-conductor:control", "it is on no host"


def test_lost_and_doubled_messages_are_told_of_once(cloud):
    cloud.wire.plan = {cloud.first_message + number: how for number, how in enumerate(("double", "lose", "double", "double"))}
    uuid = cloud.create()
    cloud.settle()
    cloud.delete(uuid)
    cloud.settle()
    told = cloud.told()
    assert [event for event in told if "create" in event] == ["instance.create.start", "instance.create.end"]
    assert [event for event in told if "instance.delete" in event] == ["instance.delete.start", "instance.delete.end"]


def test_states_are_told_as_they_change(tmp_path):
    class Telling(ToldCloud):
        wanted = "vm_and_task_state"

    cloud = Telling(tmp_path)
    try:
        uuid = cloud.create()
        cloud.settle()
        server = cloud.server(uuid)
        cloud.reports.power_changed(service_context(), changes=[
            PowerChange(instance_uuid=uuid, host=server.host, epoch=server.epoch, power_state=4),
        ])
        cloud.told()
        states = [
            tuple(one.payload["nova_object.data"]["state_update"]["nova_object.data"].values())
            for one in cloud.sender.sent if one.event == "instance.update"
        ]
        assert states == [
            ("building", "building", "scheduling", "spawning"), ("building", "active", "spawning", None), ("active", "stopped", None, None),
        ]
    finally:
        cloud.close()
