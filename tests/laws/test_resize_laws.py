"""Resize and cold migration: whatever dies, is lost, doubled or late, the server is whole on one host, in one size, or gone.

What it wrote before the move is on its disk after it; what its old place keeps is there until confirmed and not a moment longer;
and its project's quota is exact all the time.
"""

from __future__ import annotations

import uuid as uuid_module
from collections.abc import Callable
from dataclasses import replace

import pytest

from novalike.db import reservations, resizes
from novalike.db.engine import Database
from novalike.objects.move_tasks import Departure, ResizeState
from novalike.objects.quota import DEFAULT_LIMITS
from novalike.objects.states import VmState
from novalike.virt.fake.faults import Fault
from tests.factories_instances import CALLER, NOW, SMALL
from tests.laws import stories
from tests.laws.cloud import SimulatedCloud
from tests.laws.stories import Story

pytestmark = stories.CRASHES

LARGE = replace(SMALL, flavorid="2", name="m1.large", vcpus=2, memory_mb=1024, root_gb=2)
WRITTEN = "what the user wrote\n"


def active(cloud: SimulatedCloud) -> str:
    """A server with something on its disk; trouble before that is other laws' matter."""
    armed = cloud.points.armed, cloud.host_points.armed
    cloud.points.armed = cloud.host_points.armed = False
    uuid = cloud.create()
    cloud.settle()
    cloud.hosts[cloud.server(uuid).host].hypervisor.guest_writes(uuid, WRITTEN)
    cloud.points.armed, cloud.host_points.armed = armed
    return uuid


def move(cloud: SimulatedCloud, uuid: str, *, flavor=LARGE, stay: bool = False) -> None:
    """Accept a resize (a migration, to the same flavor) as the API does; its doorbell is on the wire."""
    server = cloud.server(uuid)
    migration = str(uuid_module.uuid4())
    write = api_write(cloud)
    write(reservations.reserve, migration, uuid, cores=flavor.vcpus, ram=flavor.memory_mb, defaults=DEFAULT_LIMITS)
    state = ResizeState(
        migration_uuid=migration, source_host=server.host, new_flavor=flavor, same_host_allowed=stay, auto_disk_config=False,
        departure=Departure(
            host=server.host, node=server.node, availability_zone=server.availability_zone, vm_state=server.vm_state,
            flavor=server.flavor, auto_disk_config=server.auto_disk_config,
        ),
    )
    kind = "migration" if flavor == server.flavor else "resize"
    cloud.ring(write(
        resizes.begin, server, "migrate" if kind == "migration" else "resize", state, CALLER, migration_type=kind, now=NOW, deadline=120,
    ))


def api_write(cloud: SimulatedCloud) -> Callable:
    """The API's own transactions: no point of the conductor."""
    return lambda *args, **kwargs: Database.write(cloud.database, *args, **kwargs)


def confirm(cloud: SimulatedCloud, uuid: str) -> None:
    cloud.ring(api_write(cloud)(resizes.begin_confirm, cloud.server(uuid), CALLER, now=NOW))


def revert(cloud: SimulatedCloud, uuid: str) -> None:
    cloud.ring(api_write(cloud)(resizes.begin_revert, cloud.server(uuid), CALLER, now=NOW))


def resize(cloud: SimulatedCloud) -> str:
    uuid = active(cloud)
    move(cloud, uuid)
    cloud.settle()
    return uuid


def resize_on_one_host(cloud: SimulatedCloud) -> str:
    uuid = active(cloud)
    move(cloud, uuid, stay=True)
    cloud.settle()
    return uuid


def migrate_a_stopped_server(cloud: SimulatedCloud) -> str:
    uuid = active(cloud)
    cloud.act(uuid, "stop")
    cloud.settle()
    move(cloud, uuid, flavor=SMALL)
    cloud.settle()
    return uuid


def then(begin: Callable[[SimulatedCloud], str], end: Callable[[SimulatedCloud, str], None]) -> Callable[[SimulatedCloud], str]:
    """Play `end` after `begin`, whose own trouble is another story."""
    def play(cloud: SimulatedCloud) -> str:
        armed = cloud.points.armed, cloud.host_points.armed
        cloud.points.armed = cloud.host_points.armed = False
        uuid = begin(cloud)
        cloud.points.armed, cloud.host_points.armed = armed
        assert cloud.server(uuid).vm_state == VmState.RESIZED, cloud.server(uuid).fault
        end(cloud, uuid)
        cloud.settle()
        return uuid
    return play


def failing(operation: str, begin: Callable[[SimulatedCloud], str], *, times: int | None = None) -> Callable[[SimulatedCloud], str]:
    """Let every host fail at this."""
    def play(cloud: SimulatedCloud) -> str:
        for host in cloud.hosts.values():
            host.break_down(Fault(operation=operation, error=f"no {operation} today", times=times))
        return begin(cloud)
    return play


def resized(cloud: SimulatedCloud, uuid: str) -> None:
    server = cloud.server(uuid)
    guest = cloud.hosts[server.host].hypervisor.find(uuid)
    if server.vm_state in (VmState.RESIZED, VmState.ACTIVE) and server.fault is None:
        assert server.flavor == LARGE
        assert guest.facts["memory_mb"] == LARGE.memory_mb
    wrote(cloud, uuid)


def as_before(cloud: SimulatedCloud, uuid: str) -> None:
    server = cloud.server(uuid)
    guest = cloud.hosts[server.host].hypervisor.find(uuid)
    assert server.flavor == SMALL
    assert guest.facts["memory_mb"] == SMALL.memory_mb
    wrote(cloud, uuid)


def failed(cloud: SimulatedCloud, uuid: str) -> None:
    as_before(cloud, uuid)
    assert cloud.server(uuid).fault is not None


def wrote(cloud: SimulatedCloud, uuid: str) -> None:
    server = cloud.server(uuid)
    assert WRITTEN in cloud.hosts[server.host].hypervisor.find(uuid).disks["disk"], "the disk lost what was written before"


STORIES = [
    Story("resize", resize, {"resized"}, more=resized),
    Story("resize on one host", resize_on_one_host, {"resized"}, hosts=1, more=resized),
    Story("migrate a stopped server", migrate_a_stopped_server, {"resized"}, more=as_before),
    Story("confirm", then(resize, confirm), {"active"}, more=resized),
    Story("confirm on one host", then(resize_on_one_host, confirm), {"active"}, hosts=1, more=resized),
    Story("revert", then(resize, revert), {"active"}, more=as_before),
    Story("revert on one host", then(resize_on_one_host, revert), {"active"}, hosts=1, more=as_before),
    Story("confirm a stopped server", then(migrate_a_stopped_server, confirm), {"stopped"}, more=as_before),
    Story("a destination which fails", failing("fetch", resize), {"active"}, more=failed),
    Story("a guest which does not start there", failing("arrive", resize), {"active"}, more=failed),
    Story("a source which fails", failing("move_out", resize), {"active"}, more=failed),
    Story("one host which fails", failing("arrive", resize_on_one_host), {"active"}, hosts=1, more=failed),
    Story("a source which is slow to take back", failing("put_back", failing("fetch", resize), times=3), {"active"}, more=failed),
]
every_story = pytest.mark.parametrize("story", STORIES, ids=str)
#: Half of the points each: neighbours differ in one write only.
STRIDE = 2


@every_story
def test_without_trouble(tmp_path, story):
    stories.run(tmp_path / "calm", story, stories.nothing)


@every_story
def test_the_conductor_may_die_at_any_point(tmp_path, story):
    stories.conductor_may_die(tmp_path, story, stride=STRIDE)


@every_story
def test_a_host_may_die_at_any_point(tmp_path, story):
    stories.host_may_die(tmp_path, story)


@every_story
@pytest.mark.parametrize("fate", ["lose", "double", "late"])
def test_any_message_may_be_lost_doubled_or_late(tmp_path, story, fate):
    stories.messages_may_suffer(tmp_path, story, fate)
