"""Which keys a server shows: to whom, since which microversion."""

from __future__ import annotations

from dataclasses import replace

import pytest

from novalike.db import hosts, instances
from novalike.objects.instance import Fault
from tests import factories
from tests.api.client import PROJECT, USER

ALWAYS = {
    "accessIPv4", "accessIPv6", "addresses", "config_drive", "created", "flavor", "hostId", "id", "image", "key_name", "links",
    "metadata", "name", "os-extended-volumes:volumes_attached", "progress", "security_groups", "status", "tenant_id", "updated",
    "user_id", "OS-DCF:diskConfig", "OS-EXT-AZ:availability_zone", "OS-EXT-STS:power_state", "OS-EXT-STS:task_state",
    "OS-EXT-STS:vm_state", "OS-SRV-USG:launched_at", "OS-SRV-USG:terminated_at",
}
ADDED = {
    (2, 9): {"locked"}, (2, 19): {"description"}, (2, 26): {"tags"}, (2, 63): {"trusted_image_certificates"}, (2, 71): {"server_groups"},
    (2, 73): {"locked_reason"}, (2, 90): {"OS-EXT-SRV-ATTR:hostname"}, (2, 96): {"pinned_availability_zone"}, (2, 100): {"scheduler_hints"},
}
FOR_ADMINS = {
    (2, 1): {"OS-EXT-SRV-ATTR:host", "OS-EXT-SRV-ATTR:hypervisor_hostname", "OS-EXT-SRV-ATTR:instance_name"},
    (2, 3): {f"OS-EXT-SRV-ATTR:{name}" for name in (
        "hostname", "kernel_id", "launch_index", "ramdisk_id", "reservation_id", "root_device_name", "user_data",
    )},
    (2, 16): {"host_status"},
}
#: Before 2.75, PUT answered less.
UPDATED = {
    "accessIPv4", "accessIPv6", "addresses", "created", "flavor", "hostId", "id", "image", "links", "metadata", "name", "progress",
    "status", "tenant_id", "updated", "user_id", "OS-DCF:diskConfig",
}
LIKE_2_75 = {"OS-EXT-SRV-ATTR:hostname", "host_status"}


def added(table, version):
    return {key for since, keys in table.items() if version >= since for key in keys}


@pytest.fixture
def server(sqlite):
    wanted = factories.instance(
        project_id=PROJECT, user_id=USER, image_ref="70a599e0-31e7-49b7-b260-868f441e862b", display_name="web",
        availability_zone="nova", network_info=(factories.vif("10.0.0.5", floating=("203.0.113.9",)), factories.vif("fd00::5", label="six")),
        flavor=factories.flavor(flavorid="7", name="m1.seven", vcpus=2, memory_mb=1024, root_gb=5, extra_specs={"hw:x": "1"}),
        image_properties={"os_type": "linux"},
    )
    return sqlite.write(instances.create, [wanted])[0]


@pytest.mark.parametrize("minor", sorted({104, *(
    minor for (_, changed) in [*ADDED, *FOR_ADMINS, (2, 47), (2, 75), (2, 98)] for minor in (changed - 1, changed) if minor
)}))
def test_keys_of_every_version(member, admin, server, minor):
    version = (2, minor)
    for caller, keys in (
        (member, ALWAYS | added(ADDED, version)), (admin, ALWAYS | added(ADDED, version) | added(FOR_ADMINS, version)),
    ):
        shown = caller.at(f"2.{minor}").get(f"/servers/{server.uuid}").json["server"]
        assert set(shown) == keys
        [row] = caller.at(f"2.{minor}").get("/servers/detail").json["servers"]
        assert set(row) == keys - {"server_groups"}
        updated = caller.at(f"2.{minor}").put(f"/servers/{server.uuid}", {"server": {"name": "web"}}).json["server"]
        assert set(updated) == (keys if minor >= 75 else UPDATED | (added(ADDED, version) - LIKE_2_75))


def test_values(member, server):
    shown = member.at("2.46").get(f"/servers/{server.uuid}").json["server"]
    assert shown["flavor"] == {"id": "7", "links": [{"rel": "bookmark", "href": "http://localhost/flavors/7"}]}
    assert shown["image"] == {
        "id": server.image_ref, "links": [{"rel": "bookmark", "href": f"http://localhost/images/{server.image_ref}"}],
    }
    assert shown["addresses"] == {
        "private": [
            {"version": 4, "addr": "10.0.0.5", "OS-EXT-IPS:type": "fixed", "OS-EXT-IPS-MAC:mac_addr": "fa:16:3e:00:00:01"},
            {"version": 4, "addr": "203.0.113.9", "OS-EXT-IPS:type": "floating", "OS-EXT-IPS-MAC:mac_addr": "fa:16:3e:00:00:01"},
        ],
        "six": [{"version": 6, "addr": "fd00::5", "OS-EXT-IPS:type": "fixed", "OS-EXT-IPS-MAC:mac_addr": "fa:16:3e:00:00:01"}],
    }
    assert (shown["created"], shown["updated"]) == ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z")
    assert (shown["OS-SRV-USG:launched_at"], shown["OS-SRV-USG:terminated_at"]) == ("2026-01-02T03:04:05.000000", None)
    assert len(shown["hostId"]) == 56
    assert (shown["accessIPv4"], shown["config_drive"], shown["OS-EXT-AZ:availability_zone"]) == ("", "", "nova")
    latest = member.at("2.104").get(f"/servers/{server.uuid}").json["server"]
    assert latest["flavor"] == {
        "vcpus": 2, "ram": 1024, "disk": 5, "ephemeral": 0, "swap": 0, "original_name": "m1.seven", "extra_specs": {"hw:x": "1"},
    }
    assert latest["image"]["properties"] == {"os_type": "linux"}


def test_fault_only_in_error_and_details_for_admins(member, admin, sqlite, server):
    def store(**values):
        fault = Fault(code=500, message="No valid host was found.", created=factories.NOW, details="who and where")
        return sqlite.write(instances.create, [replace(
            factories.instance(project_id=PROJECT, host=None, **values), fault=fault,
        )])[0].uuid
    uuid = store(vm_state="error")

    def fail(session):
        instances.record_fault(
            session, instances.lock(session, uuid), code=500, message="No valid host was found.", details="who and where", now=factories.NOW,
        )
    sqlite.write(fail)
    shown = member.get(f"/servers/{uuid}").json["server"]
    assert (shown["status"], shown["hostId"], "progress" in shown) == ("ERROR", "", False)
    assert shown["fault"] == {"code": 500, "created": "2026-01-02T03:04:05Z", "message": "No valid host was found."}
    assert admin.get(f"/servers/{uuid}").json["server"]["fault"]["details"] == "who and where"
    assert "fault" not in member.get(f"/servers/{server.uuid}").json["server"]


def test_host_status(admin, sqlite, server):
    def status():
        [row] = admin.at("2.16").get("/servers/detail").json["servers"]
        shown = admin.at("2.16").get(f"/servers/{server.uuid}").json["server"]
        assert row["host_status"] == shown["host_status"]
        return shown["host_status"]
    assert status() == "UNKNOWN"
    uuid = sqlite.write(hosts.report_service, host="host-1", binary="novalike-compute", topic="compute")
    assert status() == "UP"
    sqlite.write(hosts.update_service, uuid, down_after=60, forced_down=True)
    assert status() == "DOWN"
    sqlite.write(hosts.update_service, uuid, down_after=60, disabled=True)
    assert status() == "MAINTENANCE"


def test_update(member, stranger, sqlite, server):
    answer = member.at("2.94").put(f"/servers/{server.uuid}", {"server": {
        "name": "new", "description": "text", "hostname": "new.example.org", "accessIPv4": "192.0.2.7", "OS-DCF:diskConfig": "MANUAL",
    }})
    assert answer.status == 200
    shown = answer.json["server"]
    assert (shown["name"], shown["description"], shown["OS-EXT-SRV-ATTR:hostname"], shown["accessIPv4"], shown["OS-DCF:diskConfig"]) == (
        "new", "text", "new.example.org", "192.0.2.7", "MANUAL",
    )
    assert member.at("2.19").put(f"/servers/{server.uuid}", {"server": {"description": None}}).json["server"]["description"] is None
    for wrong in ({"name": ""}, {"hostname": "a"}, {"accessIPv6": "x"}, {"imageRef": "x"}, {"description": "x"}):
        assert member.put(f"/servers/{server.uuid}", {"server": wrong}).status == 400, wrong
    assert stranger.put(f"/servers/{server.uuid}", {"server": {"name": "theirs"}}).status == 404


def test_pinned_zone(member, server):
    latest = member.at("2.104")
    path = f"/servers/{server.uuid}"
    assert latest.put(path, {"server": {"pinned_availability_zone": "nova"}}).json["server"]["pinned_availability_zone"] == "nova"
    assert latest.put(path, {"server": {"pinned_availability_zone": "mars"}}).status == 400
    assert latest.put(path, {"server": {"pinned_availability_zone": None}}).json["server"]["pinned_availability_zone"] is None
    assert member.at("2.103").put(path, {"server": {"pinned_availability_zone": None}}).status == 400
