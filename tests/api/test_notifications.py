"""What the API tells: the begin of actions, changes it makes itself, and resources which are no servers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from novalike.api.openstack.app import application
from novalike.db import hosts, instances
from tests import factories
from tests.api import client
from tests.api.client import PROJECT, USER
from tests.fakes import services as fakes
from tests.fakes.notifications import RecordingSender, notifier

_PUBLIC = ed25519.Ed25519PrivateKey.generate().public_key()
KEY = _PUBLIC.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()


class Api:
    """An API which tells `sender`; callers by role."""

    def __init__(self, sqlite, **options):
        self.sender = RecordingSender()
        self.notifier = notifier(self.sender, **options)
        app = application(replace(fakes.services(sqlite), notifier=self.notifier))
        self.member = client.Client(app, client.context(), version="2.104")
        self.admin = client.Client(app, client.context(*client.ADMIN), version="2.104")

    def told(self, *, versioned=True):
        self.notifier.stop()
        return self.sender.events(versioned=versioned)

    def data(self, event):
        return next(one.payload["nova_object.data"] for one in reversed(self.sender.sent) if one.event == event and one.versioned)


@pytest.fixture
def api(sqlite):
    return Api(sqlite)


@pytest.fixture
def server(sqlite):
    return sqlite.write(lambda session: instances.create(session, [factories.instance(project_id=PROJECT, user_id=USER)])[0])


def test_an_accepted_action_begins(api, server):
    assert api.member.post(f"/servers/{server.uuid}/action", {"os-stop": None}).status == 202
    assert api.told() == ["instance.power_off.start"]
    data = api.data("instance.power_off.start")
    assert (data["state"], data["task_state"], data["action_initiator_user"]) == ("active", "powering-off", USER)
    assert api.sender.sent[0].publisher == f"nova-compute:{server.host}"


def test_a_refused_action_is_not_told(api, server):
    assert api.member.post(f"/servers/{server.uuid}/action", {"os-start": None}).status == 409
    assert api.told() == []


def test_locks_are_told_with_their_reason(api, server):
    api.member.post(f"/servers/{server.uuid}/action", {"lock": {"locked_reason": "mine"}})
    api.member.post(f"/servers/{server.uuid}/action", {"unlock": None})
    assert api.told() == ["instance.lock", "instance.unlock"]
    assert (api.data("instance.lock")["locked"], api.data("instance.lock")["locked_reason"]) == (True, "mine")
    assert api.sender.sent[0].publisher == "nova-api:control"
    assert api.told(versioned=False) == [], "the old form never had them"


def test_tags_are_always_told_and_names_when_wanted(sqlite, server):
    for wanted, events in ((None, ["instance.update"]), ("vm_state", ["instance.update"] * 2)):
        api = Api(sqlite, notifications__notify_on_state_change=wanted)
        api.member.put(f"/servers/{server.uuid}", {"server": {"name": f"new {wanted}"}})
        api.member.put(f"/servers/{server.uuid}/tags", {"tags": [f"t{wanted}"]})
        assert api.told() == events
    assert api.sender.payload("compute.instance.update")["state"] == "active"


def test_flavors(api):
    body = {"flavor": {"name": "n", "ram": 64, "vcpus": 1, "disk": 1, "id": "f1", "os-flavor-access:is_public": False}}
    assert api.admin.post("/flavors", body).status == 200
    api.admin.post("/flavors/f1/action", {"addTenantAccess": {"tenant": PROJECT}})
    api.admin.post("/flavors/f1/os-extra_specs", {"extra_specs": {"hw:cpu_policy": "shared"}})
    api.admin.delete("/flavors/f1")
    assert api.told() == ["flavor.create", "flavor.update", "flavor.update", "flavor.delete"]
    assert (api.data("flavor.delete")["projects"], api.data("flavor.delete")["extra_specs"]) == ([PROJECT], {"hw:cpu_policy": "shared"})


def test_key_pairs(api):
    assert api.member.post("/os-keypairs", {"keypair": {"name": "given", "type": "ssh", "public_key": KEY}}).status == 201
    assert api.member.at("2.2").post("/os-keypairs", {"keypair": {"name": "made"}}).status == 201
    api.member.delete("/os-keypairs/given")
    assert api.told() == api.told(versioned=False) == [
        f"keypair.{what}.{phase}" for what in ("import", "create", "delete") for phase in ("start", "end")
    ]
    assert (api.data("keypair.import.start")["fingerprint"], api.data("keypair.create.start")["public_key"]) == (None, None)
    assert api.data("keypair.delete.end")["public_key"] == KEY
    assert "PRIVATE" not in str(api.sender.sent)


def test_aggregates(api):
    number = api.admin.post("/os-aggregates", {"aggregate": {"name": "a"}}).json["aggregate"]["id"]
    api.admin.post(f"/os-aggregates/{number}/action", {"set_metadata": {"metadata": {"ssd": "yes"}}})
    api.admin.delete(f"/os-aggregates/{number}")
    assert api.told() == [f"aggregate.{what}.{phase}" for what in ("create", "update_metadata", "delete") for phase in ("start", "end")]
    assert api.data("aggregate.update_metadata.start")["metadata"] == {}
    assert api.data("aggregate.update_metadata.end")["metadata"] == {"ssd": "yes"}
    assert api.sender.payload("aggregate.updatemetadata.end")["meta_data"] == {"ssd": "yes"}


def test_services(api, sqlite):
    uuid = sqlite.write(hosts.report_service, host="h1", binary=hosts.COMPUTE_BINARY, topic="compute")
    api.admin.put(f"/os-services/{uuid}", {"status": "disabled", "disabled_reason": "why"})
    api.admin.delete(f"/os-services/{uuid}")
    assert api.told() == ["service.update", "service.delete"]
    data = api.data("service.update")
    assert (data["binary"], data["disabled"], data["disabled_reason"]) == ("nova-compute", True, "why")
    assert api.sender.sent[0].publisher == "nova-compute:h1"
