"""Consoles: who gets a URL, in which words others are refused, and what a token stands for."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa

from novalike.db import console_tokens, deletions, instances
from novalike.db.models.instances import ConsoleTokenRow, InstanceRow
from novalike.exception import Invalid, NotBuilt, NotFound
from novalike.objects.console import ConsoleAddress
from novalike.objects.secret import Secret
from tests.api.client import PROJECT, USER
from tests.factories_instances import CALLER, NOW, instance

ADDRESS = ConsoleAddress(host="127.0.0.1", port=5900, access_url_base="http://127.0.0.1:6080/vnc_auto.html", tls_port=None)


@pytest.fixture
def server(sqlite, services):
    services.compute.answers["console"] = ADDRESS
    made = instance(project_id=PROJECT, user_id=USER, vm_state="active", task_state=None, host="host-1", launched_at=NOW)
    sqlite.write(instances.create, [made])
    return made.uuid


@pytest.fixture
def path(server):
    return f"/servers/{server}/remote-consoles"


def wants(protocol="vnc", kind="novnc"):
    return {"remote_console": {"protocol": protocol, "type": kind}}


def move(sqlite, uuid, **values):
    sqlite.write(lambda session: session.execute(sa.update(InstanceRow).where(InstanceRow.uuid == uuid).values(**values)))


def token_of(url):
    query = parse_qs(urlsplit(url).query)
    return query["token"][0] if "token" in query else parse_qs(urlsplit(query["path"][0]).query)["token"][0]


def test_novnc_gets_its_token_in_a_path(member, admin, services, sqlite, server, path):
    answer = member.at("2.6").post(path, wants())
    assert answer.status == 200, answer.json
    console = answer.json["remote_console"]
    assert {key: console[key] for key in ("protocol", "type")} == {"protocol": "vnc", "type": "novnc"}
    assert console["url"].startswith("http://127.0.0.1:6080/vnc_auto.html?path=%3Ftoken%3D")
    host, method, arguments = services.compute.sent[-1]
    assert (host, method, arguments["console_type"], arguments["instance"].uuid) == ("host-1", "console", "novnc", server)
    token = token_of(console["url"])
    with sqlite.read() as session:
        stored = session.execute(sa.select(ConsoleTokenRow)).scalar_one()
    assert token not in str(vars(stored)), "the token itself is stored"
    shown = admin.at("2.31").get(f"/os-console-auth-tokens/{token}")
    assert shown.json == {"console": {
        "instance_uuid": server, "host": "127.0.0.1", "port": 5900, "internal_access_path": None,
    }}
    assert admin.at("2.99").get(f"/os-console-auth-tokens/{token}").json["console"]["tls_port"] is None
    assert admin.at("2.99").get(f"/os-console-auth-tokens/{token}?fly=1").status == 400
    assert admin.at("2.98").get(f"/os-console-auth-tokens/{token}?fly=1").status == 200
    assert member.at("2.31").get(f"/os-console-auth-tokens/{token}").status == 403
    assert admin.at("2.30").get(f"/os-console-auth-tokens/{token}").status == 401
    assert admin.at("2.30").get("/os-console-auth-tokens/unknown").status == 404
    assert admin.at("2.31").get("/os-console-auth-tokens/unknown").status == 404


@pytest.mark.parametrize(("protocol", "kind", "version", "url"), [
    ("serial", "serial", "2.6", "ws://127.0.0.1:6083/?token="),
    ("spice", "spice-html5", "2.6", "http://127.0.0.1:6082/spice_auto.html?title=x&token="),
    ("spice", "spice-direct", "2.99", "http://127.0.0.1:13002/nova?token="),
])
def test_other_types_get_it_as_parameter(member, services, path, protocol, kind, version, url):
    base = url.removesuffix("token=").rstrip("?&")
    services.compute.answers["console"] = ConsoleAddress(host="h", port=1, access_url_base=base)
    answer = member.at(version).post(path, wants(protocol, kind))
    assert answer.json["remote_console"]["url"].startswith(url), answer.json


@pytest.mark.parametrize(("word", "kind"), [
    ("os-getVNCConsole", "novnc"), ("os-getSerialConsole", "serial"), ("os-getSPICEConsole", "spice-html5"),
])
def test_action_words_of_old_clients(member, server, word, kind):
    path = f"/servers/{server}/action"
    answer = member.at("2.5").post(path, {word: {"type": kind}})
    assert answer.status == 200, answer.json
    assert answer.json["console"]["type"] == kind
    assert "token" in answer.json["console"]["url"]
    assert member.at("2.6").post(path, {word: {"type": kind}}).status == 404
    assert member.at("2.1").post(path, {word: {"type": "typewriter"}}).status == 400
    assert member.at("2.1").post(path, {word: {}}).status == 400
    assert member.at("2.1").post(path, {"os-getRDPConsole": {"type": "rdp-html5"}}).status == 400


@pytest.mark.parametrize(("version", "body", "words"), [
    ("2.6", wants("vnc", "serial"), "Invalid console type serial"),
    ("2.6", wants("vnc", "xvpvnc"), "Unavailable console type xvpvnc"),
    ("2.6", wants("rdp", "rdp-html5"), "RDP"),
    ("2.7", wants("mks", "webmks"), "protocol"),
    ("2.8", wants("mks", "webmks"), "Unavailable console type webmks"),
    ("2.98", wants("spice", "spice-direct"), "type"),
    ("2.6", {"remote_console": {"protocol": "vnc"}}, "type"),
    ("2.6", {"remote_console": {"protocol": "vnc", "type": "novnc", "x": 1}}, "x"),
])
def test_refused_types(member, path, version, body, words):
    answer = member.at(version).post(path, body)
    assert answer.status == 400, answer.json
    assert words in answer.fault


def test_before_2_6_there_is_no_such_resource(member, path):
    assert member.at("2.5").post(path, wants()).status == 404


def test_who_may(reader, stranger, admin, path):
    assert reader.at("2.6").post(path, wants()).status == 403
    assert stranger.at("2.6").post(path, wants()).status == 404
    assert admin.at("2.6").post(path, wants()).status == 200


@pytest.mark.parametrize(("error", "status"), [
    (Invalid("Unavailable console type novnc."), 400), (NotFound("Instance x could not be found."), 404), (NotBuilt("no"), 501),
])
def test_what_the_host_refuses(member, services, path, error, status):
    services.compute.answers["console"] = error
    assert member.at("2.6").post(path, wants()).status == status


def test_states(member, services, sqlite, server, path):
    ask = member.at("2.6")
    for task in ("deleting", "migrating"):
        move(sqlite, server, task_state=task)
        answer = ask.post(path, wants())
        assert (answer.status, answer.fault) == (
            409, f"Cannot 'get_vnc_console' instance {server} while it is in task_state {task}",
        )
    move(sqlite, server, task_state="rebooting", vm_state="error")
    assert ask.post(path, wants()).status == 200, "any other state will do"
    services.compute.answers["console"] = NotFound("Instance x could not be found.")
    move(sqlite, server, task_state="spawning", vm_state="building")
    assert ask.post(path, wants()).status == 409
    move(sqlite, server, task_state=None, vm_state="shelved_offloaded", host=None)
    assert ask.post(path, wants()).status == 409
    move(sqlite, server, host="host-1")
    services.compute.away.add("host-1")
    assert ask.post(path, wants()).status == 503


def test_a_token_ends(member, admin, services, sqlite, server, path):
    def fresh():
        return Secret(token_of(member.at("2.6").post(path, wants()).json["remote_console"]["url"]))

    def found(token):
        with sqlite.read() as session:
            return console_tokens.find(session, token)
    token = fresh()
    assert found(token).instance_uuid == server
    move(sqlite, server, host="host-2")
    assert found(token) is None, "its server moved"
    move(sqlite, server, host="host-1", epoch=5)
    assert found(token) is None, "something took its server over"
    token = fresh()
    assert sqlite.write(console_tokens.revoke, server) == 2
    assert found(token) is None, "it was revoked"
    services.conf.set_override("token_ttl", 0, group="consoleauth")
    assert found(fresh()) is None, "it expired"
    assert sqlite.write(console_tokens.remove_expired) == 1
    services.conf.set_override("token_ttl", 60, group="consoleauth")
    token = fresh()
    assert sqlite.write(console_tokens.remove_expired) == 0
    sqlite.write(deletions.begin, server, CALLER, now=NOW)
    assert found(token) is None, "its server is being deleted"
    assert admin.at("2.31").get(f"/os-console-auth-tokens/{token.reveal()}").status == 404
