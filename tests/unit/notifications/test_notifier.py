"""The queue: order, publishers, levels, what is dropped, and that nobody waits."""

from __future__ import annotations

import logging
import time

from novalike.notifications.notifier import API
from novalike.objects.notification import Failure, Sight
from novalike.objects.tasks import Caller
from tests.factories import instance
from tests.fakes.notifications import RecordingSender, notifier

CALLER = Caller(user_id="u", project_id="p", request_id="req-1")


def told(*calls, versioned=True, unversioned=True, **options):
    """Answer what a sender gets of some calls on a notifier."""
    sender = RecordingSender(versioned=versioned, unversioned=unversioned)
    made = notifier(sender, **options)
    for call in calls:
        call(made)
    made.stop()
    return sender


def act(name, phase, failure=None, source=None, extra=None, **values):
    sight = Sight(instance=instance(**values))
    return lambda made: made.action(name, phase, sight, caller=CALLER, failure=failure, source=source, extra=extra)


def test_both_forms_come_in_order():
    sender = told(act("create", "start"), act("create", "end"), act("power_off", "start"))
    assert sender.events() == ["instance.create.start", "instance.create.end", "instance.power_off.start"]
    assert sender.events(versioned=False) == ["compute.instance.create.start", "compute.instance.create.end", "compute.instance.power_off.start"]


def test_old_names_differ_where_nova_s_do():
    names = ("resize_prep", "resize_finish", "resize_revert", "volume_attach", "interface_attach", "lock")
    sender = told(*(act(name, phase) for name in names for phase in ("start", "end")), versioned=False)
    assert sender.events(versioned=False) == [f"compute.instance.{name}" for name in (
        "resize.prep.start", "resize.prep.end", "finish_resize.start", "finish_resize.end", "resize.revert.start", "resize.revert.end",
        "volume.attach", "create_ip.start", "create_ip.end",
    )]


def test_the_publisher_is_the_server_s_host_or_whoever_did_it():
    sender = told(act("pause", "end", host="h7"), act("create", "error", host=None), act("lock", None, source=API, host="h7"))
    assert [one.publisher for one in sender.sent] == [
        "nova-compute:h7", "compute.h7", "nova-conductor:control", "conductor.control", "nova-api:control",
    ]


def test_failures_are_errors_in_their_event_or_an_exception():
    broken = Failure(message="broken")
    sender = told(act("reboot", "error", broken), act("pause", "error", broken))
    assert [(one.event, one.priority) for one in sender.sent] == [
        ("instance.reboot.error", "ERROR"), ("compute.instance.reboot.error", "ERROR"), ("compute.exception", "ERROR"),
    ]
    assert sender.payload("compute.instance.reboot.error")["message"] == "broken"


def test_the_level_of_what_is_no_error_is_an_option():
    sender = told(act("pause", "start"), notifications__default_level="DEBUG")
    assert {one.priority for one in sender.sent} == {"DEBUG"}


def test_state_changes_are_told_when_wanted():
    spawning, active = instance(task_state="spawning"), Sight(instance=instance())
    stopped = Sight(instance=instance(vm_state="stopped"))
    tagged = Sight(instance=instance(tags=("t",)))

    def calls(made):
        made.updated(spawning, active, caller=CALLER)
        made.updated(active.instance, stopped, caller=CALLER)
        made.updated(active.instance, tagged, caller=CALLER, always=True)
    assert len(told(calls, unversioned=False).sent) == 1, "tags only"
    assert len(told(calls, unversioned=False, notifications__notify_on_state_change="vm_state").sent) == 2
    assert len(told(calls, unversioned=False, notifications__notify_on_state_change="vm_and_task_state").sent) == 3


def test_nobody_waits_for_a_broker_and_what_is_too_much_is_dropped(caplog):
    sender = RecordingSender(unversioned=False)
    sender.gate.clear()
    made = notifier(sender, notifications__queue_limit=10)
    began = time.monotonic()
    with caplog.at_level(logging.WARNING):
        for number in range(50):
            act("pause", "start", display_name=f"s{number}")(made)
    assert time.monotonic() - began < 2
    assert made.dropped >= 39
    assert caplog.text.count("notifications are dropped") == 1, "said once, not 39 times"
    sender.gate.set()
    made.stop()
    assert len(sender.sent) == 50 - made.dropped


def test_one_which_cannot_be_rendered_does_not_end_the_rest(caplog):
    sender = told(act("no_such_event", "start"), act("pause", "start"), unversioned=False)
    assert sender.events() == ["instance.pause.start"]
    assert "could not be made" in caplog.text
