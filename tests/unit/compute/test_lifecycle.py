"""Start, stop, reboot."""

from __future__ import annotations

import time

import pytest

from novalike.objects.states import PowerState
from tests.factories_compute import action, destroy, server


def boots(daemon, ours) -> int:
    return daemon.driver.console_output(ours.uuid, None, 102400).count(b"Linux version")


def test_stop_and_start(daemon):
    ours = daemon.running_server()
    outcome = daemon.do(action(ours, "stop"))
    assert (outcome.error, outcome.power_state) == (None, 4)
    outcome = daemon.do(action(ours, "start"))
    assert (outcome.error, outcome.power_state) == (None, 1)
    assert outcome in daemon.conductor.actions and outcome not in daemon.conductor.outcomes


@pytest.mark.parametrize("kind", ["reboot_soft", "reboot_hard"])
def test_doubled_reboot_runs_once(daemon, kind):
    ours = daemon.running_server()
    order = action(ours, kind)
    daemon.do(order)
    daemon.do(order)
    assert boots(daemon, ours) == 2, "one boot by the build, one by the reboot"
    assert len(daemon.conductor.outcomes_of(order.fence)) == 2, "the double is answered"


def test_another_reboot_runs(daemon):
    ours = daemon.running_server()
    daemon.do(action(ours, "reboot_hard"))
    daemon.do(action(ours, "reboot_hard"))
    assert boots(daemon, ours) == 3


def test_late_action_after_delete_does_nothing(daemon):
    ours = daemon.running_server()
    daemon.do(destroy(ours, epoch=2))
    assert daemon.do(action(ours, "start", epoch=1)).stale
    assert daemon.driver.leftovers(ours.uuid) == ()


def test_failed_action_tells_the_power_state(make_daemon):
    daemon = make_daemon(fake__fault=["power_off error=the guest is stuck"])
    ours = daemon.running_server()
    outcome = daemon.do(action(ours, "stop"))
    assert (outcome.error, outcome.power_state) == ("the guest is stuck", 1)


def test_action_on_a_missing_guest_fails(daemon):
    outcome = daemon.do(action(server(), "start"))
    assert "could not be found" in outcome.error


def test_unknown_action_is_refused(daemon):
    assert "levitate" in daemon.do(action(daemon.running_server(), "levitate")).error


def test_guest_gets_its_time_to_shut_down_and_the_image_may_say_how_long(make_daemon):
    daemon = make_daemon(shutdown_timeout=30, fake__deaf_guests=["deaf"])
    asked = []
    daemon.driver.power_off = lambda uuid, *, timeout, retry_interval=10: asked.append((timeout, retry_interval))
    for properties, arguments, timeout in (
        ({}, {}, 30), ({"os_shutdown_timeout": "5"}, {}, 5), ({"os_shutdown_timeout": "soon"}, {}, 30),
        ({}, {"clean_shutdown": "False"}, 0), ({"os_shutdown_timeout": "-3"}, {}, 0),
    ):
        daemon.do(action(server(image_properties=properties), "stop", arguments=arguments))
        assert asked[-1] == (timeout, 10)


def test_delete_does_not_wait_for_a_graceful_stop(make_daemon):
    daemon = make_daemon(shutdown_timeout=600, fake__deaf_guests=["*"])
    ours = daemon.running_server()
    stop, delete = action(ours, "stop"), destroy(ours, epoch=2)
    began = time.monotonic()
    daemon.order(stop)
    time.sleep(0.1)
    daemon.order(delete)
    daemon.settle()
    assert time.monotonic() - began < 3
    assert daemon.conductor.outcomes_of(delete.fence)[-1].error is None
    assert daemon.driver.leftovers(ours.uuid) == ()


def test_hard_reboot_does_not_wait_for_a_soft_one(make_daemon):
    daemon = make_daemon(libvirt__wait_soft_reboot_seconds=600, fake__deaf_guests=["*"])
    ours = daemon.running_server()
    soft, hard = action(ours, "reboot_soft"), action(ours, "reboot_hard")
    began = time.monotonic()
    daemon.order(soft)
    time.sleep(0.1)
    daemon.order(hard)
    daemon.settle()
    assert time.monotonic() - began < 3
    assert daemon.driver.power_state(ours.uuid) is PowerState.RUNNING
    assert daemon.conductor.outcomes_of(hard.fence)[-1].error is None
