"""The ledger decides what to do with an order, and survives."""

from __future__ import annotations

import os
import stat

import pytest

from novalike.clock import ManualClock
from novalike.compute.ledger import Ledger, Verdict
from novalike.exception import Conflict
from novalike.objects.tasks import Fence, Outcome

UUID = "aaaaaaaa-0000-4000-8000-000000000001"


def fence(operation: str = "build-1", sequence: int = 1, epoch: int = 1, uuid: str = UUID) -> Fence:
    return Fence(instance_uuid=uuid, operation_id=operation, sequence=sequence, epoch=epoch)


def done(of: Fence, **values) -> Outcome:
    return Outcome(fence=of, host="host1", **values)


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "compute" / "ledger.sqlite")


@pytest.fixture
def ledger(path, clock):
    opened = Ledger(path, clock)
    yield opened
    opened.close()


def verdict(ledger: Ledger, of: Fence, kind: str = "build", **options) -> Verdict:
    return ledger.admit(of, kind, {}, **options).verdict


def test_new_order_runs_and_its_double_is_ignored(ledger):
    assert verdict(ledger, fence()) is Verdict.RUN
    assert verdict(ledger, fence()) is Verdict.IGNORE


def test_done_order_is_answered_as_it_ended(ledger):
    ledger.admit(fence(), "build", {})
    outcome = done(fence(), power_state=1, root_device_name="/dev/vda")
    assert ledger.finish(outcome)
    again = ledger.admit(fence(), "build", {})
    assert (again.verdict, again.outcome) == (Verdict.ANSWER, outcome)


def test_second_end_of_an_order_counts_for_nothing(ledger):
    ledger.admit(fence(), "build", {})
    assert ledger.finish(done(fence(), error="too late"))
    assert not ledger.finish(done(fence()))
    assert ledger.admit(fence(), "build", {}).outcome.error == "too late"


def test_lower_epoch_is_stale_for_every_kind(ledger):
    ledger.admit(fence(epoch=5), "build", {})
    for kind in ("build", "destroy", "start"):
        assert verdict(ledger, fence(f"{kind}-old", epoch=4), kind) is Verdict.STALE
        assert verdict(ledger, fence(f"{kind}-new", epoch=5), kind) is Verdict.RUN


def test_tombstone_refuses_builds_and_actions_of_its_epoch_but_not_of_a_newer_one(ledger):
    assert verdict(ledger, fence("delete-1", epoch=2), "destroy", tombstone=True) is Verdict.RUN
    assert verdict(ledger, fence("build-1", epoch=2)) is Verdict.STALE
    assert verdict(ledger, fence("reboot-1", 0, epoch=2), "reboot_hard") is Verdict.STALE
    assert verdict(ledger, fence("delete-2", epoch=2), "destroy", tombstone=True) is Verdict.RUN
    assert verdict(ledger, fence("build-2", epoch=3)) is Verdict.RUN


def test_undo_without_tombstone_refuses_only_older_steps_of_its_operation(ledger):
    assert verdict(ledger, fence(sequence=5), "destroy") is Verdict.RUN
    assert verdict(ledger, fence(sequence=3)) is Verdict.STALE
    assert verdict(ledger, fence(sequence=7)) is Verdict.RUN


def test_reopened_ledger_remembers_and_knows_what_was_interrupted(path, clock):
    first = Ledger(path, clock)
    first.admit(fence("delete-1", epoch=2, uuid="b"), "destroy", {}, tombstone=True)
    first.finish(done(fence("delete-1", epoch=2, uuid="b")))
    first.admit(fence(), "build", {"instance_name": "instance-1"})
    first.close()
    second = Ledger(path, clock)
    assert verdict(second, fence("late", epoch=2, uuid="b")) is Verdict.STALE
    [left] = second.interrupted()
    assert (left.fence, left.kind, left.document, left.interruptions) == (fence(), "build", {"instance_name": "instance-1"}, 1)
    again = second.admit(fence(), "build", {})
    assert (again.verdict, again.interruptions) == (Verdict.RUN, 1)
    second.close()


def test_second_daemon_over_the_same_file_is_refused(ledger, path, clock):
    with pytest.raises(Conflict, match="Another compute daemon"):
        Ledger(path, clock)


def test_file_is_private(ledger, path):
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


def test_unsent_outcomes_wait_in_order(ledger, clock):
    for number in range(3):
        one = fence(f"op-{number}")
        ledger.admit(one, "build" if number else "start", {})
        clock.advance(1)
        ledger.finish(done(one))
    ledger.sent([fence("op-1")])
    assert [outcome.fence.operation_id for outcome in ledger.unsent(10)] == ["op-0", "op-2"]
    assert len(ledger.unsent(1)) == 1


def test_pruning_forgets_by_age_and_keeps_what_runs(ledger, clock):
    ledger.admit(fence("old"), "build", {})
    ledger.finish(done(fence("old")))
    ledger.admit(fence("gone", uuid="b"), "destroy", {}, tombstone=True)
    ledger.finish(done(fence("gone", uuid="b")))
    ledger.admit(fence("hung", sequence=2), "build", {})
    clock.advance(100)
    ledger.admit(fence("young", uuid="c"), "build", {})
    ledger.finish(done(fence("young", uuid="c")))
    now = clock.time()
    assert ledger.prune(now - 50, now - 1000) == 2
    assert ledger.epoch("b") == 1, "the tombstone is still young"
    assert verdict(ledger, fence("hung", sequence=2)) is Verdict.IGNORE
    assert verdict(ledger, fence("young", uuid="c")) is Verdict.ANSWER
    ledger.prune(now - 50, now - 50)
    assert ledger.epoch("b") is None
    assert ledger.epoch(UUID) == 1, "an instance that is here is never forgotten"


def test_learned_epochs_only_rise(ledger):
    ledger.learn({UUID: 7})
    ledger.learn({UUID: 3})
    assert ledger.epoch(UUID) == 7
    ledger.bury(UUID)
    assert verdict(ledger, fence(epoch=7)) is Verdict.STALE
