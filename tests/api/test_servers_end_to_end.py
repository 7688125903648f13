"""The main path: POST, GET, list, act, DELETE; and what each leaves in the database and sends."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from novalike.db import flavors, instances, tasks
from novalike.db.models.instances import InstanceRow
from tests import factories
from tests.api.client import PROJECT, USER


@pytest.fixture
def flavor(sqlite):
    return sqlite.write(flavors.create, factories.flavor(flavorid="1", name="tiny", vcpus=2, memory_mb=512, root_gb=1), now=factories.NOW)


@pytest.fixture
def image(services):
    return services.images.add(factories.image(properties={"os_type": "linux"}))


@pytest.fixture
def body(flavor, image):
    return {"server": {"name": "My Web_1", "flavorRef": "1", "imageRef": image.id, "networks": "none"}}


def settle(sqlite, uuid, **values):
    """What the conductor does at the end of a build."""
    def run(session):
        session.execute(sa.update(InstanceRow).where(InstanceRow.uuid == uuid).values(**{
            "vm_state": "active", "task_state": None, "power_state": 1, "host": "host-1", "node": "host-1",
            "availability_zone": "nova", "launched_at": factories.NOW, **values,
        }))
    sqlite.write(run)


def test_create_leaves_instance_task_action_and_rings(member, services, sqlite, body, image):
    answer = member.at("2.104").post("/servers", body)
    assert answer.status == 202, answer.json
    server = answer.json["server"]
    assert set(server) == {"id", "links", "OS-DCF:diskConfig", "security_groups", "adminPass"}
    assert len(server["adminPass"]) == 12
    assert answer.headers["Location"] == f"http://localhost/v2.1/servers/{server['id']}" == server["links"][0]["href"]
    assert server["links"][1] == {"rel": "bookmark", "href": f"http://localhost/servers/{server['id']}"}
    with sqlite.read() as session:
        instance = instances.get(session, server["id"])
        task = tasks.of_instance(session, server["id"])
    assert (instance.display_name, instance.hostname, instance.vm_state, instance.task_state) == (
        "My Web_1", "my-web-1", "building", "scheduling",
    )
    assert (instance.image_ref, instance.image_properties, instance.os_type) == (image.id, {"os_type": "linux"}, "linux")
    assert (task.kind, task.step, task.epoch, task.caller.user_id, task.caller.project_id) == ("build", "place", 1, USER, PROJECT)
    assert server["adminPass"] not in str(task.state)
    assert services.doorbell.rung == [[task.id]]
    actions = member.get(f"/servers/{server['id']}/os-instance-actions").json["instanceActions"]
    assert [action["action"] for action in actions] == ["create"]


def test_show_list_and_delete(member, stranger, services, sqlite, body):
    uuid = member.at("2.104").post("/servers", body).json["server"]["id"]
    shown = member.get(f"/servers/{uuid}").json["server"]
    assert (shown["status"], shown["OS-EXT-STS:task_state"], shown["progress"]) == ("BUILD", "scheduling", 0)
    assert shown["flavor"]["id"] == "1"
    assert [s["id"] for s in member.get("/servers").json["servers"]] == [uuid]
    assert [s["id"] for s in member.get("/servers/detail").json["servers"]] == [uuid]
    assert stranger.get(f"/servers/{uuid}").status == 404
    assert stranger.delete(f"/servers/{uuid}").status == 404
    assert stranger.get("/servers").json == {"servers": []}
    assert member.delete(f"/servers/{uuid}").status == 204
    with sqlite.read() as session:
        task = tasks.of_instance(session, uuid)
    assert (task.kind, task.epoch) == ("delete", 2)
    assert member.get(f"/servers/{uuid}").json["server"]["OS-EXT-STS:task_state"] == "deleting"
    assert member.delete(f"/servers/{uuid}").status == 204
    assert services.doorbell.rung[-1] == services.doorbell.rung[-2] == [task.id]


@pytest.mark.parametrize(("word", "value", "before", "action", "task_state"), [
    ("os-start", None, "stopped", "start", "powering-on"),
    ("os-stop", None, "active", "stop", "powering-off"),
    ("reboot", {"type": "SOFT"}, "active", "reboot_soft", "rebooting"),
    ("reboot", {"type": "Hard"}, "error", "reboot_hard", "rebooting_hard"),
])
def test_actions_reach_the_host(member, services, sqlite, body, word, value, before, action, task_state):
    uuid = member.at("2.104").post("/servers", body).json["server"]["id"]
    settle(sqlite, uuid, vm_state=before)
    assert member.post(f"/servers/{uuid}/action", {word: value}).status == 202
    assert member.get(f"/servers/{uuid}").json["server"]["OS-EXT-STS:task_state"] == task_state
    [(host, method, arguments)] = services.compute.sent
    assert (host, method, arguments["order"].action) == ("host-1", "act", action)
    assert arguments["order"].fence.instance_uuid == uuid
    again = member.post(f"/servers/{uuid}/action", {"os-stop": None})
    assert again.status == 409


def test_conflicts_in_novas_words(member, sqlite, body):
    uuid = member.at("2.104").post("/servers", body).json["server"]["id"]
    assert member.post(f"/servers/{uuid}/action", {"os-stop": None}).fault == (
        f"Cannot 'stop' instance {uuid} while it is in vm_state building"
    )
    settle(sqlite, uuid, vm_state="stopped")
    assert member.post(f"/servers/{uuid}/action", {"os-stop": None}).json == {"conflictingRequest": {
        "code": 409, "message": f"Cannot 'stop' instance {uuid} while it is in vm_state stopped",
    }}
    settle(sqlite, uuid, task_state="powering-off")
    assert member.post(f"/servers/{uuid}/action", {"os-stop": None}).fault == (
        f"Cannot 'stop' instance {uuid} while it is in task_state powering-off"
    )


def test_locks(member, admin, sqlite, body):
    uuid = member.at("2.104").post("/servers", body).json["server"]["id"]
    settle(sqlite, uuid)
    path = f"/servers/{uuid}/action"
    assert member.at("2.73").post(path, {"lock": {"locked_reason": "mine"}}).status == 202
    shown = member.at("2.73").get(f"/servers/{uuid}").json["server"]
    assert (shown["locked"], shown["locked_reason"]) == (True, "mine")
    for refused in (member.post(path, {"os-stop": None}), member.delete(f"/servers/{uuid}")):
        assert (refused.status, refused.fault) == (409, f"Instance {uuid} is locked")
    assert admin.post(path, {"os-stop": None}).status == 202
    assert member.post(path, {"unlock": None}).status == 202
    assert member.delete(f"/servers/{uuid}").status == 204


def test_console_output(member, services, sqlite, body):
    uuid = member.at("2.104").post("/servers", body).json["server"]["id"]
    path = f"/servers/{uuid}/action"
    assert member.post(path, {"os-getConsoleOutput": {}}).status == 409
    settle(sqlite, uuid)
    services.compute.consoles[uuid] = "one\ntwo\x1b[0m\r\nthree\n"
    assert member.post(path, {"os-getConsoleOutput": {}}).json == {"output": "one\ntwo[0m\nthree\n"}
    assert member.post(path, {"os-getConsoleOutput": {"length": 1}}).json == {"output": "three\n"}
    assert member.post(path, {"os-getConsoleOutput": {"length": "-1"}}).json["output"].startswith("one")
    services.compute.away.add("host-1")
    assert member.post(path, {"os-getConsoleOutput": {}}).status == 503


def test_words_that_are_not_built(member, admin, body):
    uuid = member.at("2.104").post("/servers", body).json["server"]["id"]
    path = f"/servers/{uuid}/action"
    answer = admin.post(path, {"evacuate": {"host": "other"}})
    assert answer.status == 501
    assert "evacuation" in answer.json["notImplemented"]["message"]
    assert member.at("2.44").post(path, {"addFixedIp": {"networkId": 1}}).status == 404
    assert member.post(path, {"trigger_crash_dump": None}).status == 404
    assert member.post(path, {"resetNetwork": None}).status == 410
    assert member.post(path, {"fly": None}).json["badRequest"]["message"] == "There is no such action: fly"
    assert member.post("/servers/0e44cc9c-e052-415d-afbf-469b0d384170/action", {"os-stop": None}).status == 404


def test_reset_state(member, admin, sqlite, body):
    uuid = member.at("2.104").post("/servers", body).json["server"]["id"]
    path = f"/servers/{uuid}/action"
    assert member.post(path, {"os-resetState": {"state": "active"}}).status == 403
    assert admin.post(path, {"os-resetState": {"state": "active"}}).status == 202
    with sqlite.read() as session:
        task, instance = tasks.of_instance(session, uuid), instances.get(session, uuid)
    assert (task.undoing, task.epoch, instance.epoch, instance.task_state) == (True, 2, 2, "scheduling"), "its build is undone"
    sqlite.write(lambda session: session.execute(sa.text("DELETE FROM tasks")))
    settle(sqlite, uuid)
    member.post(path, {"os-stop": None})
    assert admin.post(path, {"os-resetState": {"state": "error"}}).status == 202
    with sqlite.read() as session:
        instance = instances.get(session, uuid)
    assert (instance.vm_state, instance.task_state, instance.epoch) == ("error", None, 3)
