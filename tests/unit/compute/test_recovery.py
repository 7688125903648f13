"""Killed at any moment: what the next daemon makes of it."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from novalike.objects.states import PowerState
from tests.factories_compute import ComputeDaemon, action, build, destroy, server


def hang_in(daemon: ComputeDaemon, method: str) -> threading.Event:
    """Let the driver's method never come back; the event says that it was entered."""
    entered = threading.Event()

    def hang(*args, **kwargs):
        entered.set()
        threading.Event().wait(20)
        raise RuntimeError("killed meanwhile")
    setattr(daemon.driver, method, hang)
    return entered


def test_running_guests_are_not_disturbed(daemon):
    ours = daemon.running_server()
    before = daemon.driver.console_output(ours.uuid, None, 102400)
    daemon.kill()
    daemon.restart()
    daemon.settle()
    assert daemon.driver.console_output(ours.uuid, None, 102400) == before
    assert daemon.conductor.changes == []


def test_half_made_guest_is_removed_and_built_when_ordered_again(daemon):
    ours = server()
    order = build(ours)
    daemon.driver.hypervisor.boot = lambda uuid: threading.Event().wait(20)   # dies between define and boot
    daemon.order(order)
    daemon.conductor.wait(lambda: len(daemon.driver.leftovers(ours.uuid)) == 4)
    daemon.kill()
    del daemon.hypervisor.boot
    daemon.restart()
    daemon.settle()
    assert daemon.driver.leftovers(ours.uuid) == ()
    assert daemon.conductor.outcomes_of(order.fence) == [], "the conductor finds it missing in heartbeats and asks again"
    daemon.tick("heartbeat")
    assert daemon.conductor.heartbeats[-1].running == ()
    assert daemon.do(order).error is None
    assert daemon.driver.power_state(ours.uuid) is PowerState.RUNNING


def test_guest_rebuilt_after_an_interrupted_try_is_not_cleaned_away(daemon):
    ours = server()
    first = build(ours, operation="task", sequence=1)
    entered = hang_in(daemon, "spawn")
    daemon.order(first)
    assert entered.wait(5)
    daemon.kill()
    daemon.restart()
    assert daemon.do(build(ours, operation="task", sequence=2)).error is None
    daemon.kill()
    daemon.restart()
    daemon.settle()
    assert daemon.driver.power_state(ours.uuid) is PowerState.RUNNING


def test_build_which_kills_the_daemon_again_and_again_is_given_up(make_daemon):
    daemon = make_daemon(compute__interrupted_limit=2)
    order = build(server())
    for _ in range(2):
        entered = hang_in(daemon, "spawn")
        daemon.order(order)
        assert entered.wait(5)
        daemon.kill()
        daemon.restart()
    outcome = daemon.do(order)
    assert "2 times" in outcome.error and outcome.retry


def test_interrupted_delete_is_finished_and_reported(daemon):
    ours = daemon.running_server()
    order = destroy(ours, epoch=2)
    entered = hang_in(daemon, "destroy")
    daemon.order(order)
    assert entered.wait(5)
    daemon.kill()
    daemon.restart()
    daemon.settle()
    assert daemon.driver.leftovers(ours.uuid) == ()
    assert [outcome.error for outcome in daemon.conductor.outcomes_of(order.fence)] == [None]
    assert daemon.do(build(ours, epoch=2)).stale, "the tombstone outlived the daemon"


@pytest.mark.parametrize("kind, task_state, method, ends", [
    ("stop", "powering-off", "power_off", PowerState.SHUTDOWN),
    ("reboot_hard", "rebooting_hard", "reboot", PowerState.RUNNING),
])
def test_interrupted_action_is_done_when_still_wanted(daemon, kind, task_state, method, ends):
    ours = daemon.running_server()
    daemon.conductor.instances[ours.uuid] = replace(ours, task_state=task_state)
    order = action(ours, kind)
    entered = hang_in(daemon, method)
    daemon.order(order)
    assert entered.wait(5)
    daemon.kill()
    daemon.restart()
    daemon.settle()
    assert [(outcome.error, outcome.power_state) for outcome in daemon.conductor.outcomes_of(order.fence)] == [(None, ends)]


def test_interrupted_action_which_was_ended_meanwhile_is_left_alone(daemon):
    ours = daemon.running_server()
    order = action(ours, "stop")
    entered = hang_in(daemon, "power_off")
    daemon.order(order)
    assert entered.wait(5)
    daemon.kill()
    daemon.restart()
    daemon.settle()
    assert daemon.conductor.outcomes_of(order.fence) == []
    assert daemon.driver.power_state(ours.uuid) is PowerState.RUNNING


def test_outcome_which_could_not_be_sent_is_sent_by_the_next_daemon(daemon):
    order = build(server())
    daemon.conductor.away = True
    daemon.order(order)
    assert daemon.manager.host.orders.wait(5)
    daemon.kill()
    daemon.conductor.away = False
    daemon.restart()
    daemon.settle()
    assert [outcome.error for outcome in daemon.conductor.outcomes_of(order.fence)] == [None]


@pytest.mark.parametrize("resume, state", [(True, PowerState.RUNNING), (False, PowerState.SHUTDOWN)])
def test_guests_are_started_after_the_hosts_boot_only_when_configured(make_daemon, resume, state):
    daemon = make_daemon(resume_guests_state_on_host_boot=resume)
    ours = daemon.running_server()
    daemon.kill()
    daemon.hypervisor.guest_powers_off(ours.uuid)    # the host's power failed
    daemon.restart()
    daemon.settle()
    assert daemon.driver.power_state(ours.uuid) is state
    assert [change.power_state for change in daemon.conductor.changes] == ([] if resume else [PowerState.SHUTDOWN])


def test_graceful_stop_waits_for_running_orders_and_takes_no_more(make_daemon):
    daemon = make_daemon(fake__spawn_delay=0.3)
    order, late = build(server()), build(server())
    daemon.order(order)
    stopper = threading.Thread(target=daemon.manager.stop)
    stopper.start()
    daemon.conductor.wait(lambda: daemon.manager.host.orders._closed)
    daemon.order(late)
    stopper.join(5)
    assert [outcome.error for outcome in daemon.conductor.outcomes_of(order.fence)] == [None]
    assert daemon.conductor.outcomes_of(late.fence) == []
    daemon.restart()
    assert daemon.do(late).error is None


def test_order_which_outlasts_a_graceful_stop_is_taken_up_later(daemon):
    ours = daemon.running_server()
    order = destroy(ours, epoch=2)
    entered = hang_in(daemon, "destroy")
    daemon.order(order)
    assert entered.wait(5)
    daemon.manager._stop_timeout = 0.1
    daemon.manager.stop()
    daemon.restart()
    daemon.settle()
    assert daemon.driver.leftovers(ours.uuid) == ()
