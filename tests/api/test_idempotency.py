"""Idempotency-Key: sent again, a request is answered again and makes nothing twice, whatever happened to the first."""

import threading
from dataclasses import replace

import pytest
import sqlalchemy as sa

from novalike.api.openstack.app import application
from novalike.api.operations import names
from novalike.db import flavors, idempotency, mappings, quotas, tasks
from novalike.db.cells import FIRST_CELL, Cells
from novalike.db.models.idempotency import IdempotencyKeyRow
from novalike.db.models.instances import InstanceRow
from novalike.db.models.mappings import InstanceMapping
from tests import factories
from tests.api.client import MEMBER, PROJECT, Client, context
from tests.fakes import services as fakes

IMAGE = "70a599e0-31e7-49b7-b260-868f441e862b"
KEY = {"Idempotency-Key": "terraform-4711"}


@pytest.fixture(autouse=True)
def cloud(services, sqlite):
    sqlite.write(flavors.create, factories.flavor(flavorid="1"), now=factories.NOW)
    services.images.add(factories.image(id=IMAGE))


def body(**changes):
    return {"server": {"name": "web", "flavorRef": "1", "imageRef": IMAGE, "networks": "none", **changes}}


def post(caller, headers=KEY, version="2.95", **changes):
    return caller.at(version).post("/servers", body(**changes), headers=headers)


def servers(sqlite):
    with sqlite.read() as session:
        return list(session.scalars(sa.select(InstanceRow.uuid)))


def test_the_same_again(member, sqlite, services):
    first, again = post(member), post(member)
    assert (first.status, again.status) == (202, 202)
    assert again.json == first.json
    assert again.json["server"]["adminPass"]
    assert again.headers["Location"] == first.headers["Location"]
    assert servers(sqlite) == [first.json["server"]["id"]]
    assert sqlite.fetch(quotas.usage, PROJECT).instances == 1
    assert len(services.doorbell.rung) == 1
    other = post(member, {"Idempotency-Key": "another"})
    assert other.json["server"]["id"] != first.json["server"]["id"]
    assert other.json["server"]["adminPass"] != first.json["server"]["adminPass"]
    assert post(member, None).json["server"]["id"] not in {first.json["server"]["id"], other.json["server"]["id"]}


def test_the_layout_of_the_body_does_not_matter_its_content_does(member, sqlite):
    first = post(member, metadata={"a": "1", "b": "2"})
    assert post(member, metadata={"b": "2", "a": "1"}).json == first.json
    for different in (post(member, metadata={"a": "1"}), post(member, version="2.90", metadata={"a": "1", "b": "2"})):
        assert (different.status, different.fault) == (422, "This Idempotency-Key was used with another request body before.")
    assert len(servers(sqlite)) == 1


def test_a_refused_request_takes_no_key(member, sqlite):
    assert post(member, flavorRef="nope").status == 400
    assert post(member).status == 202


def test_several_servers_and_what_became_of_them(member, sqlite):
    first = post(member, min_count=3, return_reservation_id=True)
    uuids = servers(sqlite)
    assert len(uuids) == 3
    member.delete(f"/servers/{uuids[0]}")
    assert post(member, min_count=3, return_reservation_id=True).json == first.json
    assert servers(sqlite) == uuids


def test_keys_belong_to_a_user_in_a_project(app, member, services, sqlite):
    first = post(member).json["server"]["id"]
    for other in (Client(app, context(user="somebody")), Client(app, context(*MEMBER, project="0ther"))):
        assert post(other).json["server"]["id"] != first


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\there", "ümlaut".encode().decode("latin-1")])
def test_malformed_keys(member, key):
    assert post(member, {"Idempotency-Key": key}).status == 400


class Dying(Cells):
    """Cells which can be reached, but for the given number of writes."""

    failures = 0

    def cell(self, name):
        if self.failures:
            self.failures -= 1
            raise RuntimeError("the process died here")
        return super().cell(name)


@pytest.fixture
def dying(services, sqlite):
    cells = Dying(sqlite, {FIRST_CELL: sqlite})
    return cells, Client(application(replace(services, cells=cells)), context())


def test_a_crash_between_the_transactions(dying, sqlite):
    cells, caller = dying
    cells.failures = 1
    assert post(caller, min_count=2).status == 500
    assert servers(sqlite) == []
    assert sqlite.fetch(quotas.usage, PROJECT).instances == 2, "quota is held for the retry"
    after = post(caller, min_count=2)
    assert after.status == 202
    assert after.json["server"]["id"] in servers(sqlite)
    assert len(servers(sqlite)) == 2
    assert sqlite.fetch(quotas.usage, PROJECT).instances == 2
    assert post(caller, min_count=2).json == after.json
    for uuid in servers(sqlite):
        assert sqlite.fetch(tasks.of_instance, uuid) is not None


def test_a_crash_whose_quota_was_given_back_meanwhile(dying, sqlite):
    cells, caller = dying
    cells.failures = 1
    post(caller)
    [orphans] = sqlite.fetch(mappings.unconfirmed, -1).values()
    sqlite.write(mappings.forget, orphans)
    after = post(caller)
    assert after.status == 202
    assert servers(sqlite) == [after.json["server"]["id"]]
    assert sqlite.fetch(quotas.usage, PROJECT).instances == 1


def test_what_was_taken_over_is_not_given_back(dying, sqlite):
    cells, caller = dying
    cells.failures = 2
    post(caller)
    sqlite.write(lambda session: session.execute(sa.update(InstanceMapping).values(created_at=0)))
    [orphans] = sqlite.fetch(mappings.unconfirmed, 60_000).values()
    post(caller)                                             # takes it over, and dies again
    sqlite.write(mappings.forget, orphans, age=60_000)
    assert sqlite.fetch(quotas.usage, PROJECT).instances == 1


def test_many_at_once(database):
    """Twelve requests with one key on a real database make one server, and all are told which."""

    made = fakes.services(database)
    made.images.add(factories.image(id=IMAGE))
    database.write(flavors.create, factories.flavor(flavorid="9"), now=factories.NOW)
    caller = Client(application(made), context())
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(post(caller, flavorRef="9"))) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status for answer in answers} == {202}
    assert len({answer.json["server"]["id"] for answer in answers}) == 1
    assert len({answer.json["server"]["adminPass"] for answer in answers}) == 1
    assert len(servers(database)) == 1
    assert database.fetch(quotas.usage, PROJECT).instances == 1


def test_keys_expire(member, sqlite):
    first = post(member).json["server"]["id"]
    assert sqlite.write(idempotency.expire) == 0
    sqlite.write(lambda session: session.execute(sa.update(IdempotencyKeyRow).values(created_at=IdempotencyKeyRow.created_at - 86_400_001)))
    second = post(member).json["server"]["id"]
    assert second != first, "after a day a key is new"
    assert sqlite.write(idempotency.expire) == 0, "it was replaced"
    sqlite.write(lambda session: session.execute(sa.update(IdempotencyKeyRow).values(created_at=0)))
    assert sqlite.write(idempotency.expire) == 1


def test_server_groups(member):
    wanted = {"server_group": {"name": "web", "policy": "affinity"}}
    member = member.at("2.64")
    first = member.post("/os-server-groups", wanted, headers=KEY)
    assert member.post("/os-server-groups", wanted, headers=KEY).json == first.json
    assert member.post("/os-server-groups", {"server_group": {"name": "x", "policy": "affinity"}}, headers=KEY).status == 422
    assert len(member.get("/os-server-groups").json["server_groups"]) == 1
    member.delete(f"/os-server-groups/{first.json['server_group']['id']}")
    assert member.post("/os-server-groups", wanted, headers=KEY).status == 404, "it was made, and is gone"


def test_derived_passwords():
    one, two = names.derived_password(12, b"a" * 64), names.derived_password(12, b"b" * 64)
    assert (len(one), one) != (len(two), two)
    assert one == names.derived_password(12, b"a" * 64)
    assert len(names.derived_password(200, b"a" * 64)) == 200
    for kind in (str.isdigit, str.isupper, str.islower):
        assert any(map(kind, one))
