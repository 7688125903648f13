"""/os-server-external-events: what each event does, and what becomes of those which cannot be taken."""

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db import instances, tasks
from novalike.db.models.tasks import TaskRow
from novalike.exception import Unavailable
from novalike.objects.tasks import BuildState
from tests import factories
from tests.api import client
from tests.factories_instances import CALLER, NOW

MISSING = "0e44cc9c-e052-415d-afbf-469b0d384170"


@pytest.fixture
def service(app):
    return client.Client(app, client.context("service", project="services"), version="2.93")


@pytest.fixture
def server(sqlite):
    def make(**values):
        instance = factories.instance(project_id=client.PROJECT, **values)
        return sqlite.write(instances.create, [instance])[0]
    return make


def tell(caller, *events):
    return caller.post("/os-server-external-events", {"events": list(events)})


def test_a_change_brings_addresses_and_keeps_what_tasks_own(service, services, server, sqlite):
    old = factories.vif("10.0.0.5", nic=3, tag="front", owned=False)
    uuid = server(network_info=(old,)).uuid
    new = factories.vif("10.0.0.77", port_id=old.port_id, security_groups=("g1",), bridge="elsewhere")
    services.networks.info = lambda caller, instance_uuid: (new, factories.vif("10.0.0.9"))
    answer = tell(service, {"name": "network-changed", "server_uuid": uuid})
    assert (answer.status, answer.json) == (200, {"events": [
        {"name": "network-changed", "server_uuid": uuid, "status": "completed", "code": 200},
    ]})
    stored = sqlite.fetch(instances.network_info, uuid)
    assert [(v.fixed_ips[0].address, v.nic, v.tag, v.owned, v.bridge, v.security_groups) for v in stored] == [
        ("10.0.0.77", 3, "front", False, None, ("g1",)),
    ]


def test_a_network_service_which_is_away_fails_nothing(service, services, server):
    def away(caller, instance_uuid):
        raise Unavailable("The network service does not answer.")
    services.networks.info = away
    assert tell(service, {"name": "network-changed", "server_uuid": server().uuid}).status == 200


def test_a_plugged_port_wakes_the_task_which_waits_for_it_and_no_other(service, services, server, sqlite):
    def waiting(step: str) -> str:
        uuid = server().uuid
        kept = tasks.add(
            sqlite_session, kind="build", instance_uuid=uuid, epoch=1, step=step, state=BuildState(), caller=CALLER, now=NOW,
        )
        sqlite_session.flush()
        sqlite_session.execute(sa.update(TaskRow).where(TaskRow.id == kept).values(wake_at=TaskRow.wake_at + 30_000))
        sqlite_session.commit()
        tell(service, {"name": "network-vif-plugged", "server_uuid": uuid, "tag": "p1"})
        return kept
    with Session(sqlite.engine) as sqlite_session:
        waits = waiting(tasks.AWAIT_PORTS)
        waiting("spawn")
    assert services.doorbell.rung == [[waits]]
    assert sqlite.fetch(tasks.due, grace=0) == [waits]


def test_a_deleted_port_is_unplugged(service, services, server, sqlite):
    vif = factories.vif()
    uuid = server(network_info=(vif,)).uuid
    assert tell(service, {"name": "network-vif-deleted", "server_uuid": uuid, "tag": "another"}).status == 200
    assert sqlite.fetch(tasks.of_instance, uuid) is None
    assert tell(service, {"name": "network-vif-deleted", "server_uuid": uuid, "tag": vif.port_id}).status == 200
    task = sqlite.fetch(tasks.of_instance, uuid)
    assert (task.kind, services.doorbell.rung) == ("detach_interface", [[task.id]])
    assert tell(service, {"name": "network-vif-deleted", "server_uuid": uuid, "tag": vif.port_id}).status == 200, "again"


def test_a_server_which_cannot_unplug_starts_without_the_deleted_port(service, server, sqlite):
    vif = factories.vif()
    uuid = server(vm_state="error", network_info=(vif,)).uuid
    assert tell(service, {"name": "network-vif-deleted", "server_uuid": uuid, "tag": vif.port_id}).status == 200
    assert sqlite.fetch(instances.network_info, uuid) == ()


def test_events_which_cannot_be_taken_fail_alone(service, server):
    here, nowhere = server().uuid, server(host=None, node=None).uuid
    answer = tell(
        service, {"name": "network-vif-plugged", "server_uuid": here, "tag": "p1", "status": "in-progress"},
        {"name": "network-changed", "server_uuid": MISSING}, {"name": "network-changed", "server_uuid": nowhere},
        {"name": "volume-extended", "server_uuid": here},
    )
    assert answer.status == 207
    assert [(e["code"], e["status"]) for e in answer.json["events"]] == [
        (200, "in-progress"), (404, "failed"), (422, "failed"), (400, "failed"),
    ]
    assert tell(service, {"name": "network-changed", "server_uuid": MISSING}).status == 207


@pytest.mark.parametrize(("name", "since"), [
    ("network-vif-unplugged", "2.1"), ("volume-extended", "2.51"), ("power-update", "2.76"), ("accelerator-request-bound", "2.82"),
    ("volume-reimaged", "2.93"),
])
def test_names_of_every_version(service, server, name, since):
    event = {"name": name, "server_uuid": server().uuid, "tag": "x"}
    assert tell(service.at(since), event).status == 200
    if since != "2.1":
        assert tell(service.at(f"2.{int(since[2:]) - 1}"), event).status == 400


@pytest.mark.parametrize("event", [
    {}, {"name": "network-changed"}, {"server_uuid": MISSING}, {"name": "boom", "server_uuid": MISSING},
    {"name": "network-changed", "server_uuid": "1"}, {"name": "network-changed", "server_uuid": MISSING, "status": "well"},
    {"name": "network-changed", "server_uuid": MISSING, "tag": "x" * 256},
    {"name": "network-changed", "server_uuid": MISSING, "color": "blue"},
])
def test_malformed_events_are_refused(service, event):
    assert tell(service, event).status == 400
    assert service.post("/os-server-external-events", {"events": []}).status == 400


def test_only_services_and_administrators_may_tell(member, admin, server):
    event = {"name": "network-changed", "server_uuid": server().uuid}
    assert tell(member, event).status == 403
    assert tell(admin, event).status == 200
