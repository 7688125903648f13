"""Logging in, and when a token stops holding."""

from __future__ import annotations

import uuid

import pytest

from tests.api.identity.client import Client, by_password, by_token

PROJECT = {"project": {"name": "demo", "domain": {"name": "Default"}}}


def test_versions_are_public(anyone):
    root = anyone.get("/")
    assert root.status == 300
    assert root.json["versions"]["values"][0]["links"][0]["href"] == "http://localhost/v3/"
    assert anyone.get("/v3/").json["version"]["id"] == "v3.14"


def test_project_token_tells_user_project_roles_and_catalog(demo):
    token = demo.body
    assert token["project"]["name"] == "demo"
    assert token["user"]["domain"] == {"id": "default", "name": "Default"}
    assert [role["name"] for role in token["roles"]] == ["member", "reader"]
    assert {service["type"] for service in token["catalog"]} == {"compute", "identity", "image", "network"}
    assert token["catalog"][0]["endpoints"][0]["region"] == "RegionOne"
    assert token["expires_at"].endswith(".000000Z")


def test_admin_has_implied_roles(admin):
    assert [role["name"] for role in admin.body["roles"]] == ["admin", "manager", "member", "reader"]


@pytest.mark.parametrize("identity", [
    by_password("demo", "wrong"), by_password("nobody", "demo"), by_token("rubbish"),
    {"methods": ["password"], "password": {"user": {"id": "unknown", "password": "demo"}}},
    {"methods": ["kerberos"]},
])
def test_failed_login_is_401_with_the_way_to_log_in(anyone, identity):
    answer = anyone.authenticate(identity, PROJECT)
    assert answer.status == 401
    assert answer.json["error"]["title"] == "Unauthorized"
    assert answer.headers["WWW-Authenticate"].startswith("Keystone uri=")


def test_malformed_login_is_400(anyone):
    assert anyone.post("/v3/auth/tokens", {"auth": {"identity": {}}}).status == 400
    assert anyone.authenticate({"methods": ["password"]}).status == 400


def test_scope_without_a_role_is_401(anyone):
    answer = anyone.authenticate(by_password("demo", "demo"), {"project": {"name": "admin", "domain": {"id": "default"}}})
    assert answer.status == 401


def test_unscoped_token_has_no_catalog_and_can_be_scoped(anyone):
    client = anyone.log_in("demo", "demo")
    assert "catalog" not in client.body
    assert "project" not in client.body
    [project] = client.get("/v3/auth/projects").json["projects"]
    scoped = client.authenticate(by_token(client.token), {"project": {"id": project["id"]}})
    assert scoped.status == 201
    assert scoped.json["token"]["methods"] == ["password", "token"]
    assert scoped.json["token"]["expires_at"] == client.body["expires_at"]
    assert scoped.json["token"]["audit_ids"][1] == client.body["audit_ids"][0]


def test_system_scope(anyone):
    token = anyone.log_in("admin", "secret", scope={"system": {"all": True}})
    assert token.body["system"] == {"all": True}
    assert token.get("/v3/auth/system").json["system"] == [{"all": True}]
    assert anyone.authenticate(by_password("demo", "demo"), {"system": {"all": True}}).status == 401


def test_domain_scope(admin, anyone):
    role = admin.get("/v3/roles?name=admin").json["roles"][0]["id"]
    user = admin.body["user"]["id"]
    assert anyone.authenticate(by_password("admin", "secret"), {"domain": {"id": "default"}}).status == 401
    assert admin.put(f"/v3/domains/default/users/{user}/roles/{role}").status == 204
    assert anyone.log_in("admin", "secret", scope={"domain": {"id": "default"}}).body["domain"]["name"] == "Default"


def test_default_project_is_the_scope_nobody_asked_for(admin, anyone, demo):
    project = demo.body["project"]["id"]
    admin.patch(f"/v3/users/{demo.body['user']['id']}", {"user": {"default_project_id": project}})
    assert anyone.log_in("demo", "demo").body["project"]["id"] == project
    assert "project" not in anyone.log_in("demo", "demo", scope="unscoped").body


def test_token_can_be_looked_at(demo, admin):
    own = demo.get("/v3/auth/tokens", X_Subject_Token=demo.token)
    assert own.status == 200
    assert own.json["token"] == demo.body
    assert "catalog" not in demo.get("/v3/auth/tokens?nocatalog", X_Subject_Token=demo.token).json["token"]
    assert admin.get("/v3/auth/tokens", X_Subject_Token=demo.token).status == 200
    assert demo.get("/v3/auth/tokens", X_Subject_Token=admin.token).status == 403
    assert demo.get("/v3/auth/tokens", X_Subject_Token="nonsense").status == 404
    assert demo.get("/v3/auth/tokens").status == 400


def test_head_answers_without_a_body(demo):
    answer = demo("HEAD", "/v3/auth/tokens", X_Subject_Token=demo.token)
    assert (answer.status, answer.json) == (200, None)


def test_revoked_token_is_refused_at_once(demo):
    assert demo.get("/v3/auth/projects").status == 200
    assert demo.delete("/v3/auth/tokens", X_Subject_Token=demo.token).status == 204
    assert demo.get("/v3/auth/projects").status == 401


def test_password_change_ends_tokens(demo, anyone):
    path = f"/v3/users/{demo.body['user']['id']}/password"
    assert demo.post(path, {"user": {"original_password": "wrong", "password": "new"}}).status == 401
    assert demo.post(path, {"user": {"original_password": "demo", "password": "new"}}).status == 204
    assert demo.get("/v3/auth/projects").status == 401
    assert anyone.authenticate(by_password("demo", "demo")).status == 401
    assert anyone.log_in("demo", "new", project="demo").get("/v3/auth/projects").status == 200


@pytest.mark.parametrize("kind", ["user", "project"])
def test_disabling_ends_tokens_for_good(admin, demo, kind):
    path = f"/v3/{kind}s/{demo.body[kind]['id']}"
    assert admin.patch(path, {kind: {"enabled": False}}).status == 200
    assert demo.get("/v3/auth/projects").status == 401
    assert admin.patch(path, {kind: {"enabled": True}}).status == 200
    assert demo.get("/v3/auth/projects").status == 401


def test_losing_the_role_ends_the_token(admin, demo):
    role = admin.get("/v3/roles?name=member").json["roles"][0]["id"]
    path = f"/v3/projects/{demo.body['project']['id']}/users/{demo.body['user']['id']}/roles/{role}"
    assert admin("HEAD", path).status == 204
    assert admin.delete(path).status == 204
    assert admin("HEAD", path).status == 404
    assert demo.get("/v3/auth/projects").status == 401


def test_identity_headers_of_a_client_do_not_count(app, admin):
    forged = Client(app)
    answer = forged.get(
        "/v3/users", X_User_Id=admin.body["user"]["id"], X_Roles="admin", X_Identity_Status="Confirmed",
        X_Project_Id=admin.body["project"]["id"], OpenStack_System_Scope="all",
    )
    assert answer.status == 401


def test_request_id_is_answered(anyone):
    assert anyone.get("/v3").headers["X-Openstack-Request-Id"].startswith("req-")
    uuid.UUID(anyone.get("/nowhere").headers["X-Openstack-Request-Id"][4:])


def test_unknown_path_is_404_in_keystones_fault(admin):
    answer = admin.get("/v3/limits")
    assert answer.status == 404
    assert answer.json["error"] == {"code": 404, "message": "The resource could not be found.", "title": "Not Found"}
