"""Application credentials and EC2 keys."""

from __future__ import annotations

from typing import Any

from tests.api.identity.client import Client


def make(client: Client, **fields: Any) -> Any:
    path = f"/v3/users/{client.body['user']['id']}/application_credentials"
    return client.post(path, {"application_credential": {"name": "ci", **fields}})


def log_in(client: Client, id: str, secret: str) -> Client:
    answer = client.authenticate({"methods": ["application_credential"], "application_credential": {"id": id, "secret": secret}})
    assert answer.status == 201, answer
    found = Client(client.app, answer.headers["X-Subject-Token"])
    found.body = answer.json["token"]
    return found


def test_application_credential_logs_in_for_its_project(demo):
    made = make(demo)
    assert made.status == 201
    credential = made.json["application_credential"]
    robot = log_in(demo, credential["id"], credential["secret"])
    assert robot.body["project"]["id"] == demo.body["project"]["id"]
    assert robot.body["application_credential"] == {"id": credential["id"], "name": "ci", "restricted": True}
    shown = demo.get(f"/v3/users/{demo.body['user']['id']}/application_credentials").json["application_credentials"]
    assert [c["name"] for c in shown] == ["ci"]
    assert "secret" not in shown[0]


def test_wrong_secret_is_401(demo):
    made = make(demo, secret="s3cret").json["application_credential"]
    refused = demo.authenticate({"methods": ["application_credential"], "application_credential": {"id": made["id"], "secret": "no"}})
    assert refused.status == 401


def test_it_may_have_fewer_roles_but_not_more(demo):
    few = make(demo, roles=[{"name": "reader"}]).json["application_credential"]
    assert [r["name"] for r in log_in(demo, few["id"], few["secret"]).body["roles"]] == ["reader"]
    assert make(demo, name="more", roles=[{"name": "admin"}]).status == 400


def test_restricted_one_makes_no_others_and_no_wider_token(demo):
    made = make(demo).json["application_credential"]
    robot = log_in(demo, made["id"], made["secret"])
    assert make(robot, name="another").status == 403
    assert robot.authenticate({"methods": ["token"], "token": {"id": robot.token}}).status == 401
    free = make(demo, name="free", unrestricted=True).json["application_credential"]
    assert make(log_in(demo, free["id"], free["secret"]), name="child").status == 201


def test_deleting_it_ends_its_tokens(demo):
    made = make(demo).json["application_credential"]
    robot = log_in(demo, made["id"], made["secret"])
    assert robot.get("/v3/auth/projects").status == 200
    assert demo.delete(f"/v3/users/{demo.body['user']['id']}/application_credentials/{made['id']}").status == 204
    assert robot.get("/v3/auth/projects").status == 401


def test_access_rules_are_enforced(demo):
    rule = {"service": "identity", "method": "GET", "path": "/v3/auth/projects"}
    made = make(demo, access_rules=[rule]).json["application_credential"]
    robot = log_in(demo, made["id"], made["secret"])
    assert robot.get("/v3/auth/projects").status == 200
    assert robot.get("/v3/auth/catalog").status == 401


def test_expiry_must_be_a_time_to_come(demo):
    assert make(demo, expires_at="2020-01-01T00:00:00Z").status == 400
    assert make(demo, expires_at="soon").status == 400
    made = make(demo, expires_at="2100-01-01T00:00:00Z")
    assert made.json["application_credential"]["expires_at"].startswith("2100-01-01")


def test_others_credentials_are_out_of_reach(demo, admin):
    made = make(admin).json["application_credential"]
    assert demo.get(f"/v3/users/{admin.body['user']['id']}/application_credentials/{made['id']}").status == 403
    assert demo.get(f"/v3/users/{demo.body['user']['id']}/application_credentials/{made['id']}").status == 404
    path = f"/v3/users/{demo.body['user']['id']}/application_credentials"
    assert admin.post(path, {"application_credential": {"name": "x"}}).status == 403, "not even an admin makes them for others"


def test_ec2_credentials(demo, admin):
    path = f"/v3/users/{demo.body['user']['id']}/credentials/OS-EC2"
    made = demo.post(path, {"tenant_id": demo.body["project"]["id"]})
    assert made.status == 201
    key = made.json["credential"]
    assert len(key["secret"]) == 32
    assert demo.get(path).json["credentials"] == [key]
    assert demo.get(f"{path}/{key['access']}").json["credential"] == key
    assert demo.post(path, {"tenant_id": admin.body["project"]["id"]}).status == 401
    assert demo.delete(f"{path}/{key['access']}").status == 204
    assert demo.get(f"{path}/{key['access']}").status == 404


def test_access_rules_are_listed_as_long_as_a_credential_has_them(demo, admin):
    rule = {"service": "compute", "method": "GET", "path": "/v2.1/servers"}
    owner = f"/v3/users/{demo.body['user']['id']}"
    made = demo.post(f"{owner}/application_credentials", {"application_credential": {"name": "a", "access_rules": [rule]}}).json["application_credential"]
    shown = made["access_rules"][0]
    assert {**rule, "id": shown["id"]} == shown
    path = f"{owner}/access_rules"
    assert (demo.get(path).json["access_rules"], demo.get(f"{path}/{shown['id']}").json["access_rule"]) == ([shown], shown)
    assert demo.delete(f"{path}/{shown['id']}").status == 403
    demo.delete(f"{owner}/application_credentials/{made['id']}")
    assert (demo.get(path).json["access_rules"], demo.get(f"{path}/{shown['id']}").status) == ([], 404)
