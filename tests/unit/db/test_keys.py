"""Keys which processes share: whoever comes first makes one, and all others get the same."""

from __future__ import annotations

import threading

from novalike.clock import ManualClock
from novalike.db import keys
from novalike.db.keys import KeyRing


def test_all_who_start_at_once_get_the_same_key(database):
    found = []
    threads = [threading.Thread(target=lambda: found.append(keys.key(database, "task-state"))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert len(set(found)) == 1
    assert len(found[0]) == 32
    assert keys.key(database, "another") != found[0]


def test_a_ring_rotates_and_others_learn_of_it(database):
    made, clock = iter("abcd"), ManualClock()
    mine, other = (KeyRing(database, "token", lambda: next(made), clock) for _ in range(2))
    assert mine.all() == other.all() == ("a",)
    for _ in range(2):
        mine.rotate(keep=2)
    assert mine.all() == ("c", "b")
    assert not other.reload(), "not more than once a second"
    clock.advance(2)
    assert other.reload()
    assert other.all() == ("c", "b")
