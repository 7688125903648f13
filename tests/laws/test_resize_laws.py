"""Resize and cold migration: whatever dies, is lost, doubled or late, the server is whole on one host, in one size, or gone.

What it wrote before the move is on its disk after it; what its old place keeps is there until confirmed and not a moment longer;
and its project's quota is exact all the time.
"""

from __future__ import annotations

import uuid as uuid_module
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from novalike.conductor.resize_confirm import ResizeConfirm
from novalike.db import quotas, reservations, resizes, state_resets
from novalike.db.engine import Database
from novalike.db.models.hosts import ServiceRow
from novalike.db.models.instances import MigrationRow
from novalike.db.models.mappings import Reservation
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
            flavor=server.flavor, auto_disk_config=server.auto_disk_config, hardware=server.hardware,
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
    ports = [port.port_id for port in cloud.ports.info(None, uuid)]
    assert {cloud.ports.flavors[port] for port in ports} <= {server.flavor.name}, "ports have the limits of the server's flavor"
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
#: Those of which each shows a way that the others do not take.
DIFFERENT = [STORIES[number] for number in (0, 1, 3, 5, 6, 8)]
#: Every fifth point of conductors: neighbours differ in one write. (All of them passed when this was written.)
STRIDE = 5


@every_story
def test_without_trouble(tmp_path, story):
    stories.run(tmp_path / "calm", story, stories.nothing)


@pytest.mark.parametrize("story", DIFFERENT, ids=str)
def test_the_conductor_may_die_at_any_point(tmp_path, story):
    stories.conductor_may_die(tmp_path, story, stride=STRIDE)


@pytest.mark.parametrize("story", DIFFERENT, ids=str)
def test_a_host_may_die_at_any_point(tmp_path, story):
    stories.host_may_die(tmp_path, story, stride=3)


@pytest.mark.parametrize("story", [STORIES[number] for number in (0, 6, 8)], ids=str)
@pytest.mark.parametrize("fate", ["lose", "double", "late"])
def test_any_message_may_be_lost_doubled_or_late(tmp_path, story, fate):
    stories.messages_may_suffer(tmp_path, story, fate, first=6)      # those before made the server


def begin_resize(cloud: SimulatedCloud) -> str:
    uuid = active(cloud)
    move(cloud, uuid)
    return uuid


def begin_on_one_host(cloud: SimulatedCloud) -> str:
    uuid = active(cloud)
    keep_elsewhere_away(cloud, uuid)
    move(cloud, uuid, stay=True)
    return uuid


def keep_elsewhere_away(cloud: SimulatedCloud, uuid: str) -> None:
    """Let the server's own host be the only one."""
    for name in cloud.hosts:
        if name != cloud.server(uuid).host:
            Database.write(cloud.database, close, name)


def close(session, host: str) -> None:
    session.execute(sa.update(ServiceRow).where(ServiceRow.host == host).values(forced_down=1))


def begin_confirm(cloud: SimulatedCloud) -> str:
    uuid = resize(cloud)
    confirm(cloud, uuid)
    return uuid


def begin_revert(cloud: SimulatedCloud) -> str:
    uuid = resize(cloud)
    revert(cloud, uuid)
    return uuid


def begin_what_fails(cloud: SimulatedCloud) -> str:
    return failing("arrive", begin_resize)(cloud)


@pytest.mark.parametrize("begin", [begin_resize, begin_on_one_host, begin_confirm, begin_revert, begin_what_fails])
def test_delete_wins_at_any_time(tmp_path, begin):
    stories.deleted_at_any_time(tmp_path, begin)


def moved(cloud: SimulatedCloud, uuid: str) -> MigrationRow:
    with cloud.database.read() as session:
        return session.scalars(sa.select(MigrationRow).where(MigrationRow.instance_uuid == uuid)).one()


@pytest.mark.parametrize(("begin", "status"), [
    (resize, "finished"), (then(resize, confirm), "confirmed"), (then(resize, revert), "reverted"), (failing("fetch", resize), "error"),
])
def test_the_migration_tells_how_it_went(tmp_path, begin, status):
    cloud = SimulatedCloud(tmp_path)
    uuid = begin(cloud)
    found = moved(cloud, uuid)
    assert (found.status, {found.source_host, found.dest_host}) == (status, {"host0", "host1"})
    cloud.delete(uuid)
    cloud.settle()
    assert moved(cloud, uuid).status == ("confirmed" if status == "finished" else status)
    cloud.close()


def test_another_destination_is_tried(tmp_path):
    cloud = SimulatedCloud(tmp_path, hosts=4)
    uuid = active(cloud)
    home = cloud.server(uuid).host
    for name, host in cloud.hosts.items():
        if name != home:
            host.break_down(Fault(operation="fetch", error="no space left", times=1))
    for name in [name for name in cloud.hosts if name != home][:1]:
        cloud.hosts[name].driver.clear_faults()          # one of three is sound
    move(cloud, uuid)
    cloud.settle()
    stories.check(cloud, uuid, "after failures elsewhere")
    assert cloud.server(uuid).vm_state == VmState.RESIZED
    resized(cloud, uuid)
    cloud.close()


def test_a_server_of_which_its_host_never_told_starts_again_later(tmp_path):
    """The source stopped the server, and does not answer when it is to take it back."""
    cloud = SimulatedCloud(tmp_path)
    uuid = active(cloud)
    for host in cloud.hosts.values():
        host.break_down(Fault(operation="fetch", error="no space left"))
    cloud.hosts[cloud.server(uuid).host].break_down(Fault(operation="put_back", error="the disk is stuck"))
    move(cloud, uuid)
    cloud.settle()
    server = cloud.server(uuid)
    assert (server.vm_state, server.task_state, server.flavor) == (VmState.ACTIVE, None, SMALL)
    assert "does not answer" in server.fault.message
    cloud.act(uuid, "reboot_hard")
    cloud.settle()
    stories.check(cloud, uuid, "after a hard reboot")
    wrote(cloud, uuid)
    cloud.close()


def test_what_nobody_confirms_is_confirmed_in_time(tmp_path):
    cloud = SimulatedCloud(tmp_path, resize_confirm_window=60)
    uuid = resize(cloud)
    periodic = ResizeConfirm(cloud.world)
    periodic.confirm()
    cloud.settle()
    assert cloud.server(uuid).vm_state == VmState.RESIZED
    api_write(cloud)(lambda session: session.execute(sa.update(MigrationRow).values(updated_at=NOW - timedelta(hours=1))))
    periodic.confirm()
    cloud.settle()
    stories.check(cloud, uuid, "confirmed by itself")
    assert cloud.server(uuid).vm_state == VmState.ACTIVE
    cloud.close()


def test_a_reset_state_leaves_nothing_of_a_resize(tmp_path):
    cloud = SimulatedCloud(tmp_path)
    uuid = resize(cloud)
    api_write(cloud)(state_resets.reset, uuid, VmState.ACTIVE, CALLER, now=NOW)
    ResizeConfirm(cloud.world).tidy()
    cloud.settle()
    stories.check(cloud, uuid, "after a reset state")
    assert cloud.server(uuid).vm_state == VmState.ACTIVE
    resized(cloud, uuid)
    cloud.close()


def test_quota_which_no_migration_needs_is_given_back(tmp_path):
    cloud = SimulatedCloud(tmp_path)
    uuid = active(cloud)
    api_write(cloud)(reservations.reserve, "m" * 36, uuid, cores=4, ram=4096, defaults=DEFAULT_LIMITS)
    assert cloud.database.fetch(quotas.usage, CALLER.project_id).cores == 4
    periodic = ResizeConfirm(cloud.world)
    periodic.reserved()
    assert cloud.database.fetch(quotas.usage, CALLER.project_id).cores == 4, "its migration may come in a moment"
    api_write(cloud)(lambda session: session.execute(sa.update(Reservation).values(created_at=0)))
    periodic.reserved()
    stories.check(cloud, uuid, "after the accept that died")
    cloud.close()


def test_a_source_that_is_down_owes_what_it_keeps(tmp_path):
    cloud = SimulatedCloud(tmp_path)
    uuid = resize(cloud)
    source = moved(cloud, uuid).source_host
    api_write(cloud)(close, source)
    confirm(cloud, uuid)
    cloud.deliver()
    assert cloud.server(uuid).vm_state == VmState.ACTIVE
    assert cloud.busy() == [f"debt of {source}"]
    api_write(cloud)(lambda session: session.execute(sa.update(ServiceRow).values(forced_down=0)))
    cloud.settle()
    stories.check(cloud, uuid, "after the source paid")
    cloud.close()
