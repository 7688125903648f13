"""The engine with a small kind of task: what is saved, sent again, undone, and handed over."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from novalike.clock import ManualClock
from novalike.conductor.engine import Engine
from novalike.conductor.steps import Again, Done, Resend, Retry, Step, TaskKind, Wait
from novalike.conductor.world import World
from novalike.db import instances, tasks
from novalike.db.cells import Cells
from novalike.db.models.instances import InstanceRow
from novalike.db.models.tasks import TaskRow
from novalike.exception import Invalid, Unavailable
from novalike.objects.tasks import Outcome
from tests.factories_instances import CALLER, NOW, instance


@dataclass(frozen=True, slots=True, kw_only=True)
class PaintState:
    colour: str = ""
    coats: int = 0


class Mix(Step):
    name = "mix"

    def __init__(self, log):
        self.log = log
        self.errors = []

    def run(self, job):
        self.log.append("mix")
        if self.errors:
            raise self.errors.pop(0)
        job.state = replace(job.state, colour="red")
        return Done()

    def undo(self, job):
        self.log.append("undo mix")
        return Done()


class Paint(Step):
    name = "paint"
    undo_on_retry = True

    def __init__(self, log):
        self.log = log
        self.dirty = False

    def run(self, job):
        return Wait("h1")

    def store(self, session, job):
        instances.lock(session, job.instance.uuid).task_state = "spawning"

    def send(self, job, fence):
        self.log.append(f"order paint {fence.sequence}")
        self.dirty = True

    def ended(self, job, outcome):
        if outcome.error == "again":
            return Again(0)
        if outcome.error == "resend":
            return Resend(5)
        if outcome.error:
            job.state = replace(job.state, coats=job.state.coats + 1)
            if job.state.coats > 1:
                raise Invalid(outcome.error)
            return Retry(outcome.error)
        return Done()

    def undo(self, job):
        return Wait("h1") if self.dirty else Done()

    def send_undo(self, job, fence):
        self.log.append(f"order scrape {fence.sequence}")

    def undo_ended(self, job, outcome):
        self.dirty = False

    def undo_overdue(self, job):
        self.log.append("debt")
        self.dirty = False


class PaintTask(TaskKind):
    kind = "paint"
    state_type = PaintState

    def __init__(self, log):
        self.log = log
        self.steps = (Mix(log), Paint(log))

    def finish(self, session, job):
        self.log.append("finished")
        instances.lock(session, job.instance.uuid).vm_state = "active"

    def failed(self, session, job):
        self.log.append(f"failed: {job.failure}")
        instances.lock(session, job.instance.uuid).vm_state = "error"

    def fenced(self, job):
        self.log.append("fenced")


@pytest.fixture
def shop(sqlite):
    log: list[str] = []
    kind = PaintTask(log)

    def engine(owner):
        world = World(
            conf=None, clock=ManualClock(), cells=Cells.single(sqlite), scheduler=None, compute=None, networks=None, images=None,
            vault=None, owner=owner,
        )
        return Engine(world, (kind,))

    made = instance()

    def accept(session):
        instances.create(session, [made])
        return tasks.add(
            session, kind="paint", instance_uuid=made.uuid, epoch=1, step="mix", state=PaintState(), caller=CALLER, now=NOW,
        )
    task_id = sqlite.write(accept)
    return SimpleNamespace(db=sqlite, log=log, kind=kind, engine=engine, id=task_id, uuid=made.uuid)


def row(shop):
    with shop.db.read() as session:
        return session.scalars(sa.select(TaskRow)).one_or_none()


def vm_state(shop):
    with shop.db.read() as session:
        return session.scalar(sa.select(InstanceRow.vm_state))


def age(shop, **stamps):
    """Let time pass for some stamps of the task (milliseconds)."""
    def change(session):
        session.execute(sa.update(TaskRow).values({name: getattr(TaskRow, name) - by for name, by in stamps.items()}))
    shop.db.write(change)


def fence(shop):
    task = row(shop)
    return tasks.Fence(instance_uuid=shop.uuid, operation_id=task.id, sequence=task.sequence, epoch=task.epoch)


def report(shop, engine, error=None, at=None):
    return engine.report(shop.db, Outcome(fence=at or fence(shop), host="h1", error=error))


def test_a_task_runs_to_its_wait_and_a_report_ends_it_in_one_go(shop):
    engine = shop.engine("a")
    assert engine.advance(shop.db, shop.id)
    task = row(shop)
    assert (task.step, task.waiting_host, task.lease_owner, task.state["colour"]) == ("paint", "h1", None, "red")
    assert report(shop, engine)
    assert shop.log == ["mix", "order paint 1", "finished"]
    assert row(shop) is None
    assert vm_state(shop) == "active"


def test_a_doubled_report_changes_nothing(shop):
    engine = shop.engine("a")
    engine.advance(shop.db, shop.id)
    at = fence(shop)
    assert report(shop, engine, at=at)
    assert not report(shop, engine, at=at)


def test_a_report_of_an_older_sequence_changes_nothing(shop):
    engine = shop.engine("a")
    engine.advance(shop.db, shop.id)
    old = replace(fence(shop), sequence=0)
    assert not report(shop, engine, at=old)
    assert row(shop).waiting_host == "h1"


def test_a_silent_host_is_asked_again_with_the_same_sequence(shop):
    engine = shop.engine("a")
    engine.advance(shop.db, shop.id)
    assert not engine.advance(shop.db, shop.id), "it is not time yet"
    age(shop, wake_at=20_000)
    assert engine.advance(shop.db, shop.id)
    assert shop.log == ["mix", "order paint 1", "order paint 1"]


def test_a_host_that_works_on_it_is_not_asked_again(shop):
    engine = shop.engine("a")
    engine.advance(shop.db, shop.id)
    age(shop, wake_at=20_000)
    shop.db.write(tasks.working, [fence(shop)], resend=15_000)
    assert not engine.advance(shop.db, shop.id)


def test_a_retry_undoes_what_it_must_and_begins_again(shop):
    engine = shop.engine("a")
    engine.advance(shop.db, shop.id)
    report(shop, engine, error="paint is dry")
    assert row(shop).waiting_host == "h1"
    assert row(shop).undoing
    report(shop, engine)
    assert shop.log == ["mix", "order paint 1", "order scrape 3", "mix", "order paint 5"]
    report(shop, engine)
    assert vm_state(shop) == "active"


def test_a_second_failure_undoes_everything_and_fails(shop):
    engine = shop.engine("a")
    engine.advance(shop.db, shop.id)
    report(shop, engine, error="paint is dry")
    report(shop, engine)
    report(shop, engine, error="no brush")
    report(shop, engine)
    assert shop.log[-2:] == ["undo mix", "failed: no brush"]
    assert row(shop) is None
    assert vm_state(shop) == "error"


def test_an_undo_which_nobody_answers_leaves_a_debt(shop):
    engine = shop.engine("a")
    engine.advance(shop.db, shop.id)
    report(shop, engine, error="paint is dry")
    age(shop, wake_at=100_000, deadline=100_000)
    engine.advance(shop.db, shop.id)
    assert "debt" in shop.log
    assert row(shop).waiting_host == "h1"
    assert not row(shop).undoing


def test_a_passed_deadline_fails_the_task(shop):
    engine = shop.engine("a")
    engine.advance(shop.db, shop.id)
    age(shop, wake_at=200_000, deadline=200_000)
    engine.advance(shop.db, shop.id)
    report(shop, engine)
    assert shop.log[-1] == "failed: The step paint did not end within 120 seconds."


def test_what_is_unavailable_is_tried_again_until_the_deadline(shop):
    engine = shop.engine("a")
    shop.kind.steps[0].errors = [Unavailable("no scheduler"), Unavailable("no scheduler")]
    engine.advance(shop.db, shop.id)
    assert row(shop).lease_owner is None
    age(shop, wake_at=3_000)
    engine.advance(shop.db, shop.id)
    age(shop, wake_at=3_000)
    engine.advance(shop.db, shop.id)
    assert shop.log == ["mix", "mix", "mix", "order paint 1"]


def test_what_stays_unavailable_fails_with_a_reason(shop):
    engine = shop.engine("a")
    shop.kind.steps[0].errors = [Unavailable("no scheduler")] * 5
    engine.advance(shop.db, shop.id)
    age(shop, wake_at=3_000, deadline=500_000)
    engine.advance(shop.db, shop.id)
    assert shop.log[-1] == "failed: The step mix could not be done in time."


def test_a_programming_error_does_not_lose_the_task(shop):
    engine = shop.engine("a")
    shop.kind.steps[0].errors = [KeyError("oops")]
    engine.advance(shop.db, shop.id)
    assert row(shop).lease_owner is None
    age(shop, wake_at=5_000)
    engine.advance(shop.db, shop.id)
    assert row(shop).waiting_host == "h1"


def test_a_leased_task_is_left_alone_until_the_lease_ends(shop):
    shop.db.write(tasks.lease, shop.id, "dead conductor", 90_000)
    engine = shop.engine("b")
    assert not engine.advance(shop.db, shop.id)
    age(shop, wake_at=100_000, lease_until=100_000)
    assert engine.advance(shop.db, shop.id)
    assert row(shop).waiting_host == "h1"


def test_a_conductor_which_lost_its_lease_is_fenced(shop):
    class Slow(Mix):
        def run(self, job):
            age(shop, wake_at=100_000, lease_until=100_000)
            shop.engine("b").advance(shop.db, shop.id)
            return Done()

    other = PaintTask(shop.log)
    other.steps = (Slow(shop.log), other.steps[1])
    world = World(
        conf=None, clock=ManualClock(), cells=Cells.single(shop.db), scheduler=None, compute=None, networks=None, images=None, vault=None,
        owner="a",
    )
    Engine(world, (other,)).advance(shop.db, shop.id)
    assert shop.log == ["mix", "order paint 1", "fenced"]
    assert row(shop).waiting_host == "h1"


def test_again_runs_the_step_again_with_a_new_sequence(shop):
    engine = shop.engine("a")
    engine.advance(shop.db, shop.id)
    report(shop, engine, error="again")
    age(shop, wake_at=1)
    engine.advance(shop.db, shop.id)
    assert shop.log == ["mix", "order paint 1", "order paint 3"]


def test_resend_orders_the_host_again_within_the_same_deadline(shop):
    engine = shop.engine("a")
    engine.advance(shop.db, shop.id)
    deadline = row(shop).deadline
    report(shop, engine, error="resend")
    assert (row(shop).waiting_host, row(shop).deadline) == ("h1", deadline)
    assert not engine.advance(shop.db, shop.id), "it pauses first"
    age(shop, wake_at=6_000)
    engine.advance(shop.db, shop.id)
    assert shop.log == ["mix", "order paint 1", "order paint 2"]


def test_an_undo_which_fails_is_ordered_again_after_a_pause_until_its_deadline(shop):
    engine = shop.engine("a")
    engine.advance(shop.db, shop.id)
    report(shop, engine, error="paint is dry")
    deadline = row(shop).deadline
    report(shop, engine, error="the scraper broke")
    assert shop.log[-1] == "order scrape 3", "not at once"
    assert row(shop).deadline == deadline
    age(shop, wake_at=6_000)
    engine.advance(shop.db, shop.id)
    assert shop.log[-1] == "order scrape 4"
    age(shop, wake_at=100_000, deadline=100_000)
    engine.advance(shop.db, shop.id)
    assert "debt" in shop.log


def test_again_after_a_passed_deadline_gets_a_new_one(shop):
    class Patient(Paint):
        def overdue(self, job):
            return Again(0)

    engine = shop.engine("a")
    shop.kind.steps = (shop.kind.steps[0], Patient(shop.log))
    engine.advance(shop.db, shop.id)
    age(shop, wake_at=200_000, deadline=200_000)
    engine.advance(shop.db, shop.id)
    age(shop, wake_at=1)
    engine.advance(shop.db, shop.id)
    assert row(shop).waiting_host == "h1", "it has to run again instead of being overdue for ever"
