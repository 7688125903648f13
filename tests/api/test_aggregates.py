"""/os-aggregates: requests and answers."""

import pytest

from novalike.db import hosts, instances
from tests.factories_hosts import inventory
from tests.factories_instances import instance

KEYS = {"availability_zone", "created_at", "deleted", "deleted_at", "hosts", "id", "metadata", "name", "updated_at"}


@pytest.fixture
def host(services):
    [cell] = services.cells
    cell.write(hosts.report_service, host="host1", binary="novalike-compute", topic="compute")
    cell.write(hosts.register_compute_node, inventory("host1"))
    return "host1"


def make(admin, name="a", **fields):
    answer = admin.post("/os-aggregates", {"aggregate": {"name": name, **fields}})
    assert answer.status == 200, answer.json
    return answer.json["aggregate"]["id"]


def act(admin, number, word, **body):
    return admin.post(f"/os-aggregates/{number}/action", {word: body})


def occupy(services):
    next(iter(services.cells)).write(instances.create, [instance(host="host1", node="host1.example.org")])


@pytest.mark.parametrize(("version", "keys"), [("2.1", KEYS), ("2.40", KEYS), ("2.41", KEYS | {"uuid"})])
def test_keys_of_every_version(admin, version, keys):
    created = admin.at(version).post("/os-aggregates", {"aggregate": {"name": "a", "availability_zone": "east"}}).json["aggregate"]
    assert set(created) == keys - {"hosts", "metadata"}
    shown = admin.at(version).get(f"/os-aggregates/{created['id']}").json["aggregate"]
    assert set(shown) == keys
    assert (shown["availability_zone"], shown["metadata"], shown["deleted"]) == ("east", {"availability_zone": "east"}, False)
    assert admin.at(version).get("/os-aggregates").json["aggregates"] == [shown]


def test_update(admin):
    number = make(admin, availability_zone="east")
    assert admin.put(f"/os-aggregates/{number}", {"aggregate": {"name": "b"}}).json["aggregate"]["availability_zone"] == "east"
    changed = admin.put(f"/os-aggregates/{number}", {"aggregate": {"availability_zone": None}}).json["aggregate"]
    assert (changed["name"], changed["availability_zone"], changed["metadata"]) == ("b", None, {})
    make(admin, "c")
    assert admin.put(f"/os-aggregates/{number}", {"aggregate": {"name": "c"}}).status == 409


@pytest.mark.parametrize(("body", "word"), [
    ({}, "name"), ({"name": ""}, "name"), ({"name": " a"}, "name"), ({"name": "x" * 256}, "name"),
    ({"name": "z", "availability_zone": "a:b"}, "availability_zone"), ({"name": "z", "availability_zone": ""}, "availability_zone"),
    ({"name": "z", "metadata": {}}, "metadata"),
])
def test_wrong_aggregates_are_refused_by_name(admin, body, word):
    answer = admin.post("/os-aggregates", {"aggregate": body})
    assert (answer.status, word in answer.fault) == (400, True)


def test_names_are_unique(admin):
    make(admin)
    assert admin.post("/os-aggregates", {"aggregate": {"name": "a"}}).status == 409


def test_wrong_ids(admin):
    for answer in (admin.get("/os-aggregates/x"), admin.delete("/os-aggregates/x"), act(admin, "x", "add_host", host="h")):
        assert answer.status == 400
    for number in ("9", "99999999999999"):
        assert admin.get(f"/os-aggregates/{number}").status == 404
        assert admin.delete(f"/os-aggregates/{number}").status == 404
    assert admin.put("/os-aggregates/9", {"aggregate": {}}).status == 400


def test_hosts(admin, host):
    number = make(admin)
    assert act(admin, number, "add_host", host=host).json["aggregate"]["hosts"] == [host]
    assert act(admin, number, "add_host", host=host).status == 409
    assert act(admin, number, "add_host", host="nowhere").status == 404
    assert act(admin, number, "add_host", host="a b").status == 400
    assert act(admin, number, "add_host").status == 400
    assert admin.delete(f"/os-aggregates/{number}").status == 400
    assert act(admin, number, "remove_host", host=host).json["aggregate"]["hosts"] == []
    assert act(admin, number, "remove_host", host=host).status == 404
    gone = admin.delete(f"/os-aggregates/{number}")
    assert (gone.status, gone.body) == (200, b"")


def test_a_host_is_in_one_zone(admin, host):
    east, west = make(admin, "e", availability_zone="east"), make(admin, "w", availability_zone="west")
    act(admin, east, "add_host", host=host)
    assert act(admin, west, "add_host", host=host).status == 409
    plain = make(admin, "p")
    assert act(admin, plain, "add_host", host=host).status == 200
    assert admin.put(f"/os-aggregates/{plain}", {"aggregate": {"availability_zone": "west"}}).status == 400
    assert act(admin, plain, "set_metadata", metadata={"availability_zone": "west"}).status == 400


def test_servers_keep_their_zone(admin, services, host):
    plain = make(admin, "p")
    act(admin, plain, "add_host", host=host)
    occupy(services)
    refused = admin.put(f"/os-aggregates/{plain}", {"aggregate": {"availability_zone": "east"}})
    assert (refused.status, "contain instances" in refused.fault) == (400, True)
    assert act(admin, plain, "set_metadata", metadata={"availability_zone": "east"}).status == 400
    assert admin.put(f"/os-aggregates/{plain}", {"aggregate": {"availability_zone": "nova"}}).status == 200
    assert act(admin, make(admin, "e", availability_zone="east"), "add_host", host=host).status == 409


def test_metadata(admin):
    number = make(admin)
    answer = act(admin, number, "set_metadata", metadata={"ssd": "true", "x": "1"})
    assert answer.json["aggregate"]["metadata"] == {"ssd": "true", "x": "1"}
    assert act(admin, number, "set_metadata", metadata={"x": None}).json["aggregate"]["metadata"] == {"ssd": "true"}
    for wrong in ({"": "x"}, {"k": 1}, {"k": "x" * 256}, {"k" * 256: "x"}):
        assert act(admin, number, "set_metadata", metadata=wrong).status == 400
    assert admin.post(f"/os-aggregates/{number}/action", {"dance": {}}).status == 400


def test_aggregates_are_for_administrators(member):
    assert member.get("/os-aggregates").status == 403
    assert member.post("/os-aggregates", {"aggregate": {"name": "a"}}).status == 403
