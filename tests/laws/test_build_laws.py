"""Build and delete: whatever dies, is lost, doubled or late, it ends ACTIVE, ERROR with a reason, or DELETED, and nothing is left.

Each law is one loop: a run without trouble counts the points (or messages); then the same run is made with trouble at each.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from novalike.exception import Forbidden, Unavailable
from novalike.objects.states import ACTIONS
from novalike.virt.fake.faults import Fault
from tests.factories_instances import SMALL
from tests.fakes.ports import Ports
from tests.laws.cloud import ROUND, SimulatedCloud
from tests.laws.stories import CRASHES, arm_conductor, arm_hosts, check, nothing

pytestmark = CRASHES

Story = Callable[[SimulatedCloud], str]


def build(cloud: SimulatedCloud) -> str:
    uuid = cloud.create()
    cloud.settle()
    return uuid


def build_after_a_failure(cloud: SimulatedCloud) -> str:
    for host in cloud.hosts.values():
        host.break_down(Fault(operation="spawn", error="no more loop devices", times=1))
    return build(cloud)


def build_which_fails_everywhere(cloud: SimulatedCloud) -> str:
    for host in cloud.hosts.values():
        host.break_down(Fault(operation="spawn", error="the disk is full"))
    return build(cloud)


def build_and_delete(cloud: SimulatedCloud) -> str:
    uuid = build(cloud)
    cloud.delete(uuid)
    cloud.settle()
    return uuid


def delete_while_it_is_built(cloud: SimulatedCloud) -> str:
    uuid = cloud.create()
    message = cloud.wire.take()                  # the doorbell: the conductor places, allocates, orders
    if message is not None:
        cloud._guarded(message.deliver)
    cloud.delete(uuid)
    cloud.settle()
    return uuid


def stop_start_and_reboot(cloud: SimulatedCloud) -> str:
    uuid = build(cloud)
    for action in ("stop", "start", "reboot_hard"):
        if cloud.server(uuid).vm_state in ACTIONS[action].vm_states:
            cloud.act(uuid, action)
            cloud.settle()
    return uuid


STORIES = {
    "build": (build, {"active"}),
    "build after a failure": (build_after_a_failure, {"active", "error"}),
    "build which fails everywhere": (build_which_fails_everywhere, {"error"}),
    "build and delete": (build_and_delete, {"deleted"}),
    "stop, start and reboot": (stop_start_and_reboot, {"active"}),
    "delete while it is built": (delete_while_it_is_built, {"deleted"}),
}
stories = pytest.mark.parametrize("story", STORIES, ids=lambda name: name.replace(" ", "-").replace(",", ""))


def run(home: Path, story: str, prepare: Callable[[SimulatedCloud], None]) -> SimulatedCloud:
    """Run a story in a fresh cloud and check what remains."""
    home.mkdir()
    cloud = SimulatedCloud(home)
    prepare(cloud)
    play, ends = STORIES[story]
    uuid = play(cloud)
    trouble = cloud.points.passed[-1:] or cloud.wire.sent[-1:]
    check(cloud, uuid, f"{story} (last: {trouble})")
    assert cloud.server(uuid).vm_state in ends, f"{story}: ended {cloud.server(uuid).vm_state}: {cloud.server(uuid).fault}"
    cloud.close()
    return cloud


@stories
def test_without_trouble(tmp_path, story):
    run(tmp_path / "calm", story, nothing)


@stories
def test_the_conductor_may_die_at_any_point(tmp_path, story):
    points = len(run(tmp_path / "calm", story, nothing).points.passed)
    assert points > 4, "the law would prove nothing"
    for at in range(1, points + 1):
        run(tmp_path / str(at), story, arm_conductor(at))


@stories
def test_a_host_may_die_at_any_point(tmp_path, story):
    points = len(run(tmp_path / "calm", story, nothing).host_points.passed)
    for at in range(1, points + 1):
        run(tmp_path / str(at), story, arm_hosts(at))


@stories
@pytest.mark.parametrize("fate", ["lose", "double", "late"])
def test_any_message_may_be_lost_doubled_or_late(tmp_path, story, fate):
    calm = run(tmp_path / "calm", story, nothing)
    first = calm.first_message
    for number in range(first, len(calm.wire.sent)):
        def prepare(cloud: SimulatedCloud, number: int = number) -> None:
            cloud.wire.plan = {number: fate}
        run(tmp_path / f"{fate}{number}", story, prepare)


def test_two_messages_in_a_row_may_be_lost(tmp_path):
    calm = run(tmp_path / "calm", "build and delete", nothing)
    for number in range(calm.first_message, len(calm.wire.sent)):
        def prepare(cloud: SimulatedCloud, number: int = number) -> None:
            cloud.wire.plan = {number: "lose", number + 1: "lose"}
        run(tmp_path / str(number), "build and delete", prepare)


def test_conductor_and_host_may_both_die(tmp_path):
    calm = run(tmp_path / "calm", "build and delete", nothing)
    pairs = itertools.product(range(1, len(calm.points.passed) + 1, 5), range(1, len(calm.host_points.passed) + 1, 2))
    for one, other in pairs:
        def prepare(cloud: SimulatedCloud, one: int = one, other: int = other) -> None:
            arm_conductor(one)(cloud)
            arm_hosts(other)(cloud)
        run(tmp_path / f"{one}-{other}", "build and delete", prepare)


def go_on(cloud: SimulatedCloud, seconds: float) -> None:
    """Let so much time pass, with sweeps, whether operations end or not."""
    for _ in range(int(seconds / ROUND) + 1):
        cloud.pass_time(ROUND)
        cloud.sweep()


def test_a_delete_ends_though_its_host_cannot_remove_the_server(tmp_path):
    cloud = SimulatedCloud(tmp_path, hosts=1)
    uuid = build(cloud)
    cloud.hosts["host0"].break_down(Fault(operation="destroy", error="the disk is stuck", times=30))
    cloud.delete(uuid)
    cloud.deliver()
    go_on(cloud, cloud.conf.conductor.destroy_timeout + 60)
    assert cloud.server(uuid).vm_state == "deleted"
    assert cloud.busy() == ["debt of host0"]
    cloud.settle()
    check(cloud, uuid, "after the host paid")


def test_a_delete_asks_every_host_in_the_end(tmp_path):
    cloud = SimulatedCloud(tmp_path, hosts=2)
    uuid = build_after_a_failure(cloud)
    for host in cloud.hosts.values():
        host.break_down(Fault(operation="destroy", error="the disk is stuck", times=30))
    cloud.delete(uuid)
    cloud.settle()
    check(cloud, uuid, "after both hosts paid")


def test_a_build_ends_though_its_hosts_cannot_remove_what_they_left(tmp_path):
    cloud = SimulatedCloud(tmp_path, hosts=2)
    for host in cloud.hosts.values():
        host.break_down(Fault(operation="spawn", error="the disk is full", at="domain"))
        host.break_down(Fault(operation="destroy", error="the disk is stuck", times=30))
    uuid = cloud.create()
    cloud.deliver()
    go_on(cloud, 400)
    assert cloud.server(uuid).vm_state == "error"
    cloud.settle()
    check(cloud, uuid, "after both hosts paid")


def test_a_host_that_cannot_undo_is_not_asked_without_end(tmp_path):
    cloud = SimulatedCloud(tmp_path, hosts=1)
    cloud.hosts["host0"].break_down(Fault(operation="spawn", error="the disk is full"))
    cloud.hosts["host0"].break_down(Fault(operation="destroy", error="the disk is stuck"))
    cloud.create()
    cloud.deliver()
    orders = [line for line in cloud.wire.sent if line.startswith("destroy")]
    assert len(orders) == 1, f"{len(orders)} orders without a pause"


class RefusingPorts(Ports):
    """A network service which no longer lets anything be freed."""

    away = False

    def free(self, caller, instance_uuid):
        if not self.away:
            raise Forbidden("Not with these rights.")
        raise Unavailable("The network service does not answer.")


@pytest.mark.parametrize("story", ["build and delete", "build which fails everywhere"])
def test_a_network_service_which_refuses_for_good_keeps_no_server_stuck(tmp_path, story):
    cloud = SimulatedCloud(tmp_path)
    cloud.ports.__class__ = RefusingPorts
    play, ends = STORIES[story]
    server = cloud.server(play(cloud))
    assert server.vm_state in ends
    assert server.task_state is None
    assert not cloud.busy()
    cloud.close()


def test_a_build_fails_in_time_though_the_network_service_is_away(tmp_path):
    """Its ports are freed when the server is deleted."""
    cloud = SimulatedCloud(tmp_path)
    play, _ = STORIES["build which fails everywhere"]
    cloud.ports.__class__ = RefusingPorts
    cloud.ports.away = True
    uuid = play(cloud)
    assert cloud.server(uuid).vm_state == "error"
    assert not cloud.busy()
    cloud.ports.__class__ = Ports
    cloud.delete(uuid)
    cloud.settle()
    assert cloud.server(uuid).deleted
    check(cloud, uuid, "deleted later")
    cloud.close()


def test_a_full_cloud_says_what_would_have_fitted(tmp_path):
    cloud = SimulatedCloud(tmp_path, hosts=1)
    uuid = cloud.create(flavor=replace(SMALL, memory_mb=1_000_000))
    cloud.settle()
    server = cloud.server(uuid)
    check(cloud, uuid, "no host")
    assert server.vm_state == "error"
    assert "RamFilter" in server.fault.message
