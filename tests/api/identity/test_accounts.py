"""Domains, projects, users, groups, roles, the catalog: what admins do with them and others may not."""

from __future__ import annotations

import pytest


def test_project_lives_and_dies(admin):
    made = admin.post("/v3/projects", {"project": {"name": "lab", "description": "d", "tags": ["a"], "colour": "red"}})
    assert made.status == 201
    project = made.json["project"]
    assert project["domain_id"] == project["parent_id"] == "default"
    assert (project["colour"], project["tags"], project["enabled"]) == ("red", ["a"], True)
    path = f"/v3/projects/{project['id']}"
    assert project["links"]["self"] == f"http://localhost{path}"
    assert admin.patch(path, {"project": {"description": "e", "size": 3}}).json["project"]["size"] == 3
    assert admin.get(path).json["project"]["colour"] == "red"
    assert [p["id"] for p in admin.get("/v3/projects?name=lab").json["projects"]] == [project["id"]]
    assert admin.delete(path).status == 204
    assert admin.get(path).status == 404


def test_same_name_in_one_domain_is_409(admin):
    answer = admin.post("/v3/projects", {"project": {"name": "demo"}})
    assert answer.status == 409
    assert "demo" in answer.fault


def test_same_name_in_another_domain_is_fine(admin):
    domain = admin.post("/v3/domains", {"domain": {"name": "other"}}).json["domain"]["id"]
    assert admin.post("/v3/projects", {"project": {"name": "demo", "domain_id": domain}}).status == 201


def test_project_with_children_stays(admin):
    parent = admin.post("/v3/projects", {"project": {"name": "above"}}).json["project"]["id"]
    assert admin.post("/v3/projects", {"project": {"name": "below", "parent_id": parent}}).status == 201
    assert admin.delete(f"/v3/projects/{parent}").status == 403


def test_domain_must_be_disabled_before_it_goes_with_its_contents(admin):
    domain = admin.post("/v3/domains", {"domain": {"name": "other"}}).json["domain"]["id"]
    user = admin.post("/v3/users", {"user": {"name": "u", "domain_id": domain}}).json["user"]["id"]
    assert admin.delete(f"/v3/domains/{domain}").status == 403
    admin.patch(f"/v3/domains/{domain}", {"domain": {"enabled": False}})
    assert admin.delete(f"/v3/domains/{domain}").status == 204
    assert admin.get(f"/v3/users/{user}").status == 404


@pytest.mark.parametrize(("path", "body", "word"), [
    ("/v3/projects", {"project": {"name": ""}}, "name"),
    ("/v3/projects", {"project": {"name": "x" * 65}}, "name"),
    ("/v3/projects", {"project": {"name": "x", "enabled": "yes"}}, "enabled"),
    ("/v3/users", {"user": {}}, "name"),
    ("/v3/users", {"user": {"name": "x", "password": "y" * 5000}}, "password"),
    ("/v3/endpoints", {"endpoint": {"interface": "sideways", "url": "http://x", "service_id": "0"}}, "interface"),
    ("/v3/endpoints", {"endpoint": {"interface": "public", "url": "http://x", "service_id": "0"}}, "service_id"),
])
def test_bad_fields_are_named(admin, path, body, word):
    answer = admin.post(path, body)
    assert answer.status == 400
    assert word in answer.fault


def test_user_never_shows_its_password(admin, anyone):
    made = admin.post("/v3/users", {"user": {"name": "eve", "password": "pw", "email": "eve@example.org"}})
    assert made.status == 201
    assert "password" not in made.json["user"]
    assert made.json["user"]["email"] == "eve@example.org"
    assert anyone.log_in("eve", "pw").body["user"]["name"] == "eve"


def test_long_passwords_count_to_the_last_character(admin, anyone):
    admin.post("/v3/users", {"user": {"name": "long", "password": "p" * 100}})
    assert anyone.authenticate({"methods": ["password"], "password": {"user": {
        "name": "long", "domain": {"id": "default"}, "password": "p" * 99}}}).status == 401
    anyone.log_in("long", "p" * 100)


def test_members_look_after_themselves_only(demo, admin):
    own = demo.body["user"]["id"]
    assert demo.get(f"/v3/users/{own}").status == 200
    assert [p["name"] for p in demo.get(f"/v3/users/{own}/projects").json["projects"]] == ["demo"]
    assert demo.get(f"/v3/projects/{demo.body['project']['id']}").status == 200
    for path in (f"/v3/users/{admin.body['user']['id']}", "/v3/users", "/v3/projects", f"/v3/projects/{admin.body['project']['id']}",
                 "/v3/services", "/v3/role_assignments", "/v3/users/unknown"):
        assert demo.get(path).status == 403, path
    assert demo.post("/v3/projects", {"project": {"name": "mine"}}).status == 403


def test_group_gives_its_members_roles(admin, anyone):
    group = admin.post("/v3/groups", {"group": {"name": "ops"}}).json["group"]["id"]
    user = admin.post("/v3/users", {"user": {"name": "eve", "password": "pw"}}).json["user"]["id"]
    role = admin.get("/v3/roles?name=manager").json["roles"][0]["id"]
    project = admin.get("/v3/projects?name=demo").json["projects"][0]["id"]
    assert admin.put(f"/v3/groups/{group}/users/{user}").status == 204
    assert admin("HEAD", f"/v3/groups/{group}/users/{user}").status == 204
    assert admin.put(f"/v3/projects/{project}/groups/{group}/roles/{role}").status == 204
    eve = anyone.log_in("eve", "pw", project="demo")
    assert [r["name"] for r in eve.body["roles"]] == ["manager", "member", "reader"]
    assert [g["name"] for g in eve.get(f"/v3/users/{user}/groups").json["groups"]] == ["ops"]
    assert [u["name"] for u in admin.get(f"/v3/groups/{group}/users").json["users"]] == ["eve"]
    effective = admin.get(f"/v3/role_assignments?effective&user.id={user}&include_names=true").json["role_assignments"]
    assert {a["role"]["name"] for a in effective} == {"manager", "member", "reader"}
    assert admin.delete(f"/v3/groups/{group}/users/{user}").status == 204
    assert eve.get("/v3/auth/projects").status == 401


def test_role_assignments_are_listed_with_filters_and_names(admin, demo):
    user, project = demo.body["user"]["id"], demo.body["project"]["id"]
    [one] = admin.get(f"/v3/role_assignments?user.id={user}&include_names=1").json["role_assignments"]
    assert one["user"] == {"id": user, "name": "demo", "domain": {"id": "default", "name": "Default"}}
    assert one["scope"]["project"]["name"] == "demo"
    assert one["role"]["name"] == "member"
    assert f"/v3/projects/{project}/users/{user}/roles/" in one["links"]["assignment"]
    system = admin.get("/v3/role_assignments?scope.system=all").json["role_assignments"]
    assert [a["scope"] for a in system] == [{"system": {"all": True}}]
    assert len(admin.get("/v3/role_assignments").json["role_assignments"]) == 4


def test_implied_roles(admin):
    role = admin.post("/v3/roles", {"role": {"name": "auditor"}}).json["role"]["id"]
    reader = admin.get("/v3/roles?name=reader").json["roles"][0]["id"]
    path = f"/v3/roles/{role}/implies/{reader}"
    assert admin.get(path).status == 404
    assert admin.put(path).status == 201
    assert admin.get(path).json["role_inference"]["implies"]["name"] == "reader"
    assert admin("HEAD", path).status == 204
    assert admin.put(f"/v3/roles/{reader}/implies/{role}").status == 400, "a circle of implications"
    priors = {r["prior_role"]["name"] for r in admin.get("/v3/role_inferences").json["role_inferences"]}
    assert priors == {"admin", "manager", "member", "auditor"}
    assert admin.delete(path).status == 204


def test_catalog_entries(admin):
    region = admin.post("/v3/regions", {"region": {"id": "Two"}}).json["region"]["id"]
    service = admin.post("/v3/services", {"service": {"type": "object-store", "name": "swift"}}).json["service"]["id"]
    body = {"interface": "public", "url": "http://swift/v1/%(project_id)s", "service_id": service, "region": region}
    endpoint = admin.post("/v3/endpoints", {"endpoint": body}).json["endpoint"]
    assert endpoint["region_id"] == "Two"
    assert admin.delete("/v3/regions/Two").status == 409
    shown = admin.get("/v3/auth/catalog").json["catalog"]
    urls = [e["url"] for s in shown if s["type"] == "object-store" for e in s["endpoints"]]
    assert urls == [f"http://swift/v1/{admin.body['project']['id']}"]
    assert admin.delete(f"/v3/services/{service}").status == 204
    assert admin.get(f"/v3/endpoints/{endpoint['id']}").status == 404
    assert admin.delete("/v3/regions/Two").status == 204


def test_lists_come_in_pages(admin):
    first = admin.get("/v3/roles?limit=2").json
    assert len(first["roles"]) == 2
    seen, onwards = [r["id"] for r in first["roles"]], first["links"]["next"]
    while onwards:
        page = admin.get(onwards.removeprefix("http://localhost")).json
        seen += [r["id"] for r in page["roles"]]
        onwards = page["links"]["next"]
    assert sorted(seen) == sorted(r["id"] for r in admin.get("/v3/roles").json["roles"])


def test_projects_have_tags(admin, demo):
    project = admin.post("/v3/projects", {"project": {"name": "p", "tags": ["b"]}}).json["project"]
    path = f"/v3/projects/{project['id']}/tags"
    assert admin.put(f"{path}/a").status == 201
    assert (admin.get(path).json["tags"], admin.get(f"{path}/a").status, admin.get(f"{path}/x").status) == (["a", "b"], 204, 404)
    assert admin.delete(f"{path}/b").status == 204
    assert admin.delete(f"{path}/b").status == 404
    assert admin.put(path, {"tags": ["d", "c"]}).json["tags"] == ["c", "d"]
    assert admin.put(path, {"tags": ["a,b"]}).status == 400
    assert admin.put(f"{path}/a,b").status == 400
    assert (admin.delete(path).status, admin.get(path).json["tags"]) == (204, [])
    assert (demo.get(path).status, demo.put(f"{path}/a").status) == (403, 403)


def test_a_region_may_be_named_and_an_old_style_endpoint_makes_its_own(admin):
    assert admin.put("/v3/regions/here", {"region": {"description": "d"}}).json["region"]["id"] == "here"
    assert admin.put("/v3/regions/here", {"region": {}}).status == 409
    assert admin.put("/v3/regions/there", {"region": {"id": "here"}}).status == 400
    service = admin.post("/v3/services", {"service": {"type": "x", "name": "x"}}).json["service"]["id"]
    endpoint = {"service_id": service, "interface": "public", "url": "http://x"}
    made = admin.post("/v3/endpoints", {"endpoint": {**endpoint, "region": "new"}})
    assert (made.status, made.json["endpoint"]["region_id"], admin.get("/v3/regions/new").status) == (201, "new", 200)
    assert admin.post("/v3/endpoints", {"endpoint": {**endpoint, "region_id": "nowhere"}}).status == 400


def test_everybody_may_look_at_the_domain_of_his_project(admin, demo):
    assert demo.get("/v3/domains/default").json["domain"]["enabled"]
    other = admin.post("/v3/domains", {"domain": {"name": "other"}}).json["domain"]["id"]
    assert (demo.get(f"/v3/domains/{other}").status, demo.get("/v3/domains").status) == (403, 403)
