"""Each step which a host did is an event of the action log, once, with its host and how long it took."""

from __future__ import annotations

import pytest

from novalike.db import action_log
from tests.factories_instances import CALLER
from tests.laws.cloud import SimulatedCloud


@pytest.fixture
def cloud(tmp_path):
    made = SimulatedCloud(tmp_path)
    yield made
    made.close()


def newest(cloud, uuid):
    with cloud.database.read() as session:
        return action_log.get(session, uuid, CALLER.request_id)


def test_a_delete_tells_what_its_host_did(cloud):
    uuid = cloud.create()
    cloud.settle()
    host = cloud.server(uuid).host
    cloud.delete(uuid)
    cloud.settle()
    done = newest(cloud, uuid)
    assert (done.action, done.message) == ("delete", None)
    assert [(event.event, event.result) for event in done.events] == [
        ("compute_terminate_instance", "Success"), ("compute_shutdown_instance", "Success"),
    ]
    shutdown = done.events[1]
    assert shutdown.host == host
    assert shutdown.start_time <= shutdown.finish_time


def test_a_doubled_report_makes_no_second_event(cloud):
    uuid = cloud.create()
    cloud.settle()
    sent = len(cloud.wire.sent)
    cloud.wire.plan = {sent + number: "double" for number in range(8)}
    cloud.delete(uuid)
    cloud.settle()
    assert [event.event for event in newest(cloud, uuid).events] == ["compute_terminate_instance", "compute_shutdown_instance"]


def test_a_host_which_does_not_answer_is_told_too(cloud):
    uuid = cloud.create()
    cloud.settle()
    host = cloud.server(uuid).host
    sent = len(cloud.wire.sent)
    cloud.wire.plan = {sent + number: "lose" for number in range(1, 60)}
    cloud.delete(uuid)
    cloud.settle()
    silent = newest(cloud, uuid).events[-1]
    assert (silent.event, silent.result, silent.host) == ("compute_shutdown_instance", "Error", host)
    assert "did not report within" in silent.details
    assert newest(cloud, uuid).message is None, "the delete went on"
