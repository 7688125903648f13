"""Guests whose server is deleted."""

from __future__ import annotations

import pytest

from novalike.clock import ManualClock
from novalike.objects.states import PowerState
from novalike.virt.driver import SpawnRequest
from tests.factories_compute import build, server


@pytest.fixture
def clock():
    return ManualClock()


def orphan(daemon):
    ours = daemon.running_server()
    del daemon.conductor.instances[ours.uuid]
    return ours


def search(daemon, clock, after: float = 1800):
    clock.advance(after)
    daemon.tick("orphans")
    daemon.settle()


def test_orphan_is_reaped_at_the_second_look(make_daemon, clock):
    daemon = make_daemon(clock=clock)
    gone, kept = orphan(daemon), daemon.running_server()
    search(daemon, clock)
    assert daemon.driver.power_state(gone.uuid) is PowerState.RUNNING
    search(daemon, clock)
    assert daemon.driver.leftovers(gone.uuid) == ()
    assert daemon.driver.power_state(kept.uuid) is PowerState.RUNNING
    assert daemon.do(build(gone)).stale, "a late message must not bring it back"


def test_guest_which_this_host_did_not_make_is_never_touched(make_daemon, clock):
    daemon = make_daemon(clock=clock)
    foreign = server()
    daemon.driver.spawn(SpawnRequest(instance=foreign, vifs=()))
    for _ in range(3):
        search(daemon, clock)
    assert daemon.driver.power_state(foreign.uuid) is PowerState.RUNNING


@pytest.mark.parametrize("action, state", [
    ("shutdown", PowerState.SHUTDOWN), ("log", PowerState.RUNNING), ("noop", PowerState.RUNNING), ("reap", PowerState.NOSTATE),
])
def test_action_is_the_configured_one(make_daemon, clock, action, state):
    daemon = make_daemon(clock=clock, running_deleted_instance_action=action)
    gone = orphan(daemon)
    search(daemon, clock)
    search(daemon, clock)
    assert daemon.driver.power_state(gone.uuid) is state


def test_timeout_is_kept(make_daemon, clock):
    daemon = make_daemon(clock=clock, running_deleted_instance_timeout=5000)
    gone = orphan(daemon)
    for _ in range(3):
        search(daemon, clock)
    assert daemon.driver.power_state(gone.uuid) is PowerState.RUNNING
    search(daemon, clock)
    assert daemon.driver.power_state(gone.uuid) is PowerState.NOSTATE


def test_silent_conductor_means_no_reaping(make_daemon, clock):
    daemon = make_daemon(clock=clock)
    gone = orphan(daemon)
    daemon.conductor.away = True
    for _ in range(3):
        clock.advance(1800)
        daemon.tick("orphans")
    assert daemon.driver.power_state(gone.uuid) is PowerState.RUNNING
    daemon.conductor.away = False
