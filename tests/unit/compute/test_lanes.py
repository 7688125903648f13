"""Orders of one instance run one after the other, those of others side by side."""

from __future__ import annotations

import threading

import pytest

from novalike.compute.lanes import Lanes
from novalike.workers import Workers


@pytest.fixture
def workers():
    made = Workers("test", 2)
    yield made
    made.stop(1)


def test_same_key_runs_in_order_and_alone(workers):
    lanes, seen, inside = Lanes(), [], []
    for number in range(20):
        def work(number=number):
            inside.append(number)
            assert len(inside) == 1, "two of one key ran at once"
            seen.append(number)
            inside.remove(number)
        lanes.submit("a", workers, work)
    assert lanes.wait(5)
    assert seen == list(range(20))


def test_waiting_work_holds_no_thread(workers):
    lanes, gate, passed = Lanes(), threading.Event(), threading.Event()
    for _ in range(5):
        lanes.submit("stuck", workers, lambda: gate.wait(5))
    lanes.submit("free", workers, passed.set)
    assert passed.wait(2), "work of another key waited for a stuck one"
    assert lanes.busy("stuck") and not lanes.wait(0.01)
    gate.set()
    assert lanes.wait(5) and not lanes.busy("stuck")


def test_failing_work_does_not_stop_its_lane(workers):
    lanes, seen = Lanes(), threading.Event()

    def fail():
        raise RuntimeError("planned")
    lanes.submit("a", workers, fail)
    lanes.submit("a", workers, seen.set)
    assert lanes.wait(5) and seen.is_set()
