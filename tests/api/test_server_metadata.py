"""Metadata, tags, addresses and the action log of servers."""

from __future__ import annotations

import pytest

from novalike.db import action_log, instances
from novalike.objects.tasks import Caller
from tests import factories
from tests.api.client import PROJECT, USER

MISSING = "0e44cc9c-e052-415d-afbf-469b0d384170"


@pytest.fixture
def server(sqlite):
    return sqlite.write(instances.create, [factories.instance(
        project_id=PROJECT, user_id=USER, metadata={"a": "1"}, network_info=(factories.vif("10.0.0.5", floating=("203.0.113.9",)),),
    )])[0].uuid


def test_metadata(member, reader, server):
    path = f"/servers/{server}/metadata"
    assert member.get(path).json == {"metadata": {"a": "1"}}
    assert member.post(path, {"metadata": {"b": "2"}}).json == {"metadata": {"a": "1", "b": "2"}}
    assert member.put(path, {"metadata": {"c": "3"}}).json == {"metadata": {"c": "3"}}
    assert member.put(f"{path}/d", {"meta": {"d": "4"}}).json == {"meta": {"d": "4"}}
    assert member.get(f"{path}/d").json == {"meta": {"d": "4"}}
    assert member.delete(f"{path}/c").status == 204
    assert reader.get(path).json == {"metadata": {"d": "4"}}
    assert member.delete(f"{path}/c").json["itemNotFound"]["message"] == "Metadata item was not found"
    assert member.get(f"{path}/c").status == 404
    assert member.put(f"{path}/e", {"meta": {"f": "4"}}).fault == "Request body and URI mismatch"
    assert member.put(f"{path}/e", {"meta": {"e": "4", "f": "5"}}).status == 400
    assert member.post(path, {"metadata": {"x" * 256: "1"}}).status == 400
    assert member.post(path, {"metadata": {f"k{n}": "" for n in range(129)}}).status == 403
    assert reader.post(path, {"metadata": {}}).status == 403
    assert member.get(f"/servers/{MISSING}/metadata").status == 404


def test_metadata_needs_a_settled_server(member, admin, sqlite, server):
    building = sqlite.write(instances.create, [factories.instance(project_id=PROJECT, vm_state="building")])[0].uuid
    answer = member.post(f"/servers/{building}/metadata", {"metadata": {"a": "b"}})
    assert (answer.status, "vm_state building" in answer.fault) == (409, True)
    member.post(f"/servers/{server}/action", {"lock": None})
    assert member.post(f"/servers/{server}/metadata", {"metadata": {"a": "b"}}).fault == f"Instance {server} is locked"


def test_tags(member, stranger, server):
    member = member.at("2.26")
    path = f"/servers/{server}/tags"
    assert member.get(path).json == {"tags": []}
    added = member.put(f"{path}/blue")
    assert (added.status, added.headers["Location"]) == (201, f"http://localhost/v2.1/servers/{server}/tags/blue")
    assert member.put(f"{path}/blue").status == 204
    assert member.get(f"{path}/blue").status == 204
    assert member.put(path, {"tags": ["a", "b", "a"]}).json == {"tags": ["a", "b"]}
    assert member.delete(f"{path}/a").status == 204
    assert member.delete(f"{path}/a").status == 404
    assert member.get(f"{path}/a").status == 404
    assert member.put(f"{path}/{'x' * 61}").status == 400
    assert member.put(f"{path}/a,b").status == 400
    assert member.put(path, {"tags": [str(n) for n in range(51)]}).status == 400
    member.put(path, {"tags": [str(n) for n in range(50)]})
    assert member.put(f"{path}/more").status == 400
    assert member.delete(path).status == 204
    assert member.get(path).json == {"tags": []}
    assert member.at("2.25").get(path).status == 404
    assert stranger.at("2.26").put(f"{path}/x").status == 404


def test_addresses(member, server):
    expected = [{"version": 4, "addr": "10.0.0.5"}, {"version": 4, "addr": "203.0.113.9"}]
    assert member.get(f"/servers/{server}/ips").json == {"addresses": {"private": expected}}
    assert member.get(f"/servers/{server}/ips/private").json == {"private": expected}
    assert member.get(f"/servers/{server}/ips/public").fault == "Instance is not a member of specified network"


def test_action_log(member, admin, stranger, sqlite, server):
    def note(session):
        for number in range(3):
            caller = Caller(user_id=USER, project_id=PROJECT, request_id=f"req-{number}")
            action_log.start(session, "reboot", server, caller, factories.NOW)
        action_log.finish(session, server, "req-2", event="compute_reboot_instance", now=factories.NOW, error="It hung.", details="trace", host="host-1")
    sqlite.write(note)
    path = f"/servers/{server}/os-instance-actions"
    listed = member.get(path).json["instanceActions"]
    assert [row["request_id"] for row in listed] == ["req-2", "req-1", "req-0"]
    assert set(listed[0]) == {"action", "instance_uuid", "message", "project_id", "request_id", "start_time", "user_id"}
    page = member.at("2.58").get(f"{path}?limit=2").json
    assert [row["request_id"] for row in page["instanceActions"]] == ["req-2", "req-1"]
    assert "updated_at" in page["instanceActions"][0]
    assert page["links"][0]["href"].endswith("limit=2&marker=req-1")
    assert [r["request_id"] for r in member.at("2.58").get(f"{path}?marker=req-1").json["instanceActions"]] == ["req-0"]
    assert member.at("2.58").get(f"{path}?marker=nothing").status == 400
    assert member.at("2.58").get(f"{path}?nonsense=1").status == 400
    assert "events" not in member.get(f"{path}/req-2").json["instanceAction"]
    event = {"event", "start_time", "finish_time", "result"}
    for client, version, keys in (
        (admin, "2.1", event | {"traceback"}), (member, "2.51", event), (member, "2.62", event | {"hostId"}),
        (admin, "2.84", event | {"traceback", "hostId", "host", "details"}),
    ):
        shown = client.at(version).get(f"{path}/req-2").json["instanceAction"]
        assert (shown["message"], set(shown["events"][0])) == ("Error", keys)
    assert member.get(f"{path}/req-9").status == 404
    assert stranger.get(path).status == 404
