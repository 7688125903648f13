"""Soft delete, restore and reclaim, and the actions which stop a guest's clock: whatever dies or is lost, they end as they should."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from novalike.conductor.engine import Engine
from novalike.conductor.manager import KINDS
from novalike.conductor.reclaim import Reclaim
from novalike.conductor.steps import Again, Step, TaskKind
from novalike.conductor.tasks import common
from novalike.db import acceptance, instances, soft_deletes
from novalike.db.engine import Database
from novalike.db.models.mappings import InstanceMapping
from novalike.objects.states import PowerState, VmState
from novalike.objects.tasks import DeleteState
from novalike.virt.fake.faults import Fault
from tests.factories_instances import CALLER, NOW
from tests.laws.cloud import SimulatedCloud

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


def active(cloud: SimulatedCloud) -> str:
    uuid = cloud.create()
    cloud.settle()
    assert cloud.server(uuid).vm_state == VmState.ACTIVE
    return uuid


def soft_delete(cloud: SimulatedCloud, uuid: str) -> None:
    """Accept a soft delete as the API does."""
    server = cloud.server(uuid)
    begun = Database.write(cloud.database, soft_deletes.begin, server, CALLER, now=NOW)
    if isinstance(begun, str):
        cloud.ring(begun)
    else:
        cloud.order(server, soft_deletes.ACTION, begun)


def counts(cloud: SimulatedCloud, uuid: str) -> bool:
    with cloud.database.read() as session:
        return session.scalar(sa.select(InstanceMapping.released_at).where(InstanceMapping.uuid == uuid)) is None


def guest(cloud: SimulatedCloud, uuid: str):
    [found] = [host.hypervisor.find(uuid) for host in cloud.hosts.values() if host.hypervisor.find(uuid)]
    return found


def pause_and_go_on(cloud: SimulatedCloud) -> tuple[str, VmState]:
    uuid = active(cloud)
    for action in ("pause", "unpause", "suspend", "resume"):
        cloud.act(uuid, action)
        cloud.settle()
    return uuid, VmState.ACTIVE


def delete_softly(cloud: SimulatedCloud) -> tuple[str, VmState]:
    uuid = active(cloud)
    soft_delete(cloud, uuid)
    cloud.settle()
    return uuid, VmState.SOFT_DELETED


def delete_softly_and_restore(cloud: SimulatedCloud) -> tuple[str, VmState]:
    uuid, _ = delete_softly(cloud)
    cloud.act(uuid, "restore")
    cloud.settle()
    return uuid, VmState.ACTIVE


STORIES = {"pause": pause_and_go_on, "soft-delete": delete_softly, "restore": delete_softly_and_restore}
stories = pytest.mark.parametrize("story", STORIES)


def run(home, story: str, prepare: Callable[[SimulatedCloud], None] = lambda cloud: None) -> SimulatedCloud:
    home.mkdir()
    cloud = SimulatedCloud(home)
    prepare(cloud)
    cloud.points.armed = cloud.host_points.armed = True
    uuid, end = STORIES[story](cloud)
    server = cloud.server(uuid)
    assert not cloud.busy(), cloud.busy()
    assert (server.vm_state, server.task_state) == (end, None)
    assert server.power_state == guest(cloud, uuid).power_state
    assert guest(cloud, uuid).power_state == (PowerState.RUNNING if end == VmState.ACTIVE else PowerState.SHUTDOWN)
    cloud.delete(uuid)
    cloud.settle()
    assert cloud.server(uuid).vm_state == VmState.DELETED
    assert not [host for host in cloud.hosts.values() if host.driver.leftovers(uuid)]
    cloud.close()
    return cloud


@stories
def test_host_or_conductor_may_die_at_any_point(tmp_path, story):
    calm = run(tmp_path / "calm", story)
    for at in range(1, len(calm.host_points.passed) + 1, 3):
        run(tmp_path / f"h{at}", story, lambda cloud, at=at: setattr(cloud.host_points, "crash_at", at))
    for at in range(1, len(calm.points.passed) + 1, 5):
        run(tmp_path / f"c{at}", story, lambda cloud, at=at: setattr(cloud.points, "crash_at", at))


@stories
@pytest.mark.parametrize("fate", ["lose", "double", "late"])
def test_any_message_may_be_lost_doubled_or_late(tmp_path, story, fate):
    calm = run(tmp_path / "calm", story)
    for number in range(calm.first_message, len(calm.wire.sent)):
        run(tmp_path / str(number), story, lambda cloud, number=number: setattr(cloud.wire, "plan", {number: fate}))


@pytest.mark.parametrize(("action", "operation", "end"), [
    ("pause", "pause", "active"), ("suspend", "suspend", "active"), ("trigger_crash_dump", "inject_nmi", "active"),
])
def test_a_failed_action_leaves_the_server_as_it_was(tmp_path, action, operation, end):
    cloud = SimulatedCloud(tmp_path)
    uuid = active(cloud)
    for host in cloud.hosts.values():
        host.break_down(Fault(operation=operation, error="the host is tired"))
    cloud.act(uuid, action)
    cloud.settle()
    server = cloud.server(uuid)
    assert (server.vm_state, server.task_state, server.fault.message) == (end, None, "the host is tired")
    assert guest(cloud, uuid).power_state == PowerState.RUNNING
    cloud.close()


def test_a_crash_dump_reaches_the_guest(tmp_path):
    cloud = SimulatedCloud(tmp_path)
    uuid = active(cloud)
    cloud.act(uuid, "trigger_crash_dump")
    assert cloud.server(uuid).task_state is None
    cloud.settle()
    assert "NMI" in guest(cloud, uuid).printed
    cloud.close()


class Patience(Step[DeleteState]):
    """A step which never ends."""

    name = "patience"

    def run(self, job):
        return Again(10)


class Waits(TaskKind[DeleteState]):
    kind, state_type, steps = "waits", DeleteState, (Patience(),)

    def failed(self, session, job):
        common.fail(session, job, event="compute_wait")


def test_a_soft_delete_undoes_the_task_which_runs(tmp_path):
    cloud = SimulatedCloud(tmp_path)
    uuid = active(cloud)
    cloud.engine = Engine(cloud.world, (*KINDS, Waits()))
    task = Database.write(
        cloud.database, acceptance.begin_task, cloud.server(uuid), "rebuild", kind="waits", state=DeleteState(), caller=CALLER, now=NOW,
    )
    cloud.ring(task)
    cloud.deliver()
    assert cloud.busy() == ["task waits at patience"]
    soft_delete(cloud, uuid)
    assert cloud.server(uuid).task_state == "soft-deleting"
    soft_delete(cloud, uuid)                     # again is fine
    cloud.settle()
    assert not cloud.busy()
    assert (cloud.server(uuid).vm_state, cloud.server(uuid).task_state) == ("soft-delete", None)
    cloud.close()


def test_soft_deleted_servers_do_not_count_and_are_reclaimed(tmp_path):
    cloud = SimulatedCloud(tmp_path, reclaim_instance_interval=3600)
    uuid, _ = delete_softly(cloud)
    assert not counts(cloud, uuid)
    reclaim = Reclaim(cloud.world)
    reclaim.reclaim()
    assert cloud.server(uuid).task_state is None, "its time is not over"
    Database.write(cloud.database, lambda session: _age(session, uuid, cloud.world.clock.now() - timedelta(hours=2)))
    reclaim.reclaim()
    cloud.settle()
    assert cloud.server(uuid).vm_state == VmState.DELETED
    cloud.close()


def test_quota_is_given_back_though_the_conductor_died_before_it_could(tmp_path):
    cloud = SimulatedCloud(tmp_path)
    uuid, _ = delete_softly(cloud)
    Database.write(cloud.database, lambda session: session.execute(sa.update(InstanceMapping).values(released_at=None)))
    Database.write(cloud.database, lambda session: _age(session, uuid, cloud.world.clock.now() - timedelta(hours=2)))
    Reclaim(cloud.world).quota()
    assert not counts(cloud, uuid)
    cloud.act(uuid, "restore")
    cloud.settle()
    assert counts(cloud, uuid), "a restored server counts, whatever happened before"
    cloud.close()


def test_a_soft_deleted_guest_which_somebody_starts_is_stopped_again(tmp_path):
    cloud = SimulatedCloud(tmp_path)
    uuid, _ = delete_softly(cloud)
    host = cloud.hosts[cloud.server(uuid).host]
    host.hypervisor.set_power(uuid, PowerState.RUNNING)
    host.manager._power.compare()
    host.settle()
    cloud.settle()
    assert guest(cloud, uuid).power_state == PowerState.SHUTDOWN
    assert cloud.server(uuid).vm_state == VmState.SOFT_DELETED
    cloud.close()


def _age(session, uuid, moment) -> None:
    instances.lock(session, uuid).updated_at = moment
