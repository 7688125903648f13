"""Ports and volumes which come and go: whatever dies, is lost, doubled or late, guest, database and services agree in the end."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from novalike.db import device_requests
from novalike.objects.network_info import RequestedNetwork
from novalike.objects.states import PowerState
from novalike.virt.fake.faults import Fault
from tests.laws import stories
from tests.laws.cloud import SimulatedCloud
from tests.laws.stories import Story

pytestmark = stories.CRASHES
Act = Callable[[SimulatedCloud, str], None]
Play = Callable[[SimulatedCloud], str]
ACTIVE, STOPPED = {"active"}, {"stopped"}
#: Of the points at which a conductor may die every third is tried: all of them (2 minutes) hold too. 1 tries them all.
STRIDE = int(os.environ.get("NOVALIKE_LAWS_STRIDE", "3"))
ONE_MORE = RequestedNetwork(network_id="net")


def agree(cloud: SimulatedCloud, uuid: str) -> None:
    """Assert that the guest has what the database says, and the volume service says the same."""
    server, disks = cloud.server(uuid), cloud.disks(uuid)
    guest = cloud.hosts[server.host].hypervisor.guest(uuid)
    if guest.power_state == PowerState.RUNNING:
        assert sorted(guest.facts["macs"]) == sorted(vif.mac for vif in server.network_info)
        assert {facts["volume_id"] for facts in guest.facts["volumes"].values()} == {disk.volume_id for disk in disks}
    assert all(disk.plugged and disk.attachment_id for disk in disks), disks
    assert cloud.volumes.held_by(uuid) == sorted(disk.volume_id for disk in disks)
    used = {disk.volume_id for disk in disks}
    for volume in cloud.volumes.volumes.values():
        assert volume.status == ("in-use" if volume.id in used else "available"), volume
    names = [disk.device_name for disk in disks]
    assert len(set(names)) == len(names), names


def has(ports: int, volumes: int) -> Callable[[SimulatedCloud, str], None]:
    """Assert the same, and how many there are."""
    def more(cloud: SimulatedCloud, uuid: str) -> None:
        agree(cloud, uuid)
        assert (len(cloud.server(uuid).network_info), len(cloud.disks(uuid))) == (ports, volumes)
    return more


def built(cloud: SimulatedCloud, *before: Act) -> str:
    """A server which is there, and to which something was done, without trouble: that is for other stories."""
    armed = cloud.points.armed, cloud.host_points.armed
    cloud.points.armed = cloud.host_points.armed = False
    plan, cloud.wire.plan = cloud.wire.plan, {}
    uuid = cloud.create()
    cloud.settle()
    for act in before:
        act(cloud, uuid)
        cloud.settle()
    cloud.points.armed, cloud.host_points.armed = armed
    cloud.wire.plan = plan
    cloud.first_message = len(cloud.wire.sent)
    return uuid


def attach_port(cloud: SimulatedCloud, uuid: str) -> None:
    cloud.change_devices(device_requests.attach_interface, uuid, ONE_MORE)


def detach_port(cloud: SimulatedCloud, uuid: str) -> None:
    cloud.change_devices(device_requests.detach_interface, uuid, cloud.server(uuid).network_info[-1].port_id)


def attach_volume(cloud: SimulatedCloud, uuid: str) -> None:
    cloud.change_devices(device_requests.attach_volume, uuid, cloud.volumes.make())


def detach_volume(cloud: SimulatedCloud, uuid: str) -> None:
    cloud.change_devices(device_requests.detach_volume, uuid, cloud.disks(uuid)[-1].volume_id)


def swap_volume(cloud: SimulatedCloud, uuid: str) -> None:
    cloud.change_devices(device_requests.swap_volume, uuid, cloud.disks(uuid)[-1].volume_id, cloud.volumes.make())


def stop(cloud: SimulatedCloud, uuid: str) -> None:
    cloud.act(uuid, "stop")


def start(cloud: SimulatedCloud, uuid: str) -> None:
    cloud.act(uuid, "start")


def reboot(cloud: SimulatedCloud, uuid: str) -> None:
    cloud.act(uuid, "reboot_hard")


def play(*acts: Act, before: tuple[Act, ...] = ()) -> Play:
    """One after the other has to end."""
    def story(cloud: SimulatedCloud) -> str:
        uuid = built(cloud, *before)
        for act in acts:
            act(cloud, uuid)
            cloud.settle()
        return uuid
    return story


def at_once(first: Act, second: Act, *, before: tuple[Act, ...] = ()) -> Play:
    """The second is accepted while the first one's doorbell is still on its way."""
    def story(cloud: SimulatedCloud) -> str:
        uuid = built(cloud, *before)
        first(cloud, uuid)
        second(cloud, uuid)
        cloud.settle()
        return uuid
    return story


def broken(operation: str, act: Act, *, before: tuple[Act, ...] = ()) -> Play:
    """The hypervisor fails once."""
    def story(cloud: SimulatedCloud) -> str:
        uuid = built(cloud, *before)
        for host in cloud.hosts.values():
            host.break_down(Fault(operation=operation, error="the guest does not let go", times=1))
        act(cloud, uuid)
        cloud.settle()
        return uuid
    return story


def refused(method: str, act: Act, *, before: tuple[Act, ...] = ()) -> Play:
    """The volume service refuses something."""
    def story(cloud: SimulatedCloud) -> str:
        uuid = built(cloud, *before)
        cloud.volumes.refuses = {method}
        act(cloud, uuid)
        cloud.settle()
        return uuid
    return story


def no_addresses(cloud: SimulatedCloud) -> str:
    uuid = built(cloud)
    cloud.ports.full = True
    attach_port(cloud, uuid)
    cloud.settle()
    return uuid


STORIES = [
    Story("attach a port", play(attach_port), ACTIVE, more=has(2, 0)),
    Story("detach a port", play(detach_port, before=(attach_port,)), ACTIVE, more=has(1, 0)),
    Story("attach a volume", play(attach_volume), ACTIVE, more=has(1, 1)),
    Story("detach a volume", play(detach_volume, before=(attach_volume,)), ACTIVE, more=has(1, 0)),
    Story("swap a volume", play(swap_volume, before=(attach_volume,)), ACTIVE, more=has(1, 1)),
]
MORE = [
    Story("two of each, one goes", play(attach_port, attach_volume, attach_volume, attach_port, detach_volume), ACTIVE, more=has(3, 1)),
    Story("devices come while it is off", play(stop, attach_port, attach_volume, start), ACTIVE, more=has(2, 1)),
    Story("devices go while it is off", play(attach_port, attach_volume, stop, detach_port, detach_volume, start), ACTIVE, more=has(1, 0)),
    Story("devices stay over a stop", play(attach_port, attach_volume, stop, start), ACTIVE, more=has(2, 1)),
    Story("attach a port during a reboot", at_once(attach_port, reboot), ACTIVE, more=has(2, 0)),
    Story("attach a volume during a reboot", at_once(attach_volume, reboot), ACTIVE, more=has(1, 1)),
    Story("detach a volume during a reboot", at_once(detach_volume, reboot, before=(attach_volume,)), ACTIVE, more=has(1, 0)),
    Story("attach a volume during a start", at_once(attach_volume, start, before=(stop,)), ACTIVE, more=has(1, 1)),
    Story("attach a port during a stop", at_once(attach_port, stop), STOPPED, more=has(2, 0)),
    Story("no addresses are left", no_addresses, ACTIVE, more=has(1, 0)),
    Story("the guest takes no port", broken("attach_interface", attach_port), ACTIVE, more=has(1, 0)),
    Story("the guest keeps a port", broken("detach_interface", detach_port, before=(attach_port,)), ACTIVE, more=has(2, 0)),
    Story("the guest takes no volume", broken("attach_volume", attach_volume), ACTIVE, more=has(1, 0)),
    Story("the guest keeps a volume", broken("detach_volume", detach_volume, before=(attach_volume,)), ACTIVE, more=has(1, 1)),
    Story("the copy of a volume fails", broken("swap_volume", swap_volume, before=(attach_volume,)), ACTIVE, more=has(1, 1)),
    Story("the volume service refuses to reserve", refused("reserve", attach_volume), ACTIVE, more=has(1, 0)),
    Story("the volume service refuses to connect", refused("connect", attach_volume), ACTIVE, more=has(1, 0)),
    Story("the volume service refuses to complete", refused("complete", attach_volume), ACTIVE, more=has(1, 0)),
    Story("the volume service refuses to begin to detach", refused("begin_detaching", detach_volume, before=(attach_volume,)), ACTIVE, more=has(1, 1)),
]
each = pytest.mark.parametrize("story", STORIES, ids=str)
each_and_more = pytest.mark.parametrize("story", [*STORIES, *MORE], ids=str)


@each_and_more
def test_without_trouble(tmp_path, story):
    stories.run(tmp_path / "calm", story, stories.nothing)


@each
def test_the_conductor_may_die_at_any_point(tmp_path, story):
    stories.conductor_may_die(tmp_path, story, stride=STRIDE)


@each
def test_a_host_may_die_at_any_point(tmp_path, story):
    stories.host_may_die(tmp_path, story)


@each
@pytest.mark.parametrize("fate", ["lose", "double", "late"])
def test_any_message_may_be_lost_doubled_or_late(tmp_path, story, fate):
    stories.messages_may_suffer(tmp_path, story, fate)


@pytest.mark.parametrize("story", [story for story in MORE if "during" in story.name or "keeps" in story.name], ids=str)
def test_the_conductor_may_die_between_a_device_and_an_action(tmp_path, story):
    stories.conductor_may_die(tmp_path, story, stride=2 * STRIDE)


@pytest.mark.parametrize("fate", ["lose", "late"])
@pytest.mark.parametrize("story", [story for story in MORE if "during" in story.name], ids=str)
def test_messages_of_a_device_and_an_action_may_suffer(tmp_path, story, fate):
    stories.messages_may_suffer(tmp_path, story, fate)


@pytest.mark.parametrize("act", [attach_port, detach_port, attach_volume, detach_volume, swap_volume], ids=lambda act: act.__name__)
def test_delete_wins(tmp_path, act):
    kept: dict[str, SimulatedCloud] = {}

    def begin(cloud: SimulatedCloud) -> str:
        uuid = built(cloud, *((attach_volume,) if act in (detach_volume, swap_volume) else ()))
        act(cloud, uuid)
        if kept:
            nobody_holds(kept["before"])
        kept["before"] = cloud
        return uuid
    stories.deleted_at_any_time(tmp_path, begin)
    nobody_holds(kept["before"])


def nobody_holds(cloud: SimulatedCloud) -> None:
    assert not cloud.volumes.attachments
    assert all(volume.status == "available" for volume in cloud.volumes.volumes.values())


def test_a_volume_which_ends_with_its_server_is_deleted(tmp_path):
    cloud = SimulatedCloud(tmp_path, hosts=1)
    uuid = built(cloud)
    stays, goes = cloud.volumes.make(), cloud.volumes.make()
    cloud.change_devices(device_requests.attach_volume, uuid, stays)
    cloud.settle()
    cloud.change_devices(device_requests.attach_volume, uuid, goes)
    cloud.settle()
    cloud.database.write(device_requests.keep_or_delete, uuid, goes, delete_on_termination=True)
    cloud.delete(uuid)
    cloud.settle()
    assert list(cloud.volumes.volumes) == [stays]
    nobody_holds(cloud)
    cloud.close()


@pytest.mark.parametrize("method", ["release", "delete"])
def test_a_volume_service_which_refuses_for_good_keeps_no_server_stuck(tmp_path, method):
    cloud = SimulatedCloud(tmp_path, hosts=1)
    uuid = built(cloud)
    attach_volume(cloud, uuid)
    cloud.settle()
    cloud.database.write(device_requests.keep_or_delete, uuid, cloud.disks(uuid)[0].volume_id, delete_on_termination=True)
    cloud.volumes.refuses = {method}
    cloud.delete(uuid)
    cloud.settle()
    assert cloud.server(uuid).vm_state == "deleted"
    cloud.close()


def test_a_volume_service_which_is_away_is_waited_for(tmp_path):
    cloud = SimulatedCloud(tmp_path, hosts=1)
    uuid = built(cloud)
    cloud.volumes.away = True
    attach_volume(cloud, uuid)
    cloud.deliver()
    assert cloud.busy()
    cloud.volumes.away = False
    cloud.settle()
    has(1, 1)(cloud, uuid)
    cloud.close()


def test_no_connection_is_ever_stored(tmp_path):
    cloud = SimulatedCloud(tmp_path, hosts=1)
    play(attach_volume, swap_volume)(cloud)
    cloud.close()
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert b"driver_volume_type" not in file.read_bytes(), f"a connection in {file}"
