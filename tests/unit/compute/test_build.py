"""Build and destroy: fences, undo, deadlines, pools."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from novalike.clock import ManualClock
from novalike.objects.secret import Secret
from novalike.objects.states import PowerState
from tests.factories_compute import build, destroy, server


def test_build_ends_with_a_running_guest(daemon):
    ours = server()
    outcome = daemon.do(build(ours))
    assert (outcome.error, outcome.power_state, outcome.root_device_name, outcome.host) == (None, 1, "/dev/vda", "host1")
    assert outcome.started_at <= outcome.finished_at
    assert daemon.driver.power_state(ours.uuid) is PowerState.RUNNING


def test_destroy_leaves_nothing_and_is_fine_without_anything(daemon):
    ours = server()
    daemon.do(build(ours))
    assert daemon.do(destroy(ours)).error is None
    assert daemon.driver.leftovers(ours.uuid) == ()
    assert daemon.do(destroy(ours)).error is None


def test_repeated_build_is_answered_and_not_run_again(daemon):
    ours = server()
    order = build(ours)
    daemon.do(order)
    daemon.driver.destroy(ours.uuid, ours.name, ())
    daemon.do(order)
    first, second = daemon.conductor.outcomes_of(order.fence)
    assert first == second
    assert daemon.driver.guests() == ()


def test_double_of_a_running_build_is_ignored(make_daemon):
    daemon = make_daemon(fake__spawn_delay=0.2)
    order = build(server())
    daemon.order(order)
    daemon.order(order)
    daemon.settle()
    assert len(daemon.conductor.outcomes_of(order.fence)) == 1


def test_late_build_after_destroy_makes_nothing(daemon):
    ours = server()
    daemon.do(destroy(ours, epoch=2))
    outcome = daemon.do(build(ours, epoch=1))
    assert outcome.stale and not outcome.retry
    outcome = daemon.do(build(ours, epoch=2))
    assert outcome.stale
    assert daemon.driver.leftovers(ours.uuid) == ()


def test_destroy_of_an_older_epoch_does_not_touch_the_guest(daemon):
    ours = server(epoch=3)
    daemon.do(build(ours))
    assert daemon.do(destroy(ours, epoch=2)).stale
    assert daemon.driver.power_state(ours.uuid) is PowerState.RUNNING


def test_undo_before_a_retry_on_the_same_host_refuses_only_the_older_try(daemon):
    ours = server()
    daemon.do(build(ours, operation="task", sequence=1))
    daemon.do(destroy(ours, operation="task", sequence=2, tombstone=False))
    assert daemon.do(build(ours, operation="task", sequence=1)).error is None, "answered as it ended"
    assert daemon.driver.leftovers(ours.uuid) == ()
    assert daemon.do(build(ours, operation="task", sequence=3)).error is None
    assert daemon.driver.power_state(ours.uuid) is PowerState.RUNNING


@pytest.mark.parametrize("at", ["start", "disks", "taps", "domain"])
def test_failed_build_is_undone_and_says_why(make_daemon, at):
    daemon = make_daemon(fake__fault=[f"spawn at={at} retry=false error=image is broken"])
    ours = server()
    outcome = daemon.do(build(ours))
    assert (outcome.error, outcome.retry, outcome.stale) == ("image is broken", False, False)
    assert daemon.driver.leftovers(ours.uuid) == ()


def test_unexpected_error_tells_the_user_nothing_internal(daemon):
    def explode(request):
        raise RuntimeError("/var/lib/secret-path")
    daemon.driver.spawn = explode
    outcome = daemon.do(build(server()))
    assert outcome.error == "The host failed to build the server." and outcome.retry
    assert "secret-path" in outcome.details


def test_failing_undo_does_not_hide_the_error(make_daemon):
    daemon = make_daemon(fake__fault=["spawn at=taps error=no bridge", "destroy times=1"])
    ours = server()
    assert daemon.do(build(ours)).error == "no bridge"
    assert daemon.driver.leftovers(ours.uuid), "the test wants something to remain"
    daemon.do(destroy(ours))
    assert daemon.driver.leftovers(ours.uuid) == ()


def test_delete_during_a_build_wins(make_daemon):
    daemon = make_daemon(fake__spawn_delay=0.2)
    ours = server()
    first, last = build(ours, epoch=1), destroy(ours, epoch=2)
    daemon.order(first)
    daemon.order(last)
    daemon.settle()
    assert daemon.conductor.outcomes_of(first.fence)[-1].stale
    assert daemon.conductor.outcomes_of(last.fence)[-1].error is None
    assert daemon.driver.leftovers(ours.uuid) == ()


def test_builds_beyond_the_limit_wait_and_heartbeats_name_them(make_daemon):
    daemon = make_daemon(max_concurrent_builds=2)
    gate, spawn, together = threading.Event(), daemon.driver.spawn, []

    def slow(request):
        together.append(request)
        gate.wait(5)
        return spawn(request)
    daemon.driver.spawn = slow
    orders = [build(server()) for _ in range(5)]
    for order in orders:
        daemon.order(order)
    daemon.conductor.wait(lambda: len(together) == 2)
    daemon.tick("heartbeat")
    assert set(daemon.conductor.heartbeats[-1].running) == {order.fence for order in orders}
    assert len(together) == 2
    gate.set()
    daemon.settle()
    daemon.tick("heartbeat")
    assert daemon.conductor.heartbeats[-1].running == ()
    assert len(daemon.driver.guests()) == 5


def test_hung_build_is_reported_at_its_deadline_and_undone_when_it_comes_back(make_daemon):
    clock = ManualClock()
    daemon = make_daemon(clock=clock)
    gate, spawn, entered = threading.Event(), daemon.driver.spawn, threading.Event()

    def hang(request):
        entered.set()
        gate.wait(10)
        return spawn(request)
    daemon.driver.spawn = hang
    ours = server()
    order = build(ours, deadline=30)
    daemon.order(order)
    assert entered.wait(5)
    clock.advance(29)
    daemon.tick("order deadlines")
    assert daemon.conductor.outcomes_of(order.fence) == []
    clock.advance(2)
    daemon.tick("order deadlines")
    daemon.conductor.wait(lambda: daemon.conductor.outcomes_of(order.fence))
    [outcome] = daemon.conductor.outcomes_of(order.fence)
    assert "30 seconds" in outcome.error and outcome.retry
    gate.set()
    daemon.settle()
    assert daemon.driver.leftovers(ours.uuid) == ()
    assert len(daemon.conductor.outcomes_of(order.fence)) == 1


def test_build_timeout_of_the_host_shortens_the_orders_own(make_daemon):
    clock = ManualClock()
    daemon = make_daemon(clock=clock, instance_build_timeout=5)
    gate = threading.Event()
    daemon.driver.spawn = lambda request: gate.wait(10)
    order = build(server(), deadline=600)
    daemon.order(order)
    clock.advance(6)
    daemon.tick("order deadlines")
    daemon.conductor.wait(lambda: daemon.conductor.outcomes_of(order.fence))
    gate.set()


def test_secrets_do_not_reach_the_ledger(make_daemon, tmp_path):
    daemon = make_daemon(fake__spawn_delay=0.3)
    daemon.order(replace(build(server()), admin_password=Secret("hunter2-hunter2"), files=(("/root/key", "c2VjcmV0LWZpbGU="),)))
    stored = b"".join(path.read_bytes() for path in (tmp_path / "compute").iterdir())
    assert b"instance-" in stored, "the order is not in the ledger at all"
    assert b"hunter2" not in stored and b"c2VjcmV0" not in stored
    daemon.settle()
