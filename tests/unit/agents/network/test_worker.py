"""When the agent looks, and what it asks for."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from novalike.agents.network.desired import Desired
from novalike.agents.network.worker import Ring, Worker
from novalike.clock import Clock
from novalike.context import RequestContext
from novalike.exception import Unavailable
from novalike.objects.network_state import DesiredNetwork, DesiredNetworks
from novalike.rpc import serializer


class Conductor:
    """Answers what it is told to; keeps what was asked."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.answers: list[Any] = []

    def network(self, ctxt: RequestContext, *, host: str, since: int, known: Any = None) -> Any:
        self.asked.append(since)
        answer = self.answers.pop(0) if self.answers else DesiredNetworks(revision=len(self.asked), full=since == 0)
        if isinstance(answer, Exception):
            raise answer
        return serializer.dump(DesiredNetworks, answer)


class Hands:
    """Keeps what it was told to do, and can fail."""

    def __init__(self) -> None:
        self.done: list[tuple[set[str], set[str], bool]] = []
        self.failures = 0
        self.surveys = 0
        self.looks = 0

    def survey(self) -> None:
        self.surveys += 1

    def apply(self, changed: set[str], gone: set[str], *, thorough: bool = False) -> bool:
        self.done.append((changed, gone, thorough))
        self.failures -= 1
        return self.failures < 0

    def renew(self) -> None:
        pass

    def lost(self) -> bool:
        self.looks += 1
        return self.looks == 2

    def close(self) -> None:
        pass


@pytest.fixture
def parts():
    conductor, hands = Conductor(), Hands()
    return conductor, hands, Worker("h1", conductor, Desired(), hands, Clock())


def network(name: str) -> DesiredNetwork:
    return DesiredNetwork(id=name, bridge="b")


def test_first_everything_then_changes(parts) -> None:
    conductor, hands, worker = parts
    conductor.answers = [
        DesiredNetworks(revision=7, full=True, networks=(network("a"),)),
        DesiredNetworks(revision=8, full=False, networks=(network("b"),), gone=("a",)),
    ]
    assert worker.once()
    assert worker.once()
    assert conductor.asked == [0, 7]
    assert hands.done == [({"a"}, set(), True), ({"b"}, {"a"}, False)]
    assert hands.surveys == 1


def test_an_absent_conductor_and_a_wrong_answer_are_tried_again(parts) -> None:
    conductor, hands, worker = parts
    conductor.answers = [Unavailable("gone"), RuntimeError("broken")]
    assert not worker.once()
    assert not worker.once()
    assert hands.done == []


def test_many_rings_are_one_look(parts) -> None:
    conductor, _hands, worker = parts
    ring = Ring(worker)
    worker.start()
    until(lambda: conductor.asked == [0])
    for _ in range(50):
        ring.ring(RequestContext(), revision=5)
    until(lambda: len(conductor.asked) == 2)
    ring.ring(RequestContext(), revision=2)                  # known by now
    time.sleep(0.3)
    assert len(conductor.asked) == 2
    worker.stop()


def test_what_failed_is_done_again_with_everything(parts) -> None:
    conductor, hands, worker = parts
    hands.failures = 1
    worker.start()
    until(lambda: len(hands.done) == 2)
    assert conductor.asked == [0, 0]
    worker.stop()


def test_what_is_lost_is_seen_and_made_again(parts) -> None:
    conductor, hands, _ = parts
    worker = Worker("h1", conductor, Desired(), hands, Clock(), watch=0.05)
    worker.start()
    until(lambda: hands.looks >= 4)
    assert conductor.asked == [0, 0], "one look of several found something missing"
    assert [thorough for _, _, thorough in hands.done] == [True, True]
    worker.stop()


def test_a_stop_among_rings_is_heard(parts) -> None:
    conductor, _, worker = parts
    worker.start()
    until(lambda: conductor.asked == [0])
    worker.ring(5)
    time.sleep(0.03)                                         # it collects rings now
    begun = time.monotonic()
    worker.stop()
    assert time.monotonic() - begun < 5


def test_a_stop_while_the_conductor_is_away_does_not_wait_for_it(parts, monkeypatch) -> None:
    monkeypatch.setattr("novalike.agents.network.worker._RETRY_FIRST", 25.0)
    conductor, _, worker = parts
    conductor.answers = [Unavailable("gone")]
    worker.start()
    until(lambda: len(conductor.asked) == 1)
    begun = time.monotonic()
    worker.stop()
    assert time.monotonic() - begun < 10


def until(condition) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not happen within 10 s"
        threading.Event().wait(0.02)
