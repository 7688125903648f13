"""Reports wait while the conductor is away, and nothing is lost."""

from __future__ import annotations

import pytest

from novalike.clock import Clock
from novalike.compute.ledger import Ledger
from novalike.compute.reporter import Reporter
from novalike.objects.tasks import Fence, Outcome
from tests.fakes.conductor import RecordingConductor


@pytest.fixture
def ledger(tmp_path):
    opened = Ledger(str(tmp_path / "ledger" / "ledger.sqlite"), Clock())
    yield opened
    opened.close()


@pytest.fixture
def conductor():
    return RecordingConductor()


@pytest.fixture
def make_reporter(ledger, conductor):
    made = []

    def make(**options):
        reporter = Reporter(conductor, conductor, ledger, pause=0.02, **options)
        made.append(reporter)
        reporter.start()
        return reporter
    yield make
    for reporter in made:
        reporter.stop(1)


def ended(ledger, number: int, kind: str = "build") -> Outcome:
    fence = Fence(instance_uuid=f"u{number}", operation_id=f"op-{number}", sequence=1 if kind == "build" else 0, epoch=1)
    ledger.admit(fence, kind, {})
    outcome = Outcome(fence=fence, host="host1")
    ledger.finish(outcome)
    return outcome


def test_outcomes_go_to_whom_they_concern_and_are_noted_as_sent(ledger, conductor, make_reporter):
    reporter = make_reporter()
    reporter.outcome(ended(ledger, 1))
    reporter.outcome(ended(ledger, 2, "reboot_hard"))
    assert reporter.idle(5)
    assert [outcome.fence.operation_id for outcome in conductor.outcomes] == ["op-1"]
    assert [outcome.fence.operation_id for outcome in conductor.actions] == ["op-2"]
    assert ledger.unsent(10) == []


def test_outcomes_wait_while_the_conductor_is_away_and_keep_their_order(ledger, conductor, make_reporter):
    conductor.away = True
    reporter = make_reporter()
    for number in range(5):
        reporter.outcome(ended(ledger, number))
    assert not reporter.idle(0.1)
    conductor.away = False
    assert reporter.idle(5)
    assert [outcome.fence.operation_id for outcome in conductor.outcomes] == [f"op-{number}" for number in range(5)]


def test_more_than_fit_into_memory_come_from_the_ledger(ledger, conductor, make_reporter):
    conductor.away = True
    reporter = make_reporter(limit=3)
    for number in range(20):
        reporter.outcome(ended(ledger, number))
    conductor.away = False
    assert reporter.idle(5)
    assert {outcome.fence.operation_id for outcome in conductor.outcomes} == {f"op-{number}" for number in range(20)}


def test_only_the_newest_of_a_state_is_sent(conductor, make_reporter):
    conductor.away = True
    reporter = make_reporter()
    for number in range(5):
        reporter.state("usage", lambda ctxt, number=number: conductor._hear(conductor.usages, number))
    conductor.away = False
    assert reporter.idle(5)
    assert conductor.usages[-1] == 4 and len(conductor.usages) <= 2


def test_report_which_cannot_be_sent_at_all_does_not_block_the_others(ledger, conductor, make_reporter):
    def explode(ctxt):
        raise RuntimeError("planned")
    reporter = make_reporter()
    reporter.state("broken", explode)
    reporter.outcome(ended(ledger, 1))
    assert reporter.idle(5)
    assert len(conductor.outcomes) == 1
