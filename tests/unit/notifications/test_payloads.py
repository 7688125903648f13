"""Payloads as Nova's listeners expect them. The field lists are those of Nova's published samples."""

from __future__ import annotations

import base64
import json

import pytest

from novalike.notifications import events, objects, unversioned
from novalike.objects.aggregate import Aggregate
from novalike.objects.block_device import BlockDevice
from novalike.objects.host import Service
from novalike.objects.notification import Failure, Sight
from novalike.objects.server_group import ServerGroup
from novalike.objects.tasks import Caller
from tests.factories import NOW, flavor, instance, vif

CALLER = Caller(user_id="u9", project_id="p9", request_id="req-1")
NOBODY = Caller(user_id="", project_id="", request_id="req-2")
INSTANCE = {
    "architecture", "availability_zone", "block_devices", "created_at", "deleted_at", "display_name", "display_description", "host",
    "host_name", "ip_addresses", "kernel_id", "key_name", "launched_at", "image_uuid", "metadata", "locked", "node", "os_type",
    "progress", "ramdisk_id", "reservation_id", "state", "task_state", "power_state", "tenant_id", "terminated_at",
    "auto_disk_config", "flavor", "updated_at", "user_id", "uuid", "request_id", "action_initiator_user",
    "action_initiator_project", "locked_reason", "shares",
}


def action(name="InstanceActionPayload", *, caller=CALLER, failure=None, extra=None, disks=None, **values):
    sight = Sight(instance=instance(**values), disks=disks)
    return objects.action(name, sight, caller, failure, extra or {}, origin="create")


@pytest.mark.parametrize(("name", "version", "more"), [
    ("InstanceActionPayload", "1.9", set()),
    ("InstanceCreatePayload", "1.13", {"keypairs", "tags", "trusted_image_certificates", "instance_name"}),
    ("InstanceActionVolumePayload", "1.7", {"volume_id"}),
    ("InstanceActionVolumeSwapPayload", "1.9", {"old_volume_id", "new_volume_id"}),
    ("InstanceActionSnapshotPayload", "1.10", {"snapshot_image_id"}),
    ("InstanceActionRescuePayload", "1.4", {"rescue_image_ref"}),
    ("InstanceActionRebuildPayload", "1.10", {"trusted_image_certificates"}),
    ("InstanceActionResizePrepPayload", "1.4", {"new_flavor"}),
])
def test_each_payload_has_novas_name_version_and_fields(name, version, more):
    payload = action(name)
    assert {key: payload[f"nova_object.{key}"] for key in ("name", "namespace", "version")} == {
        "name": name, "namespace": "nova", "version": version,
    }
    assert set(payload["nova_object.data"]) == INSTANCE | {"fault"} | more
    json.dumps(payload)


def test_every_event_has_a_payload_with_a_version():
    assert {event.payload for event in events.EVENTS.values()} <= set(objects.VERSIONS)
    assert set(events.OF_ACTION.values()) | set(events.OF_TASK.values()) | set(events.OF_STEP.values()) <= set(events.EVENTS)


def test_values_are_as_nova_writes_them():
    data = action(
        vm_state="stopped", task_state="powering-on", power_state=4, locked_by="owner", locked_reason="mine", auto_disk_config=False,
        description="d", terminated_at=NOW, deleted=True, tags=("a",),
    )["nova_object.data"]
    assert (data["state"], data["task_state"], data["power_state"]) == ("stopped", "powering-on", "shutdown")
    assert (data["locked"], data["locked_reason"], data["auto_disk_config"]) == (True, "mine", "MANUAL")
    assert data["created_at"] == data["deleted_at"] == "2026-01-02T03:04:05Z"
    assert (data["action_initiator_user"], data["action_initiator_project"], data["request_id"]) == ("u9", "p9", "req-1")
    assert data["flavor"]["nova_object.version"] == "1.4"


def test_what_nobody_asked_for_has_no_request_and_no_initiator():
    data = action(caller=NOBODY)["nova_object.data"]
    assert (data["action_initiator_user"], data["action_initiator_project"], data["request_id"]) == (None, None, None)


def test_addresses_and_volumes():
    disk = BlockDevice(uuid="b", source_type="volume", destination_type="volume", device_name="/dev/vdb", volume_id="v1")
    local = BlockDevice(uuid="c", source_type="image", destination_type="local", boot_index=0)
    data = action(network_info=(vif("10.0.0.5", tap="tap1"),), disks=(local, disk))["nova_object.data"]
    assert [ip["nova_object.data"]["address"] for ip in data["ip_addresses"]] == ["10.0.0.5"]
    assert data["ip_addresses"][0]["nova_object.data"]["device_name"] == "tap1"
    assert [one["nova_object.data"]["volume_id"] for one in data["block_devices"]] == ["v1"], "volumes only, as in Nova"
    assert action(disks=None)["nova_object.data"]["block_devices"] is None


def test_a_failure_is_an_exception_payload():
    fault = action(failure=Failure(message="no room", details="Traceback"))["nova_object.data"]["fault"]
    assert fault["nova_object.name"] == "ExceptionPayload"
    assert set(fault["nova_object.data"]) == {"function_name", "module_name", "exception", "exception_message", "traceback"}
    assert fault["nova_object.data"]["exception_message"] == "no room"


def test_a_new_server_is_told_with_its_key():
    key = f"ssh-ed25519 {base64.b64encode(b'no key').decode()} me"
    (told,) = action("InstanceCreatePayload", key_name="k", key_data=key)["nova_object.data"]["keypairs"]
    assert told["nova_object.data"]["fingerprint"].count(":") == 15


def test_update_says_what_changed():
    before = instance(vm_state="building", task_state="spawning", display_name="old")
    payload = objects.update(Sight(instance=instance(display_name="new")), before, CALLER, period=(NOW, NOW))
    data = payload["nova_object.data"]
    assert payload["nova_object.version"] == "2.1"
    assert set(data) == INSTANCE | {"audit_period", "old_display_name", "state_update", "tags"}
    assert data["state_update"]["nova_object.data"] == {
        "old_state": "building", "state": "active", "old_task_state": "spawning", "new_task_state": None,
    }
    assert data["old_display_name"] == "old"


def test_resources_have_novas_fields():
    group = objects.server_group(ServerGroup(uuid="g", name="n", project_id="p", user_id="u", policy="affinity"))
    service = objects.service(Service(id=1, uuid="s", host="h", binary="novalike-compute", topic="compute", up=True), "nova-compute")
    aggregate = objects.aggregate(Aggregate(id=1, uuid="a", name="n"))
    assert set(group["nova_object.data"]) == {
        "uuid", "name", "project_id", "user_id", "policies", "policy", "rules", "members", "hosts",
    }
    assert set(service["nova_object.data"]) == {
        "host", "disabled", "last_seen_up", "binary", "topic", "disabled_reason", "report_count", "forced_down", "version",
        "availability_zone", "uuid",
    }
    assert set(aggregate["nova_object.data"]) == {"id", "uuid", "name", "hosts", "metadata"}
    assert set(objects.flavor(flavor())["nova_object.data"]) == {
        "flavorid", "name", "root_gb", "vcpus", "ephemeral_gb", "memory_mb", "disabled", "rxtx_factor", "extra_specs", "projects",
        "swap", "is_public", "vcpu_weight", "description",
    }


def test_the_flat_form_is_what_ceilometer_reads():
    server = instance(network_info=(vif("10.0.0.5"),), image_ref="img", flavor=flavor(root_gb=3, ephemeral_gb=2), progress=0)
    flat = unversioned.instance(Sight(instance=server), image_url="http://images/")
    assert {
        "tenant_id", "user_id", "instance_id", "display_name", "reservation_id", "hostname", "instance_type", "instance_type_id",
        "instance_flavor_id", "architecture", "memory_mb", "disk_gb", "vcpus", "root_gb", "ephemeral_gb", "host", "node",
        "availability_zone", "cell_name", "created_at", "terminated_at", "deleted_at", "launched_at", "image_ref_url", "os_type",
        "kernel_id", "ramdisk_id", "state", "state_description", "progress", "access_ip_v4", "access_ip_v6", "image_meta",
        "metadata", "fixed_ips",
    } == set(flat)
    assert (flat["disk_gb"], flat["image_ref_url"], flat["progress"]) == (5, "http://images/images/img", "")
    assert flat["launched_at"] == "2026-01-02T03:04:05.000000"
    assert flat["fixed_ips"][0]["address"] == "10.0.0.5"
