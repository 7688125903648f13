"""/os-server-groups and /extensions: requests and answers."""

import pytest

from novalike.db import server_groups
from novalike.db.models.mappings import InstanceMapping
from novalike.db.models.projects import ServerGroupMemberRow
from novalike.objects.server_group import ServerGroup
from tests.api.client import PROJECT, USER, Client, context

BASE = {"id", "name", "members"}


def make(services, uuid="g1", project=PROJECT):
    group = ServerGroup(uuid=uuid, name="web", project_id=project, user_id=USER, policy="anti-affinity", rules={"max_server_per_host": 2})
    return services.cells.shared.write(server_groups.create, group, cell="cell1", now=services.clock.now())


def join(services, uuid, server, released=None):
    def add(session):
        session.add(ServerGroupMemberRow(group_uuid=uuid, instance_uuid=server))
        session.add(InstanceMapping(
            uuid=server, cell="cell1", project_id=PROJECT, user_id=USER, cores=1, ram=1, created_at=0, released_at=released,
        ))
    services.cells.shared.write(add)


@pytest.mark.parametrize(("version", "keys"), [
    ("2.1", BASE | {"policies", "metadata"}), ("2.13", BASE | {"policies", "metadata", "project_id", "user_id"}),
    ("2.64", BASE | {"policy", "rules", "project_id", "user_id"}),
])
def test_keys_of_every_version(reader, services, version, keys):
    make(services)
    shown = reader.at(version).get("/os-server-groups/g1").json["server_group"]
    assert set(shown) == keys
    assert shown.get("policies", ["anti-affinity"]) == ["anti-affinity"]
    assert shown.get("rules", {"max_server_per_host": 2}) == {"max_server_per_host": 2}
    assert reader.at(version).get("/os-server-groups").json == {"server_groups": [shown]}


def test_members_are_servers_which_exist(reader, services):
    make(services)
    join(services, "g1", "s1")
    join(services, "g1", "s2", released=1)
    assert reader.get("/os-server-groups/g1").json["server_group"]["members"] == ["s1"]


def test_groups_belong_to_projects(member, stranger, admin, services):
    make(services)
    make(services, "g2", project="0ther")
    assert [g["id"] for g in member.get("/os-server-groups?all_projects=1").json["server_groups"]] == ["g1"]
    assert [g["id"] for g in admin.get("/os-server-groups?all_projects=1").json["server_groups"]] == ["g1", "g2"]
    assert [g["id"] for g in admin.get("/os-server-groups").json["server_groups"]] == ["g1"]
    assert stranger.get("/os-server-groups/g1").status == 404
    assert stranger.delete("/os-server-groups/g1").status == 404
    assert admin.get("/os-server-groups/g2").status == 200


def test_pages(admin, services):
    for number in range(3):
        make(services, f"g{number}")
    assert [g["id"] for g in admin.get("/os-server-groups?limit=1&offset=1").json["server_groups"]] == ["g1"]
    for query in ("limit=-1", "limit=x", "offset=x"):
        assert admin.get(f"/os-server-groups?{query}").status == 400
    assert admin.at("2.75").get("/os-server-groups?color=1").status == 400


def test_delete(member, reader, services):
    make(services)
    assert reader.delete("/os-server-groups/g1").status == 403
    assert member.delete("/os-server-groups/g1").status == 204
    assert member.delete("/os-server-groups/g1").fault == "Instance group g1 could not be found."


@pytest.mark.parametrize(("version", "body", "shown"), [
    ("2.1", {"policies": ["affinity"]}, {"policies": ["affinity"], "metadata": {}}),
    ("2.15", {"policies": ["soft-anti-affinity"]}, {"policies": ["soft-anti-affinity"], "metadata": {}, "project_id": PROJECT, "user_id": USER}),
    ("2.64", {"policy": "soft-affinity"}, {"policy": "soft-affinity", "rules": {}, "project_id": PROJECT, "user_id": USER}),
    ("2.64", {"policy": "anti-affinity", "rules": {"max_server_per_host": "3"}},
     {"policy": "anti-affinity", "rules": {"max_server_per_host": 3}, "project_id": PROJECT, "user_id": USER}),
])
def test_create(member, reader, version, body, shown):
    answer = member.at(version).post("/os-server-groups", {"server_group": {"name": "web", **body}})
    assert answer.status == 200, answer.json
    made = answer.json["server_group"]
    assert made == {"id": made["id"], "name": "web", "members": [], **shown}
    assert reader.at(version).get(f"/os-server-groups/{made['id']}").json["server_group"] == made
    assert reader.at(version).post("/os-server-groups", {"server_group": {"name": "web", **body}}).status == 403


@pytest.mark.parametrize(("version", "body"), [
    ("2.1", {"policies": []}), ("2.1", {"policies": ["affinity", "anti-affinity"]}), ("2.1", {"policies": ["soft-affinity"]}),
    ("2.1", {"policies": ["legacy"]}), ("2.1", {"policy": "affinity"}), ("2.1", {}), ("2.14", {"policies": ["soft-affinity"]}),
    ("2.64", {"policies": ["affinity"]}), ("2.64", {"policy": "legacy"}), ("2.64", {}),
    ("2.63", {"policies": ["anti-affinity"], "rules": {"max_server_per_host": 3}}),
    ("2.64", {"policy": "anti-affinity", "rules": {"max_server_per_host": 0}}),
    ("2.64", {"policy": "anti-affinity", "rules": {"max_server_per_host": "0"}}),
    ("2.64", {"policy": "anti-affinity", "rules": {"max_server_per_host": "x"}}),
    ("2.64", {"policy": "anti-affinity", "rules": {"other": 1}}),
    ("2.64", {"policy": "affinity", "rules": {"max_server_per_host": 3}}),
    ("2.64", {"policy": "affinity", "name": ""}), ("2.64", {"policy": "affinity", "name": "x" * 256}),
    ("2.64", {"policy": "affinity", "name": " x"}), ("2.64", {"policy": "affinity", "color": "blue"}),
])
def test_malformed_groups_are_refused(member, version, body):
    answer = member.at(version).post("/os-server-groups", {"server_group": {"name": "web", **body}})
    assert answer.status == 400, answer.json
    assert member.get("/os-server-groups").json == {"server_groups": []}


def test_quota_counts_a_projects_groups_and_its_users(member, admin, services):
    admin.put(f"/os-quota-sets/{PROJECT}", {"quota_set": {"server_groups": 2}})
    admin.put(f"/os-quota-sets/{PROJECT}?user_id={USER}", {"quota_set": {"server_groups": 1}})
    body = {"server_group": {"name": "web", "policy": "affinity"}}
    assert member.at("2.64").post("/os-server-groups", body).status == 200
    answer = member.at("2.64").post("/os-server-groups", body)
    assert (answer.status, answer.fault) == (403, "Quota exceeded, too many server groups.")
    other = Client(member.app, context(user="another"), version="2.64")
    assert other.post("/os-server-groups", body).status == 200
    assert other.post("/os-server-groups", body).status == 403, "the project's limit"
    detail = admin.get(f"/os-quota-sets/{PROJECT}/detail").json["quota_set"]["server_groups"]
    assert detail == {"limit": 2, "in_use": 2, "reserved": 0}


def test_extensions(member):
    listed = member.get("/extensions").json["extensions"]
    assert {"alias", "description", "links", "name", "namespace", "updated"} == set(listed[0])
    assert member.get("/extensions/os-keypairs").json["extension"] in listed
    assert member.get("/extensions/os-nothing").status == 404
    assert member.at("2.102").get("/extensions?color=blue").status == 400
