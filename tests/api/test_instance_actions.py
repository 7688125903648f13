"""The action log: what was done, and the step which is being done now."""

from __future__ import annotations

import re
from datetime import UTC, timedelta

import pytest

from novalike.db import acceptance, action_log, instance_actions, instances, tasks
from novalike.objects.tasks import BuildState, Caller, Outcome
from tests import factories
from tests.api.client import PROJECT, USER

CALLER = Caller(user_id=USER, project_id=PROJECT, request_id="req-running")


@pytest.fixture
def server(sqlite):
    return sqlite.write(lambda session: instances.create(session, [factories.instance(project_id=PROJECT, user_id=USER)])[0])


def begin_task(sqlite, server, *, operation="rebuild", kind="rebuild"):
    task_id = sqlite.write(
        acceptance.begin_task, server, operation, kind=kind, state=BuildState(), caller=CALLER, now=factories.NOW,
    )
    return sqlite.write(tasks.lease, task_id, "me", 90_000).task


def events(client, server, request_id=CALLER.request_id, version="2.104"):
    return client.at(version).get(f"/servers/{server.uuid}/os-instance-actions/{request_id}").json["instanceAction"]["events"]


def test_a_running_step_of_a_task_has_a_begin_and_no_end(member, admin, sqlite, server):
    task = begin_task(sqlite, server)
    (now,) = events(member, server)
    assert now["event"].startswith("conductor_")
    sqlite.write(
        tasks.save, task, "me", step="spawn", state={}, undoing=False, failure=None, waiting_host="host-1", wake_in=0, deadline_in=60_000,
    )
    (now,) = events(admin, server)
    assert (now["event"], now["finish_time"], now["result"], now["host"]) == ("compute_rebuild_instance", None, None, "host-1")
    assert now["start_time"]
    assert "host" not in events(member, server)[0], "the host is for administrators"
    said = member.get(f"/servers/{server.uuid}").headers["X-Novalike-Task"]
    assert re.fullmatch(r"rebuild; step=spawn; undoing=false; since=(\S+Z); deadline=(\S+Z)", said), said


def test_a_step_which_is_undone_says_why(admin, sqlite, server):
    task = begin_task(sqlite, server)
    sqlite.write(
        tasks.save, task, "me", step="spawn", state={}, undoing=True, failure="no disk", waiting_host="host-1", wake_in=0,
        deadline_in=60_000,
    )
    assert events(admin, server)[0]["details"] == "no disk"


def test_ended_steps_follow_the_running_one(member, sqlite, server):
    begin_task(sqlite, server)
    sqlite.write(
        action_log.finish, server.uuid, CALLER.request_id, event="compute_prepare_rebuild", now=factories.NOW + timedelta(seconds=5),
        started=factories.NOW.replace(tzinfo=UTC).timestamp(),
    )
    first, second = events(member, server)
    assert (first["result"], second["result"], second["event"]) == (None, "Success", "compute_prepare_rebuild")


def test_a_single_host_action_runs_until_its_host_reports(admin, sqlite, server):
    fence = sqlite.write(instance_actions.begin, server, "stop", CALLER, now=factories.NOW)
    (now,) = events(admin, server)
    assert (now["event"], now["result"], now["host"]) == ("compute_stop_instance", None, server.host)
    assert now["start_time"] == "2026-01-02T03:04:05.000000"
    sqlite.write(instance_actions.finish, Outcome(fence=fence, host=server.host), now=factories.NOW)
    (ended,) = events(admin, server)
    assert (ended["event"], ended["result"]) == ("compute_stop_instance", "Success")


def test_another_request_is_not_running(member, sqlite, server):
    sqlite.write(action_log.start, "lock", server.uuid, Caller(user_id=USER, project_id=PROJECT, request_id="req-old"), factories.NOW)
    begin_task(sqlite, server)
    assert events(member, server, "req-old") == []


def test_old_versions_show_events_to_administrators_only(member, admin, sqlite, server):
    begin_task(sqlite, server)
    assert len(events(admin, server, version="2.1")) == 1
    action = member.at("2.1").get(f"/servers/{server.uuid}/os-instance-actions/{CALLER.request_id}").json["instanceAction"]
    assert "events" not in action
