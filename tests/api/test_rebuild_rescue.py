"""Rebuild, rescue, unrescue, changePassword and os-server-password: bodies by version, refusals in Nova's words, what is left."""

from __future__ import annotations

import base64

import pytest
import sqlalchemy as sa

from novalike.db import instances, keypairs, keys, tasks
from novalike.db.models.instances import InstanceRow
from novalike.objects.keypair import Keypair
from novalike.objects.rebuild import RebuildState
from novalike.objects.rescue import RescueState
from novalike.rpc import serializer
from novalike.vault import Vault
from tests import factories
from tests.api.client import PROJECT, USER

OLD = "11111111-1111-4111-8111-111111111111"
MISSING = "99999999-9999-4999-8999-999999999999"
LATEST = "2.104"


@pytest.fixture
def image(services):
    return services.images.add(factories.image(name="new", owner=PROJECT, properties={"os_type": "linux", "hw_disk_bus": "scsi"}))


@pytest.fixture
def server(sqlite):
    """An ACTIVE server of the caller; answers its uuid."""
    return sqlite.write(instances.create, [factories.instance(
        display_name="vm", project_id=PROJECT, user_id=USER, vm_state="active", host="host-1", node="host-1", image_ref=OLD, launched_at=factories.NOW,
        metadata={"old": "1"}, key_name="k1", key_data="ssh-rsa A", user_data="b2xk", power_state=1,
        image_properties={"hw_qemu_guest_agent": "yes"}, flavor=factories.flavor(root_gb=1, memory_mb=512),
    )])[0].uuid


def change(sqlite, uuid, **values):
    sqlite.write(lambda session: session.execute(sa.update(InstanceRow).where(InstanceRow.uuid == uuid).values(**values)))


def action(client, uuid, word, value, version=LATEST):
    return client.at(version).post(f"/servers/{uuid}/action", {word: value})


def task_of(sqlite, uuid, state_type=RebuildState):
    with sqlite.read() as session:
        task = tasks.of_instance(session, uuid)
    return task, serializer.load(state_type, task.state)


def test_rebuild_answers_the_server_as_it_will_be(member, services, sqlite, server, image):
    sqlite.write(keypairs.create, Keypair(user_id=USER, name="k2", public_key="ssh-rsa B", fingerprint="f", type="ssh"), limit=10, now=factories.NOW)
    answer = action(member, server, "rebuild", {
        "imageRef": image.id, "name": "new name", "adminPass": "s3cret", "metadata": {"a": "1"}, "OS-DCF:diskConfig": "MANUAL",
        "accessIPv4": "192.0.2.7", "accessIPv6": "2001:db8::7", "description": "d", "key_name": "k2",
        "user_data": base64.b64encode(b"x").decode(), "hostname": "n.example.org", "preserve_ephemeral": False,
    })
    assert answer.status == 202, answer.json
    shown = answer.json["server"]
    assert {key: shown[key] for key in (
        "id", "name", "adminPass", "metadata", "OS-DCF:diskConfig", "accessIPv4", "accessIPv6", "description", "key_name", "user_data",
        "OS-EXT-SRV-ATTR:hostname", "status", "OS-EXT-STS:task_state", "OS-EXT-STS:vm_state",
    )} == {
        "id": server, "name": "new name", "adminPass": "s3cret", "metadata": {"a": "1"}, "OS-DCF:diskConfig": "MANUAL",
        "accessIPv4": "192.0.2.7", "accessIPv6": "2001:db8::7", "description": "d", "key_name": "k2", "user_data": "eA==",
        "OS-EXT-SRV-ATTR:hostname": "n.example.org", "status": "REBUILD", "OS-EXT-STS:task_state": "rebuilding",
        "OS-EXT-STS:vm_state": "active",
    }
    assert shown["image"]["id"] == image.id
    assert shown["image"]["properties"] == image.properties
    assert answer.headers["Location"] == shown["links"][0]["href"]
    task, state = task_of(sqlite, server)
    assert (task.kind, task.epoch, state.other_image) == ("rebuild", 1, True)
    assert (state.changes["key_data"], state.changes["image_ref"]) == ("ssh-rsa B", image.id)
    assert "s3cret" not in str(task.state)
    assert services.doorbell.rung == [[task.id]]
    now = member.at(LATEST).get(f"/servers/{server}").json["server"]
    assert (now["image"]["id"], now["status"]) == (OLD, "REBUILD"), "until its disks are replaced it is the old server"
    actions = member.get(f"/servers/{server}/os-instance-actions").json["instanceActions"]
    assert [one["action"] for one in actions] == ["rebuild"]


def test_the_answer_by_version(member, services, server, image, sqlite):
    keys = {}
    for version in ("2.1", "2.53", "2.54", "2.57", "2.63", "2.74", "2.75"):
        sqlite.write(lambda session: session.execute(sa.text("DELETE FROM tasks")))
        change(sqlite, server, task_state=None)
        answer = action(member, server, "rebuild", {"imageRef": image.id}, version)
        assert answer.status == 202, answer.json
        keys[version] = set(answer.json["server"])
    assert keys["2.1"] == {
        "accessIPv4", "accessIPv6", "addresses", "adminPass", "created", "flavor", "hostId", "id", "image", "links", "metadata", "name",
        "progress", "status", "tenant_id", "updated", "user_id", "OS-DCF:diskConfig",
    }
    assert keys["2.54"] - keys["2.53"] == {"key_name"}
    assert keys["2.57"] - keys["2.54"] == {"user_data"}
    assert keys["2.63"] - keys["2.57"] == {"trusted_image_certificates"}
    assert {"config_drive", "security_groups", "OS-EXT-STS:vm_state"} <= keys["2.75"] - keys["2.74"]
    assert "OS-EXT-SRV-ATTR:user_data" not in keys["2.75"]


@pytest.mark.parametrize(("field", "value", "since", "until"), [
    ("description", "x", "2.19", None), ("key_name", None, "2.54", None), ("user_data", None, "2.57", None),
    ("trusted_image_certificates", None, "2.63", None), ("hostname", "h", "2.90", None), ("personality", [], None, "2.56"),
])
def test_fields_by_version(member, server, image, sqlite, field, value, since, until):
    def status(version):
        sqlite.write(lambda session: session.execute(sa.text("DELETE FROM tasks")))
        change(sqlite, server, task_state=None)
        return action(member, server, "rebuild", {"imageRef": image.id, field: value}, version).status
    if since:
        assert status(f"2.{int(since[2:]) - 1}") == 400
        assert status(since) == 202
    if until:
        assert status(until) == 202
        assert status(f"2.{int(until[2:]) + 1}") == 400


def test_a_key_can_be_taken_away_and_others_stay(member, server, image, sqlite):
    assert action(member, server, "rebuild", {"imageRef": image.id, "key_name": None, "user_data": None}).json["server"]["key_name"] is None
    _, state = task_of(sqlite, server)
    assert (state.changes["key_data"], state.changes["user_data"]) == (None, None)
    assert "metadata" not in state.changes


def test_what_is_not_said_stays(member, server, image):
    shown = action(member, server, "rebuild", {"imageRef": image.id}).json["server"]
    assert (shown["name"], shown["metadata"], shown["key_name"], shown["user_data"]) == ("vm", {"old": "1"}, "k1", "b2xk")
    assert len(shown["adminPass"]) == 12


@pytest.mark.parametrize(("body", "code", "message"), [
    ({"imageRef": MISSING}, 400, "Cannot find image for rebuild"),
    ({"imageRef": "no-uuid"}, 400, "Invalid imageRef provided."),
    ({}, 400, None),
    ({"imageRef": OLD, "key_name": "ghost"}, 400, "Invalid key_name provided."),
    ({"imageRef": OLD, "trusted_image_certificates": ["a"]}, 501, None),
    ({"imageRef": OLD, "metadata": {f"k{n}": "" for n in range(129)}}, 403, "Maximum number of metadata items exceeds 128"),
    ({"imageRef": OLD, "OS-DCF:diskConfig": "AUTO"}, 400, f"Requested image {OLD} has automatic disk resize disabled."),
])
def test_refusals(member, services, server, body, code, message):
    services.images.add(factories.image(id=OLD, owner=PROJECT, properties={"auto_disk_config": "false"}))
    answer = action(member, server, "rebuild", body)
    assert answer.status == code, answer.json
    if message:
        assert answer.fault == message
    assert services.doorbell.rung == []


@pytest.mark.parametrize(("values", "message"), [
    ({"min_ram": 1024}, "Flavor's memory is too small for requested image."),
    ({"min_disk": 5}, (
        "Flavor's disk is smaller than the minimum size specified in image metadata. "
        "Flavor disk is 1073741824 bytes, minimum size is 5368709120 bytes."
    )),
    ({"size": 3 << 30}, "Flavor's disk is too small for requested image. Flavor disk is 1073741824 bytes, image is 3221225472 bytes."),
    ({"status": "queued"}, None),
])
def test_images_which_do_not_fit(member, services, server, values, message):
    image = services.images.add(factories.image(owner=PROJECT, **values))
    answer = action(member, server, "rebuild", {"imageRef": image.id})
    assert answer.status == 400
    assert answer.fault == (message or f"Image {image.id} is not active.")


def test_injected_files_have_their_limits(member, server, image):
    files = [{"path": f"/f{n}", "contents": "eA=="} for n in range(6)]
    answer = action(member, server, "rebuild", {"imageRef": image.id, "personality": files}, "2.1")
    assert (answer.status, answer.fault) == (403, "Personality file limit exceeded.")
    assert action(member, server, "rebuild", {"imageRef": image.id, "personality": files[:5]}, "2.1").status == 202


def test_passwords_may_be_hidden(member, services, server, image):
    services.conf.set_override("enable_instance_password", False, group="api")
    assert "adminPass" not in action(member, server, "rebuild", {"imageRef": image.id}).json["server"]


def test_states_and_strangers(member, stranger, reader, server, image, sqlite):
    for word, value in (("rebuild", {"imageRef": image.id}), ("rescue", None), ("unrescue", None), ("changePassword", {"adminPass": "x"})):
        assert action(stranger, server, word, value).status == 404
        assert action(reader, server, word, value).status == 403
        change(sqlite, server, vm_state="paused")
        answer = action(member, server, word, value)
        assert (answer.status, answer.fault) == (409, f"Cannot '{word}' instance {server} while it is in vm_state paused")
        change(sqlite, server, vm_state="active")
    change(sqlite, server, task_state="rebooting")
    assert action(member, server, "rebuild", {"imageRef": image.id}).fault == (
        f"Cannot 'rebuild' instance {server} while it is in task_state rebooting"
    )


def test_never_launched(member, server, image, sqlite):
    change(sqlite, server, vm_state="error", launched_at=None)
    assert action(member, server, "rebuild", {"imageRef": image.id}).status == 409
    assert action(member, server, "rescue", None).status == 409


def test_rescue_with_a_given_image(member, services, server, sqlite):
    image = services.images.add(factories.image(owner=PROJECT, properties={"kernel_id": OLD, "hw_rescue_bus": "virtio"}))
    answer = action(member, server, "rescue", {"adminPass": "Abc123xyz", "rescue_image_ref": image.id})
    assert (answer.status, answer.json) == (200, {"adminPass": "Abc123xyz"})
    assert member.get(f"/servers/{server}").json["server"]["OS-EXT-STS:task_state"] == "rescuing"
    task, state = task_of(sqlite, server, RescueState)
    assert (state.image_id, state.kernel_id, state.ramdisk_id) == (image.id, OLD, "")
    assert "Abc123xyz" not in str(task.state)
    assert Vault(keys.key(services.cells.shared, Vault.NAME)).open(state.encrypted_password).reveal() == "Abc123xyz"


@pytest.mark.parametrize(("configured", "expected"), [
    ({}, (OLD, "k", "r")), ({"rescue_image_id": MISSING}, (MISSING, "", "")),
    ({"rescue_image_id": MISSING, "rescue_kernel_id": "rk", "rescue_ramdisk_id": "rr"}, (MISSING, "rk", "rr")),
])
def test_rescue_with_the_default_image(member, services, server, sqlite, configured, expected):
    for name, value in configured.items():
        services.conf.set_override(name, value, group="libvirt")
    sqlite.write(instances.change, server, factories.NOW, lambda _: {"kernel_id": "k", "ramdisk_id": "r"})
    answer = action(member, server, "rescue", None, "2.1")
    assert answer.status == 200
    assert len(answer.json["adminPass"]) == 12
    _, state = task_of(sqlite, server, RescueState)
    assert (state.image_id, state.kernel_id, state.ramdisk_id) == expected


def test_rescue_refusals(member, services, server, sqlite):
    assert action(member, server, "rescue", {"rescue_image_ref": MISSING}).fault == f"Requested rescue image '{MISSING}' is not supported"
    assert action(member, server, "rescue", {"rescue_image_ref": "x"}).status == 400
    assert action(member, server, "rescue", {"other": 1}).status == 400
    queued = services.images.add(factories.image(owner=PROJECT, status="queued"))
    assert action(member, server, "rescue", {"rescue_image_ref": queued.id}).fault == f"Image {queued.id} is not active."
    services.conf.set_override("enable_instance_password", False, group="api")
    assert action(member, server, "rescue", {}).json == {}


def test_unrescue_reaches_the_host(member, services, server, sqlite):
    change(sqlite, server, vm_state="rescued")
    assert action(member, server, "unrescue", None).status == 202
    [(host, method, arguments)] = services.compute.sent
    assert (host, method, arguments["order"].action) == ("host-1", "act", "unrescue")
    assert member.get(f"/servers/{server}").json["server"]["status"] == "RESCUE"


def test_change_password(member, services, server, sqlite):
    assert action(member, server, "changePassword", {}).status == 400
    assert action(member, server, "changePassword", {"adminPass": 5}).status == 400
    answer = action(member, server, "changePassword", {"adminPass": "n3w-pass"})
    assert (answer.status, answer.body) == (202, b"")
    assert member.get(f"/servers/{server}").json["server"]["status"] == "PASSWORD"
    with sqlite.read() as session:
        task = tasks.of_instance(session, server)
    assert (task.kind, "n3w-pass" in str(task.state)) == ("change_password", False)


def test_a_guest_without_an_agent_has_no_password_to_change(member, server, sqlite):
    sqlite.write(instances.change, server, factories.NOW, lambda _: {"image_properties": {}})
    answer = action(member, server, "changePassword", {"adminPass": "x"})
    assert (answer.status, answer.fault) == (409, "QEMU guest agent is not enabled")


def test_the_password_which_a_guest_posted(member, reader, stranger, server, sqlite):
    path = f"/servers/{server}/os-server-password"
    assert reader.get(path).json == {"password": ""}
    sqlite.write(instances.change, server, factories.NOW, lambda _: {"system_metadata": {"password_0": "ab", "password_1": "cd", "x": "1"}})
    assert member.get(path).json == {"password": "abcd"}
    assert reader.delete(path).status == 403
    assert stranger.get(path).status == 404
    answer = member.delete(path)
    assert (answer.status, answer.body) == (204, b"")
    assert member.get(path).json == {"password": ""}
    with sqlite.read() as session:
        assert instances.get(session, server).system_metadata == {"x": "1"}
    assert member.at("2.102").get(f"{path}?x=1").status == 400
    assert member.at("2.101").get(f"{path}?x=1").status == 200
