"""Laws over stories: a story is played without trouble, which counts the points and messages; then again with trouble at each.

A test module makes `Story`s and calls the laws; with a stride above 1 only every n-th point is tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from novalike.db import quotas, server_migrations
from novalike.db.models.hosts import ClaimRow, ComputeNodeRow
from novalike.db.models.mappings import InstanceMapping
from novalike.objects.states import PowerState, VmState
from novalike.virt.fake.faults import Fault
from tests.factories_instances import CALLER
from tests.laws.cloud import SimulatedCloud

#: For modules with laws: a host's thread which dies at a point dies of Crash; that is the test, not an accident.
CRASHES = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
Prepare = Callable[[SimulatedCloud], None]
#: Does a story in a cloud and answers its server.
Play = Callable[[SimulatedCloud], str]
#: What the guest of a server in this state does; servers in other states may have any.
POWER = {
    VmState.ACTIVE: PowerState.RUNNING, VmState.RESCUED: PowerState.RUNNING, VmState.STOPPED: PowerState.SHUTDOWN,
    VmState.PAUSED: PowerState.PAUSED, VmState.SUSPENDED: PowerState.SHUTDOWN, VmState.SHELVED: PowerState.SHUTDOWN,
}


@dataclass(frozen=True)
class Story:
    """`play` does it in a fresh cloud and answers the server; `ends` are the vm_states in which it may end."""

    name: str
    play: Play
    ends: set[str]
    hosts: int = 2
    more: Callable[[SimulatedCloud, str], None] | None = None      # further assertions on how it ends
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name.replace(" ", "-").replace(",", "")


def run(home: Path, story: Story, prepare: Prepare) -> SimulatedCloud:
    """Play a story in a fresh cloud and check what remains."""
    home.mkdir()
    cloud = SimulatedCloud(home, hosts=story.hosts, **story.options)
    prepare(cloud)
    uuid = story.play(cloud)
    trouble = cloud.points.passed[-1:] or cloud.wire.sent[-1:]
    check(cloud, uuid, f"{story.name} (last: {trouble})")
    server = cloud.server(uuid)
    assert server.vm_state in story.ends, f"{story.name}: ended {server.vm_state}: {server.fault}"
    if story.more is not None:
        story.more(cloud, uuid)
    cloud.close()
    return cloud


def check(cloud: SimulatedCloud, uuid: str, what: str) -> None:
    """Assert that nothing is under way, and that everything which exists for the server has an owner.

    A server which is somewhere has its guest, its claim and its ports there and nowhere else; one that is nowhere has none.
    """
    server = cloud.server(uuid)
    assert not cloud.busy(), f"{what}: {cloud.busy()}"
    assert server.task_state is None, f"{what}: task_state {server.task_state}"
    guests = {name: host.hypervisor.find(uuid) for name, host in cloud.hosts.items() if host.driver.leftovers(uuid)}
    ports = cloud.ports.of(uuid)
    with cloud.database.read() as session:
        claimed = list(session.scalars(
            sa.select(ComputeNodeRow.host).join(ClaimRow, ClaimRow.compute_node_id == ComputeNodeRow.id).where(ClaimRow.instance_uuid == uuid),
        ))
        moved = server_migrations.awaiting(session, uuid) if server.vm_state == VmState.RESIZED else None
        usage = quotas.usage(session, CALLER.project_id)
        released = session.scalar(sa.select(InstanceMapping.released_at).where(InstanceMapping.uuid == uuid)) is not None
    if server.host is not None and server.vm_state != VmState.DELETED:
        kept = [moved.departure.host] if moved is not None else []         # until it is confirmed, the place it came from is its, too
        held = sorted([server.host, *kept])
        assert sorted(set(guests)) == sorted(set(held)), f"{what}: on {server.host}, guests {list(guests)}"
        assert sorted(claimed) == held, f"{what}: on {held}, claims {claimed}"
        power = guests[server.host].power_state
        assert power == POWER.get(VmState(server.vm_state), power), f"{what}: {server.vm_state}, but its guest is {power.name}"
        assert [vif.port_id for vif in server.network_info] == ports, what
        assert {cloud.ports.hosts[port] for port in ports} == {server.host}, what
        assert server.launched_at is not None, what
    else:
        assert not guests, f"{what}: guests remain on {list(guests)}"
        assert not claimed, f"{what}: claims remain on {claimed}"
    if server.vm_state == VmState.SHELVED_OFFLOADED:
        assert server.host is None, what
        assert [vif.port_id for vif in server.network_info] == ports != [], f"{what}: it keeps its ports: {ports}"
        assert {cloud.ports.hosts[port] for port in ports} == {""}, f"{what}: its ports are bound to {cloud.ports.hosts}"
    elif server.host is None or server.vm_state == VmState.DELETED:
        assert not ports, f"{what}: ports remain: {ports}"
    unfinished = [image.id for image in cloud.images.images.values() if image.status != "active"]
    assert not unfinished, f"{what}: images remain which nobody fills"
    if server.vm_state == VmState.ERROR:
        assert server.fault is not None, what
        assert server.fault.message, what
    sizes = [server.flavor, moved.departure.flavor] if moved is not None else [server.flavor]
    counted = (0, 0) if released else (max(size.vcpus for size in sizes), max(size.memory_mb for size in sizes))
    assert (usage.cores, usage.ram) == counted, f"{what}: counts {usage} against the quota"
    assert released == (server.vm_state == VmState.DELETED), f"{what}: quota released: {released}"


def asking(booted: Play, ask: Callable[[SimulatedCloud, str], Any], *faults: Fault, after: str | None = None) -> Play:
    """Answer how something is asked of a server which `booted` makes (and which did `after` in peace), on a host with these faults."""
    def play(cloud: SimulatedCloud) -> str:
        uuid = booted(cloud)
        if after is not None:
            with peace(cloud):
                cloud.act(uuid, after)
                cloud.settle()
        for fault in faults:
            cloud.hosts[cloud.server(uuid).host].break_down(fault)
        ask(cloud, uuid)
        cloud.settle()
        return uuid
    return play


@contextmanager
def peace(cloud: SimulatedCloud) -> Iterator[None]:
    """What is done in here is the story's setting: no points, no trouble with messages."""
    kept = cloud.points.armed, cloud.host_points.armed, cloud.wire.plan
    cloud.points.armed = cloud.host_points.armed = False
    cloud.wire.plan = {}
    yield
    cloud.points.armed, cloud.host_points.armed, cloud.wire.plan = kept
    cloud.first_message = len(cloud.wire.sent)


def nothing(cloud: SimulatedCloud) -> None:
    """No trouble; points are counted."""
    cloud.points.armed = cloud.host_points.armed = True


def arm_conductor(at: int) -> Prepare:
    """Let the conductor die at this point."""
    def arm(cloud: SimulatedCloud) -> None:
        cloud.points.armed, cloud.points.crash_at = True, at
    return arm


def arm_hosts(at: int) -> Prepare:
    """Let a host die at this point."""
    def arm(cloud: SimulatedCloud) -> None:
        cloud.host_points.armed, cloud.host_points.crash_at = True, at
    return arm


def conductor_may_die(home: Path, story: Story, *, first: int = 1, stride: int = 1) -> None:
    """The law that a conductor may die at any point (from the `first`)."""
    points = len(run(home / "calm", story, nothing).points.passed)
    assert points > 4, "the law would prove nothing"
    for at in range(first, points + 1, stride):
        run(home / str(at), story, arm_conductor(at))


def host_may_die(home: Path, story: Story, *, first: int = 1, stride: int = 1) -> None:
    """The law that a host may die at any point (from the `first`)."""
    points = len(run(home / "calm", story, nothing).host_points.passed)
    for at in range(first, points + 1, stride):
        run(home / str(at), story, arm_hosts(at))


def messages_may_suffer(home: Path, story: Story, fate: str, *, first: int = 0, stride: int = 1) -> None:
    """The law that any message (from the `first` of the story) may be lost, doubled or late."""
    calm = run(home / "calm", story, nothing)
    for number in range(calm.first_message + first, len(calm.wire.sent), stride):
        def prepare(cloud: SimulatedCloud, number: int = number) -> None:
            cloud.wire.plan = {number: fate}
        run(home / f"{fate}{number}", story, prepare)


def deleted_at_any_time(home: Path, begin: Callable[[SimulatedCloud], str], *, most: int = 40) -> None:
    """The law that DELETE wins: `begin` leaves an operation's doorbell on the wire; k messages later the server is deleted.

    Hosts get to work on what was delivered or not: both happen.
    """
    for number in range(most):
        folder = home / f"delete{number}"
        folder.mkdir()
        cloud = SimulatedCloud(folder)
        uuid = begin(cloud)
        delivered = 0
        while delivered < number and (message := cloud.next_message()) is not None:
            cloud._guarded(message.deliver)
            delivered += 1
        over = not cloud.busy()
        cloud.delete(uuid)
        cloud.settle()
        check(cloud, uuid, f"deleted after {number} messages")
        assert cloud.server(uuid).vm_state == VmState.DELETED
        cloud.close()
        if over:
            return
    raise AssertionError("the operation never ended")
