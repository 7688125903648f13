"""What is told of servers' operations in a whole cloud: all of it, once, in order, and only after it is stored."""

from __future__ import annotations

import uuid as uuid_module

import pytest

from novalike.clock import Clock
from novalike.context import service_context
from novalike.notifications import oslo
from novalike.objects.tasks import PowerChange
from novalike.virt.fake.faults import Fault
from tests.conftest import server_url
from tests.factories import flavor
from tests.fakes.notification_listener import Listener, configuration
from tests.fakes.notifications import RecordingSender, notifier
from tests.laws import test_device_laws, test_rebuild_laws, test_rescue_laws
from tests.laws.api_cloud import ApiCloud


class Told:
    """A simulated cloud with its API, whose every word is kept."""

    def __init__(self, home, **options):
        self.sender = RecordingSender(unversioned=False)
        self.notifier = notifier(self.sender, **options)
        self.api = ApiCloud(home, notifier=self.notifier)
        self.cloud = self.api.cloud

    def told(self) -> list[str]:
        """Answer all events so far, and forget them."""
        self.notifier.stop()
        self.last, self.sender.sent = self.sender.sent, []
        return [one.event for one in self.last]

    def data(self, event):
        return next(one.payload["nova_object.data"] for one in reversed(self.last) if one.event == event)


@pytest.fixture
def told(tmp_path):
    made = Told(tmp_path)
    yield made
    made.api.close()


def both(*names: str) -> list[str]:
    return [f"instance.{name}.{phase}" for name in names for phase in ("start", "end")]


def test_a_server_s_life_is_told_in_order(told):
    uuid = told.api.boot()
    assert told.told() == both("create")
    begun, ended = told.data("instance.create.start"), told.data("instance.create.end")
    assert (begun["state"], begun["task_state"]) == ("building", "spawning")
    assert (ended["state"], ended["task_state"], ended["power_state"]) == ("active", None, "running")
    told.api.do(uuid, "os-stop")
    assert told.told() == both("power_off")
    told.api.act(uuid, "DELETE")
    told.cloud.settle()
    assert told.told() == ["instance.delete.start", *both("shutdown"), "instance.delete.end"]
    gone = told.data("instance.delete.end")
    assert (gone["state"], gone["deleted_at"] is not None, gone["host"]) == ("deleted", True, ended["host"])
    assert {one.publisher for one in told.last} == {f"nova-compute:{ended['host']}"}
    assert gone["request_id"] == ended["request_id"] == told.api.member.context.request_id


ACTIONS = [
    ("power_off", "os-stop", None), ("power_on", "os-start", None), ("reboot", "reboot", {"type": "HARD"}), ("pause", "pause", None),
    ("unpause", "unpause", None), ("suspend", "suspend", None), ("resume", "resume", None),
    ("trigger_crash_dump", "trigger_crash_dump", None),
]


def test_every_action_has_a_start_and_an_end(told):
    uuid = told.api.boot()
    told.told()
    for name, word, body in ACTIONS:
        told.api.do(uuid, word, body)
        assert told.told() == both(name)


def test_operations_of_tasks_have_novas_events(told):
    uuid = told.api.boot()
    told.told()
    for word, body, events in (
        ("resize", {"flavorRef": "2"}, ["instance.exists", *both("resize_prep", "resize", "resize_finish")]),
        ("revertResize", None, both("resize_revert")),
        ("resize", {"flavorRef": "2"}, ["instance.exists", *both("resize_prep", "resize", "resize_finish")]),
        ("confirmResize", None, both("resize_confirm")),
        ("createImage", {"name": "s"}, both("snapshot")),
        ("shelve", None, both("shelve", "shelve_offload")), ("unshelve", None, both("unshelve")),
    ):
        told.api.do(uuid, word, body)
        assert told.told() == events, f"{word}: {told.api.server(uuid).fault}"


DEVICES = [
    ("interface_attach", test_device_laws.attach_port), ("interface_detach", test_device_laws.detach_port),
    ("volume_attach", test_device_laws.attach_volume), ("volume_swap", test_device_laws.swap_volume),
    ("volume_detach", test_device_laws.detach_volume),
]


def test_devices_are_told_with_their_volumes(told):
    uuid = told.api.boot()
    told.told()
    for name, change in DEVICES:
        change(told.cloud, uuid)
        told.cloud.settle()
        assert told.told() == both(name)
        if name in {"volume_attach", "volume_detach"}:
            assert told.data(f"instance.{name}.end")["volume_id"]


def test_a_rebuild_names_its_new_image(told):
    uuid = test_rebuild_laws.booted(told.cloud)
    told.told()
    test_rebuild_laws.ask(told.cloud, uuid)
    told.cloud.settle()
    assert told.told() == ["instance.rebuild_scheduled", "instance.exists", *both("rebuild")]
    assert told.data("instance.rebuild.end")["image_uuid"] == test_rebuild_laws.NEW_IMAGE


def test_a_rescue_names_its_image(told):
    uuid = test_rescue_laws.booted(told.cloud)
    told.told()
    test_rescue_laws.ask(told.cloud, uuid)
    told.cloud.settle()
    assert told.told() == both("rescue")
    assert told.data("instance.rescue.start")["rescue_image_ref"] == test_rescue_laws.RESCUE_IMAGE


def test_a_build_which_fails_is_told_once_however_often_it_was_tried(told):
    for host in told.cloud.hosts.values():
        host.break_down(Fault(operation="spawn", error="no disk"))
    told.cloud.create()
    told.cloud.settle()
    assert told.told() == ["instance.create.start", "instance.create.error"]
    fault = told.data("instance.create.error")["fault"]
    assert "no disk" in fault["nova_object.data"]["exception_message"]
    assert told.last[-1].priority == "ERROR"


def test_a_server_which_fits_nowhere_is_told(told):
    told.cloud.create(flavor=flavor(vcpus=99))
    told.cloud.settle()
    assert told.told() == ["instance.create.start", "instance.create.error"]
    assert told.last[-1].publisher == "nova-conductor:control", "it is on no host"


@pytest.mark.parametrize("fate", ["double", "lose", "late"])
def test_whatever_happens_to_messages_each_event_is_told_once(told, fate):
    cloud = told.cloud
    cloud.wire.plan = {cloud.first_message + number: fate for number in (0, 1, 2, 4)}
    uuid = cloud.create()
    cloud.settle()
    cloud.delete(uuid)
    cloud.settle()
    events = told.told()
    assert [event for event in events if "shutdown" not in event] == both("create", "delete")


def test_states_are_told_as_they_change(tmp_path):
    told = Told(tmp_path, notifications__notify_on_state_change="vm_and_task_state")
    try:
        uuid = told.api.boot()
        server = told.api.server(uuid)
        told.cloud.reports.power_changed(service_context(), changes=[
            PowerChange(instance_uuid=uuid, host=server.host, epoch=server.epoch, power_state=4),
        ])
        told.told()
        updates = [one.payload["nova_object.data"]["state_update"]["nova_object.data"] for one in told.last if one.event == "instance.update"]
        assert [tuple(update[name] for name in ("old_state", "state", "old_task_state", "new_task_state")) for update in updates] == [
            (None, "building", None, "scheduling"), ("building", "building", "scheduling", "spawning"),
            ("building", "active", "spawning", None), ("active", "stopped", None, None),
        ]
    finally:
        told.api.close()


@pytest.mark.parametrize("bus", ["inproc", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
def test_a_listener_on_the_bus_hears_a_life(tmp_path, bus):
    url = f"inproc://{uuid_module.uuid4()}" if bus == "inproc" else server_url("rabbitmq")
    topic = f"life-{uuid_module.uuid4()}"
    conf = configuration(url, notifications__notification_format="versioned", notifications__versioned_notifications_topics=[topic])
    listener, telling = Listener(url, topic), oslo.build(conf, Clock())
    api = ApiCloud(tmp_path, notifier=telling)
    try:
        uuid = api.boot()
        api.do(uuid, "os-stop")
        api.act(uuid, "DELETE")
        api.cloud.settle()
        expected = [*both("create", "power_off"), "instance.delete.start", *both("shutdown"), "instance.delete.end"]
        heard = [listener.heard.get(timeout=10) for _ in expected]
        assert [event for event, _, _, _ in heard] == expected
        assert {payload["nova_object.data"]["uuid"] for _, _, payload, _ in heard} == {uuid}
    finally:
        api.close()
        telling.stop()
        listener.stop()
