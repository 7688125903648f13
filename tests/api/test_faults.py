"""How requests are refused: the name of each fault, its body and its headers; and the relaxed /v2 beside the strict /v2.1."""

from __future__ import annotations

from dataclasses import replace

import pytest

from novalike.exception import Unavailable
from tests.api.client import PROJECT
from tests.api.personas import MEMBER, READER
from tests.api.world import identify

ACTIVE = identify("active")


@pytest.fixture
def member(world):
    return world.client(MEMBER.context(), "2.104")


def fault(answer):
    """The name of a fault; its code is the answer's."""
    [(name, content)] = answer.json.items()
    assert content["code"] == answer.status
    assert set(content) <= {"code", "message", "retryAfter"}
    assert answer.headers["Content-Type"] == "application/json"
    return name


@pytest.mark.parametrize(("method", "path", "body", "status", "name"), [
    ("GET", "/servers?limit=x", None, 400, "badRequest"),
    ("POST", "/servers", {"server": {}}, 400, "badRequest"),
    ("POST", "/flavors", {}, 403, "forbidden"),
    ("GET", "/servers/nothing", None, 404, "itemNotFound"),
    ("GET", "/nothing", None, 404, "itemNotFound"),
    ("PATCH", "/servers", None, 405, "badMethod"),
    ("DELETE", "/servers", None, 405, "badMethod"),
    ("POST", f"/servers/{ACTIVE}/action", {"os-start": None}, 409, "conflictingRequest"),
    ("GET", "/os-cells", None, 410, "computeFault"),
    ("GET", f"/servers/{ACTIVE}/shares", None, 501, "notImplemented"),
])
def test_names_of_faults(member, method, path, body, status, name):
    answer = member(method, path, body)
    assert (answer.status, fault(answer)) == (status, name), answer.json
    assert answer.fault
    assert answer.headers["OpenStack-API-Version"] == "compute 2.104"
    assert answer.headers["X-Compute-Request-Id"].startswith("req-")


def test_a_method_which_is_not_there_names_those_which_are(member):
    assert member("PATCH", "/servers").headers["Allow"] == "GET, POST"


def test_without_a_token_who_gives_one_is_told(world):
    answer = world.client(None, "2.104").get("/servers")
    assert (answer.status, fault(answer)) == (401, "unauthorized")
    assert answer.headers["WWW-Authenticate"].startswith("Keystone uri=")


def test_too_large_a_body_may_come_again_never(member):
    answer = member.post("/servers", raw=b'{"server": "' + b"x" * 200_000 + b'"}')
    assert (answer.status, fault(answer)) == (413, "overLimit")
    assert (answer.headers["Retry-After"], answer.json["overLimit"]["retryAfter"]) == ("0", "0")


def test_a_body_of_another_type(member):
    answer = member.post("/servers", raw=b"<server/>", headers={"Content-Type": "text/xml"})
    assert (answer.status, fault(answer)) == (415, "badMediaType")


def test_what_does_not_answer_now_may_later(world, member):
    world.services.compute.away.add("host-1")
    try:
        answer = member.post(f"/servers/{ACTIVE}/action", {"os-getConsoleOutput": {}})
    finally:
        world.services.compute.away.clear()
    assert (answer.status, fault(answer), answer.headers["Retry-After"]) == (503, "serviceUnavailable", "5")


def test_a_fault_of_ours_tells_nothing_of_itself(world, member):
    world.services.compute.answers["console_output"] = world.services.compute.answers["diagnostics"]
    before = dict(world.services.compute.answers)

    class Broken(Exception):
        """What nobody thought of."""

    world.services.compute.answers["console"] = Broken("secret inner words")
    try:
        answer = member.post(f"/servers/{ACTIVE}/remote-consoles", {"remote_console": {"protocol": "vnc", "type": "novnc"}})
    finally:
        world.services.compute.answers = before
    assert (answer.status, fault(answer)) == (500, "computeFault")
    assert "secret" not in answer.fault
    assert Unavailable.__name__ not in answer.fault


def test_a_version_too_new_says_what_there_is(member):
    answer = member.at("2.105").get("/servers")
    assert (answer.status, fault(answer)) == (406, "computeFault")
    assert "Minimum is 2.1 and maximum is 2.104." in answer.fault
    assert "OpenStack-API-Version" not in answer.headers, "no version was spoken"
    assert answer.headers["X-OpenStack-Request-Id"].startswith("req-")


def test_a_head_is_a_get_without_its_body(member):
    answer = member("HEAD", f"/servers/{ACTIVE}")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["OpenStack-API-Version"] == "compute 2.104"


# --- a project id in the path


@pytest.mark.parametrize("version", ["2.1", "2.17", "2.18", "2.104"])
def test_the_project_in_the_path_is_the_callers(member, version):
    assert member.at(version).get(f"/{PROJECT}/servers/{ACTIVE}").status == 200
    answer = member.at(version).get("/0123456789abcdef0123456789abcdef/servers")
    assert (answer.status, fault(answer)) == (400, "badRequest")
    assert "doesn't match" in answer.fault


def test_links_keep_the_project_of_the_path(member):
    shown = member.get(f"/{PROJECT}/servers?limit=1").json
    assert f"/v2.1/{PROJECT}/servers/" in shown["servers"][0]["links"][0]["href"]
    assert f"/v2.1/{PROJECT}/servers?limit=1&marker=" in shown["servers_links"][0]["href"]


# --- /v2


def test_v2_takes_what_it_does_not_know(member):
    body = {"keypair": {"name": "new", "color": "blue"}, "more": 1}
    strict, relaxed = member.at("2.1"), member.under("/v2").at("2.104")
    assert strict.post("/os-keypairs", body).status == 400
    answer = relaxed.post("/os-keypairs", body)
    assert answer.status == 200, answer.json
    assert "type" not in answer.json["keypair"], "microversions do not count here"
    assert not {"OpenStack-API-Version", "X-OpenStack-Nova-API-Version", "Vary"} & set(answer.headers)
    assert answer.headers["X-Compute-Request-Id"].startswith("req-")
    assert relaxed.get("/servers?color=blue").status == 200


def test_v2_refuses_what_is_wrong(member):
    answer = member.under("/v2").post("/os-keypairs", {"keypair": {"name": 7}})
    assert (answer.status, fault(answer)) == (400, "badRequest")
    assert "name" in answer.fault


def test_v2_links_to_itself(member):
    shown = member.under("/v2").get(f"/servers/{ACTIVE}").json["server"]
    assert shown["links"][0]["href"] == f"http://localhost/v2/servers/{ACTIVE}"
    assert shown["links"][1]["href"] == f"http://localhost/servers/{ACTIVE}"


# --- who may not, learns nothing


def test_a_foreign_server_looks_like_none(member):
    foreign, missing = identify("foreign"), identify("nothing at all")
    for method, path, body in (
        ("GET", "", None), ("DELETE", "", None), ("PUT", "", {"server": {"name": "x"}}), ("POST", "/action", {"pause": None}),
        ("GET", "/os-volume_attachments", None), ("GET", "/ips", None), ("PUT", "/tags/x", None),
    ):
        said = [member(method, f"/servers/{uuid}{path}", body) for uuid in (foreign, missing)]
        assert [answer.status for answer in said] == [404, 404], (method, path)
        assert said[0].fault.replace(foreign, "") == said[1].fault.replace(missing, ""), (method, path)


def test_a_caller_without_a_project_sees_no_servers(world):
    nowhere = world.client(replace(READER.context(), project_id=None), "2.104")
    assert nowhere.get("/servers").json in ({"servers": []}, None) or nowhere.get("/servers").status == 403
