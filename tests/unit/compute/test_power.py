"""Guests which change power state by themselves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from novalike.clock import ManualClock
from novalike.objects.states import PowerState
from novalike.virt.driver import SpawnRequest
from tests.factories_compute import action, destroy, server


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def daemon(make_daemon, clock):
    return make_daemon(clock=clock, compute__lifecycle_event_delay=5)


def look(daemon, clock, after: float):
    clock.advance(after)
    daemon.tick("power events")
    daemon.settle()
    return [(change.instance_uuid, change.power_state, change.epoch) for change in daemon.conductor.changes]


def test_guest_which_powers_itself_off_is_reported_once(daemon, clock):
    ours = daemon.running_server(epoch=4)
    daemon.hypervisor.guest_powers_off(ours.uuid)
    assert look(daemon, clock, 4) == []
    assert look(daemon, clock, 2) == [(ours.uuid, PowerState.SHUTDOWN, 4)]
    assert len(look(daemon, clock, 100)) == 1


def test_guest_which_restarts_from_inside_is_not_reported(daemon, clock):
    ours = daemon.running_server()
    daemon.hypervisor.guest_powers_off(ours.uuid)
    daemon.hypervisor.boot(ours.uuid)
    assert look(daemon, clock, 100) == []


def test_crash_is_reported_at_once(daemon, clock):
    ours = daemon.running_server()
    daemon.hypervisor.guest_crashes(ours.uuid)
    assert look(daemon, clock, 0) == [(ours.uuid, PowerState.CRASHED, 1)]


def test_ordered_changes_are_not_reported(daemon, clock):
    ours = daemon.running_server()
    for kind in ("stop", "start", "reboot_hard"):
        daemon.do(action(ours, kind))
    assert look(daemon, clock, 100) == []
    daemon.do(destroy(ours, epoch=2))
    assert look(daemon, clock, 100) == []


def test_nothing_is_reported_while_an_order_of_the_instance_runs(daemon, clock):
    ours = daemon.running_server()
    busy = [True]
    daemon.manager.host.orders.busy = lambda uuid: busy[0]
    daemon.hypervisor.guest_powers_off(ours.uuid)
    assert look(daemon, clock, 10) == []
    daemon.tick("power states")
    assert daemon.conductor.changes == []
    busy[0] = False
    assert look(daemon, clock, 2) == [(ours.uuid, PowerState.SHUTDOWN, 1)]


def test_comparison_finds_what_no_event_told(daemon, clock):
    off, _fine, busy, absent = (daemon.running_server() for _ in range(4))
    daemon.manager._power._due.clear()
    for ours in (off, busy):
        daemon.hypervisor._guests[ours.uuid].power_state = PowerState.SHUTDOWN
    daemon.hypervisor._guests.pop(absent.uuid)
    daemon.conductor.instances[busy.uuid] = replace(busy, task_state="powering-off")
    daemon.tick("power states")
    daemon.settle()
    assert {(change.instance_uuid, change.power_state) for change in daemon.conductor.changes} == {
        (off.uuid, PowerState.SHUTDOWN), (absent.uuid, PowerState.NOSTATE),
    }


def test_contradiction_is_reported_at_every_comparison(daemon):
    ours = daemon.running_server()
    daemon.conductor.instances[ours.uuid] = replace(ours, vm_state="stopped")   # should be off, runs, and the database knows
    for rounds in (1, 2):
        daemon.tick("power states")
        daemon.settle()
        assert [change.power_state for change in daemon.conductor.changes] == [PowerState.RUNNING] * rounds


def test_foreign_guests_are_not_reported(daemon, clock):
    daemon.hypervisor.begin(daemon.driver._guest(SpawnRequest(instance=server(), vifs=())))
    [foreign] = daemon.hypervisor.guests()
    daemon.hypervisor.add(foreign.uuid, f"domain:{foreign.name}")
    daemon.hypervisor.boot(foreign.uuid)
    assert look(daemon, clock, 10) == []
    daemon.tick("power states")
    assert daemon.conductor.changes == []
