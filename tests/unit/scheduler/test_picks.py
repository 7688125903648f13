"""Servers placed at the same moment do not all go to the host that was best for the first."""

from __future__ import annotations

from novalike.hardware.capacity import Amounts
from novalike.scheduler.picks import Picks
from novalike.scheduler.snapshot import Snapshot
from tests.factories_hosts import host_state


def test_a_pick_counts_until_its_claim_ended():
    picks = Picks()
    hosts = Snapshot((host_state(node_id=1), host_state(node_id=2)))
    with picks.on(1, Amounts(2, 512, 10)):
        later = picks.added(hosts)
        assert later[0].used.memory_mb == hosts[0].used.memory_mb + 512
        assert later[0].instances == hosts[0].instances + 1
        assert later[1] is hosts[1]
    assert picks.added(hosts) is hosts


def test_two_picks_on_a_host_add_up():
    picks = Picks()
    hosts = Snapshot((host_state(node_id=1),))
    with picks.on(1, Amounts(1, 100, 1)), picks.on(1, Amounts(1, 100, 1)):
        assert picks.added(hosts)[0].used.memory_mb == hosts[0].used.memory_mb + 200
