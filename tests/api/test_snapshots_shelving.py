"""createImage, createBackup, shelve, shelveOffload and unshelve: bodies by version, refusals in Nova's words, what is accepted."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from novalike.db import aggregates, hosts, instances, quotas, tasks
from novalike.db.models.instances import InstanceRow
from novalike.exception import OverQuota
from novalike.objects.snapshot_tasks import OffloadState, ShelveState, SnapshotState, UnshelveHereState, UnshelveState
from novalike.rpc import serializer
from tests import factories
from tests.api.client import PROJECT, USER
from tests.factories_hosts import inventory

BASE = "11111111-1111-4111-8111-111111111111"
SHELVED_IMAGE = "22222222-2222-4222-8222-222222222222"
LATEST = "2.104"


@pytest.fixture
def server(sqlite):
    """An ACTIVE server of the caller, made of an image; answers its uuid."""
    return sqlite.write(instances.create, [factories.instance(
        display_name="vm", project_id=PROJECT, user_id=USER, vm_state="active", host="host-1", node="host-1", image_ref=BASE,
        launched_at=factories.NOW, power_state=1, root_gb=5, flavor=factories.flavor(root_gb=5),
        image_properties={"hw_disk_bus": "virtio", "img_signature": "secret", "os_glance_note": "x"}, kernel_id="k",
        system_metadata={
            "image_min_ram": "64", "image_disk_format": "qcow2", "image_container_format": "bare", "owner_user_name": "ann",
            "boot_roles": "member,reader",
        },
    )])[0].uuid


def change(sqlite, uuid, **values):
    sqlite.write(lambda session: session.execute(sa.update(InstanceRow).where(InstanceRow.uuid == uuid).values(**values)))


def offloaded(sqlite, uuid, **document):
    """Make the server one which was shelved and is on no host."""
    with sqlite.read() as session:
        kept = dict(session.scalar(sa.select(InstanceRow.document).where(InstanceRow.uuid == uuid)))
    kept["system_metadata"] = {"shelved_image_id": SHELVED_IMAGE, "shelved_at": "2026-11-21T12:00:00", "shelved_host": "host-1"}
    change(sqlite, uuid, vm_state="shelved_offloaded", host=None, node=None, document={**kept, **document})


def action(client, uuid, word, value, version=LATEST):
    return client.at(version).post(f"/servers/{uuid}/action", {word: value})


def task_of(sqlite, uuid, state_type):
    with sqlite.read() as session:
        task = tasks.of_instance(session, uuid)
    return task.kind, serializer.load(state_type, task.state)


# --- images ------------------------------------------------------------------------------------------------------------

def test_create_image_makes_a_record_which_a_task_will_fill(member, services, sqlite, server):
    answer = action(member, server, "createImage", {"name": " my image", "metadata": {"colour": "green", "image_type": "mine"}}, "2.1")
    assert answer.status == 400, "a name does not begin with a blank"
    answer = action(member, server, "createImage", {"name": "my image", "metadata": {"colour": "green", "image_type": "mine"}})
    assert answer.status == 202
    image = services.images.images[answer.json["image_id"]]
    assert (image.name, image.status, image.owner, image.visibility) == ("my image", "queued", PROJECT, "private")
    assert (image.disk_format, image.container_format, image.min_disk, image.min_ram) == ("qcow2", "bare", 5, 64)
    assert image.properties == {
        "hw_disk_bus": "virtio", "kernel_id": "k", "owner_user_name": "ann", "boot_roles": "member,reader", "colour": "green",
        "image_type": "mine", "instance_uuid": server, "user_id": USER, "base_image_ref": BASE, "image_location": "snapshot",
        "image_state": "available", "owner_id": PROJECT,
    }
    assert task_of(sqlite, server, SnapshotState) == ("snapshot", SnapshotState(image_id=image.id))
    with sqlite.read() as session:
        assert instances.get(session, server).task_state == "image_snapshot_pending"


@pytest.mark.parametrize("version", ["2.1", "2.44"])
def test_older_clients_are_told_where_the_image_is(member, services, server, version):
    answer = action(member, server, "createImage", {"name": "i"}, version)
    (image,) = services.images.images
    assert (answer.status, answer.body) == (202, b"")
    assert answer.headers["Location"] == f"http://127.0.0.1:9292/images/{image}"


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": "x" * 256}, {"name": "i", "metadata": {"k": 1}}, {"name": "i", "more": 1}])
def test_bodies_of_create_image_are_checked(member, services, server, body):
    assert action(member, server, "createImage", body).status == 400
    assert not services.images.images


@pytest.mark.parametrize(("version", "status"), [("2.38", 403), ("2.39", 202)])
def test_the_quota_for_metadata_holds_until_2_38(member, sqlite, server, version, status):
    sqlite.write(quotas.set_limits, PROJECT, None, {"metadata_items": 1}, now=factories.NOW)
    answer = action(member, server, "createImage", {"name": "i", "metadata": {"a": "1", "b": "2"}}, version)
    assert answer.status == status


@pytest.mark.parametrize("word", ["createImage", "createBackup", "shelve"])
def test_states_which_allow_no_image(member, services, sqlite, server, word):
    body = {"createImage": {"name": "i"}, "createBackup": {"name": "b", "backup_type": "daily", "rotation": 1}, "shelve": None}[word]
    for values in ({"vm_state": "error"}, {"vm_state": "active", "task_state": "rebooting"}, {"vm_state": "rescued", "task_state": None}):
        change(sqlite, server, **values)
        answer = action(member, server, word, body)
        assert answer.status == 409
        assert f"Cannot '{word}' instance {server} while it is in" in answer.fault
    assert not services.images.images, "a refused operation leaves no image"


def test_an_image_service_which_refuses_is_heard(member, services, sqlite, server):
    def full(ctxt, image):
        raise OverQuota("Quota exceeded for images.")
    services.images.create = full
    assert action(member, server, "createImage", {"name": "i"}).status == 403
    with sqlite.read() as session:
        assert instances.get(session, server).task_state is None


def test_create_backup(member, services, sqlite, server):
    change(sqlite, server, locked_by="owner")            # a lock is no hindrance
    answer = action(member, server, "createBackup", {"name": "b", "backup_type": "weekly", "rotation": "2", "metadata": {"a": "1"}})
    assert answer.status == 202
    image = services.images.images[answer.json["image_id"]]
    assert {name: image.properties[name] for name in ("image_type", "backup_type", "a")} == {"image_type": "backup", "backup_type": "weekly", "a": "1"}
    assert task_of(sqlite, server, SnapshotState) == ("backup", SnapshotState(image_id=image.id, backup_type="weekly", rotation=2))


def test_a_backup_of_which_nothing_is_kept_has_no_location(member, server):
    answer = action(member, server, "createBackup", {"name": "b", "backup_type": "daily", "rotation": 0}, "2.44")
    assert answer.status == 202
    assert "Location" not in answer.headers


@pytest.mark.parametrize("changes", [{"rotation": -1}, {"rotation": "x"}, {"rotation": None}, {"backup_type": None}, {"name": None}, {"more": 1}])
def test_bodies_of_create_backup_are_checked(member, server, changes):
    body = {"name": "b", "backup_type": "daily", "rotation": 1, **changes}
    assert action(member, server, "createBackup", body).status == 400


# --- shelving ----------------------------------------------------------------------------------------------------------

def test_shelve(member, services, sqlite, server):
    assert action(member, server, "shelve", None).status == 202
    (image,) = services.images.images.values()
    assert (image.name, image.properties["image_type"]) == ("vm-shelved", "snapshot")
    assert task_of(sqlite, server, ShelveState) == ("shelve", ShelveState(
        image_id=image.id, of_server=True, former="active", host="host-1", offload=True,
    ))
    with sqlite.read() as session:
        assert instances.get(session, server).task_state == "shelving"


def test_shelve_obeys_the_lock(member, admin, sqlite, server):
    change(sqlite, server, locked_by="owner")
    assert action(member, server, "shelve", None).status == 409
    assert action(admin, server, "shelve", None).status == 202


def test_offloading_is_for_admins_and_shelved_servers(member, admin, sqlite, server):
    assert action(member, server, "shelveOffload", None).status == 403
    assert action(admin, server, "shelveOffload", None).status == 409
    change(sqlite, server, vm_state="shelved")
    assert action(admin, server, "shelveOffload", None).status == 202
    assert task_of(sqlite, server, OffloadState) == ("shelve_offload", OffloadState(host="host-1"))


def test_unshelve_where_it_is(member, sqlite, server):
    offloaded(sqlite, server)
    change(sqlite, server, vm_state="shelved", host="host-1", node="host-1")
    answer = action(member, server, "unshelve", {"availability_zone": "nova"})
    assert answer.status == 409
    assert "must be SHELVED_OFFLOADED" in answer.fault
    assert action(member, server, "unshelve", None).status == 202
    assert task_of(sqlite, server, UnshelveHereState) == ("unshelve_here", UnshelveHereState(image_id=SHELVED_IMAGE))


def test_unshelve_elsewhere_keeps_the_zone_it_is_pinned_to(member, sqlite, server):
    offloaded(sqlite, server, requested_zone="east")
    assert action(member, server, "unshelve", {"anything": 1}, "2.76").status == 202
    kind, state = task_of(sqlite, server, UnshelveState)
    assert (kind, state.image_id, state.zone, state.pins, state.requested_host) == ("unshelve", SHELVED_IMAGE, "east", False, None)


@pytest.fixture
def zones(sqlite):
    """Two hosts, one of them in zone east."""
    for number in (1, 2):
        sqlite.write(hosts.register_compute_node, inventory(f"host-{number}"))
        sqlite.write(hosts.report_service, host=f"host-{number}", binary="novalike-compute", topic="compute")
    east = sqlite.write(aggregates.create_aggregate, name="east", availability_zone="east", now=factories.NOW)
    sqlite.write(aggregates.add_host, east.id, "host-2", now=factories.NOW)


@pytest.mark.parametrize(("version", "body", "wanted"), [
    ("2.77", {"availability_zone": "east"}, ("east", True, None)),
    ("2.91", {"availability_zone": "east"}, ("east", True, None)),
    ("2.91", {"availability_zone": None}, (None, True, None)),
    ("2.91", {"availability_zone": None, "host": "host-1"}, (None, True, "host-1")),
    ("2.91", {"availability_zone": "east", "host": "host-2"}, ("east", True, "host-2")),
    ("2.91", {"host": "host-2"}, ("east", False, "host-2")),
])
def test_where_an_offloaded_server_goes(admin, sqlite, server, zones, version, body, wanted):
    offloaded(sqlite, server, requested_zone="east")
    answer = action(admin, server, "unshelve", body, version)
    assert answer.status == 202, answer.json
    _kind, state = task_of(sqlite, server, UnshelveState)
    assert (state.zone, state.pins, state.requested_host) == wanted


@pytest.mark.parametrize(("version", "body", "status", "words"), [
    ("2.77", {}, 400, ""), ("2.77", {"availability_zone": None}, 400, ""), ("2.77", {"host": "host-1"}, 400, ""),
    ("2.91", {"availability_zone": 1}, 400, ""), ("2.91", {"more": 1}, 400, ""),
    ("2.77", {"availability_zone": "west"}, 400, "The requested availability zone is not available"),
    ("2.91", {"host": "nobody"}, 400, "Compute host nobody could not be found."),
    ("2.91", {"host": "host-1"}, 409, 'Host "host-1" is not in the availability zone "east".'),
    ("2.91", {"host": "host-1", "availability_zone": "east"}, 409, 'Host "host-1" is not in the availability zone "east".'),
])
def test_where_it_cannot_go(admin, sqlite, server, zones, version, body, status, words):
    offloaded(sqlite, server, requested_zone="east")
    answer = action(admin, server, "unshelve", body, version)
    assert (answer.status, words in answer.fault) == (status, True), answer.json


def test_only_admins_choose_the_host(member, sqlite, server, zones):
    offloaded(sqlite, server)
    assert action(member, server, "unshelve", {"host": "host-1"}, "2.91").status == 403


def test_what_is_not_shelved_is_not_unshelved(member, server):
    answer = action(member, server, "unshelve", None)
    assert (answer.status, "Cannot 'unshelve' instance" in answer.fault) == (409, True)
