"""/os-services, /os-hypervisors and /os-availability-zone: requests and answers."""

import pytest
import sqlalchemy as sa

from novalike.db import aggregates, hosts, instances
from novalike.objects.host import HostUsage
from tests.factories_hosts import inventory
from tests.factories_instances import instance

ALL_KEYS = {
    "cpu_info", "current_workload", "disk_available_least", "free_disk_gb", "free_ram_mb", "host_ip", "hypervisor_hostname",
    "hypervisor_type", "hypervisor_version", "id", "local_gb", "local_gb_used", "memory_mb", "memory_mb_used", "running_vms",
    "service", "state", "status", "vcpus", "vcpus_used",
}


def add_host(services, name, **changes):
    """Register a compute host and answer the uuid of its service."""
    [cell] = services.cells
    uuid = cell.write(hosts.report_service, host=name, binary="novalike-compute", topic="compute")
    cell.write(hosts.register_compute_node, inventory(name, **changes))
    cell.write(hosts.report_usage, name, f"{name}.example.org", HostUsage(uptime="up 5 days", disk_available_least=7))
    return uuid


def add_server(services, host, **changes):
    [cell] = services.cells
    made = instance(host=host, node=f"{host}.example.org", **changes)
    return cell.write(instances.create, [made])[0]


@pytest.fixture
def one(services):
    return add_host(services, "host1", reserved_memory_mb=384)


# --- services


def test_services_of_every_version(admin, services, one):
    for binary in ("novalike-scheduler", "novalike-conductor", "novalike-api"):
        next(iter(services.cells)).write(hosts.report_service, host="control", binary=binary, topic="x")
    first = admin.get("/os-services").json["services"]
    assert [(s["binary"], s["zone"]) for s in first] == [
        ("nova-compute", "nova"), ("nova-scheduler", "internal"), ("nova-conductor", "internal"),
    ]
    keys = {"binary", "disabled_reason", "host", "id", "state", "status", "updated_at", "zone"}
    assert set(first[0]) == keys
    assert (first[0]["id"], first[0]["state"], first[0]["status"], first[0]["disabled_reason"]) == (1, "up", "enabled", None)
    [newest] = admin.at("2.53").get("/os-services?binary=nova-compute&host=host1").json["services"]
    assert set(newest) == keys | {"forced_down"}
    assert newest["id"] == one
    assert admin.get("/os-services?host=nowhere").json == {"services": []}


def test_old_updates(admin, one):
    of = {"host": "host1", "binary": "nova-compute"}
    assert admin.put("/os-services/disable", of).json == {"service": {**of, "status": "disabled"}}
    reason = admin.put("/os-services/disable-log-reason", {**of, "disabled_reason": "disk"})
    assert reason.json == {"service": {**of, "status": "disabled", "disabled_reason": "disk"}}
    assert admin.put("/os-services/enable", of).json == {"service": {**of, "status": "enabled"}}
    assert admin.get("/os-services").json["services"][0]["disabled_reason"] is None
    forced = admin.at("2.11").put("/os-services/force-down", {**of, "forced_down": True})
    assert forced.json == {"service": {**of, "forced_down": True}}
    assert admin.get("/os-services").json["services"][0]["state"] == "down"


@pytest.mark.parametrize(("version", "path", "body", "status", "word"), [
    ("2.1", "enable", {"host": "host1"}, 400, "binary"),
    ("2.1", "enable", {"host": "a b", "binary": "nova-compute"}, 400, "host"),
    ("2.1", "enable", {"host": "host1", "binary": "nova-scheduler"}, 400, "nova-scheduler"),
    ("2.1", "enable", {"host": "host9", "binary": "nova-compute"}, 404, "host9"),
    ("2.1", "disable-log-reason", {"host": "host1", "binary": "nova-compute"}, 400, "disabled_reason"),
    ("2.1", "force-down", {"host": "host1", "binary": "nova-compute", "forced_down": True}, 404, ""),
    ("2.11", "force-down", {"host": "host1", "binary": "nova-compute", "forced_down": "maybe"}, 400, "forced_down"),
    ("2.53", "enable", {"host": "host1", "binary": "nova-compute"}, 404, ""),
])
def test_wrong_old_updates(admin, one, version, path, body, status, word):
    answer = admin.at(version).put(f"/os-services/{path}", body)
    assert (answer.status, word in answer.fault) == (status, True), answer.json


def test_update_by_uuid(admin, one):
    newest = admin.at("2.53")
    answer = newest.put(f"/os-services/{one}", {"status": "disabled", "disabled_reason": "disk", "forced_down": True})
    shown = answer.json["service"]
    assert (shown["status"], shown["disabled_reason"], shown["forced_down"], shown["state"]) == ("disabled", "disk", True, "down")
    shown = newest.put(f"/os-services/{one}", {"status": "enabled"}).json["service"]
    assert (shown["status"], shown["disabled_reason"], shown["forced_down"]) == ("enabled", None, True)


@pytest.mark.parametrize(("body", "word"), [
    ({}, "status"), ({"status": "asleep"}, "status"), ({"disabled_reason": "x"}, "disabled_reason"),
    ({"status": "enabled", "disabled_reason": "x"}, "disabled_reason"), ({"status": "disabled", "disabled_reason": ""}, "disabled_reason"),
    ({"forced_down": "maybe"}, "forced_down"), ({"host": "host1"}, "host"),
])
def test_wrong_updates_are_refused_by_name(admin, one, body, word):
    answer = admin.at("2.53").put(f"/os-services/{one}", body)
    assert (answer.status, word in answer.fault) == (400, True)


def test_ids_of_services(admin, services, one):
    scheduler = next(iter(services.cells)).write(hosts.report_service, host="c", binary="novalike-scheduler", topic="x")
    newest = admin.at("2.53")
    assert newest.put("/os-services/1", {"status": "disabled"}).status == 400
    assert newest.put(f"/os-services/{scheduler}", {"status": "disabled"}).status == 400
    assert newest.put("/os-services/00000000-0000-4000-8000-000000000000", {"status": "disabled"}).status == 404
    assert newest.delete("/os-services/1").status == 400
    assert admin.at("2.52").delete(f"/os-services/{one}").status == 400
    assert admin.at("2.52").delete("/os-services/99").status == 404
    assert admin.at("2.52").delete("/os-services/1").status == 204
    assert newest.delete(f"/os-services/{one}").status == 404


def test_a_service_with_servers_stays(admin, services, one):
    add_server(services, "host1")
    answer = admin.at("2.53").delete(f"/os-services/{one}")
    assert (answer.status, "hosting instances" in answer.fault) == (409, True)


def test_a_deleted_host_leaves_its_aggregates(admin, services, one):
    shared, now = services.cells.shared, services.clock.now()
    made = shared.write(aggregates.create_aggregate, name="a", now=now)
    shared.write(aggregates.add_host, made.id, "host1", now=now)
    assert admin.at("2.53").delete(f"/os-services/{one}").status == 204
    assert admin.get("/os-hypervisors").json == {"hypervisors": []}
    with shared.read() as session:
        assert aggregates.get_aggregate(session, made.id).hosts == ()


# --- hypervisors


@pytest.mark.parametrize(("version", "keys"), [("2.1", ALL_KEYS), ("2.87", ALL_KEYS), ("2.88", {
    "host_ip", "hypervisor_hostname", "hypervisor_type", "hypervisor_version", "id", "service", "state", "status", "uptime",
})])
def test_keys_of_hypervisors(admin, one, version, keys):
    [shown] = admin.at(version).get("/os-hypervisors/detail").json["hypervisors"]
    assert set(shown) == keys
    assert set(admin.at(version).get(f"/os-hypervisors/{shown['id']}").json["hypervisor"]) == keys
    [brief] = admin.at(version).get("/os-hypervisors").json["hypervisors"]
    assert set(brief) == {"id", "hypervisor_hostname", "state", "status"}


def test_forms_of_ids_and_cpu_info(admin, one):
    def shown(version):
        return admin.at(version).get("/os-hypervisors/detail").json["hypervisors"][0]
    assert (shown("2.52")["id"], shown("2.52")["service"]["id"]) == (1, 1)
    assert shown("2.53")["service"]["id"] == one
    assert isinstance(shown("2.27")["cpu_info"], str)
    assert shown("2.28")["cpu_info"]["vendor"] == "AMD"
    assert shown("2.88")["uptime"] == "up 5 days"


def test_used_numbers_come_from_claims_and_reservations(admin, services, one):
    [shown] = admin.get("/os-hypervisors/detail").json["hypervisors"]
    assert (shown["memory_mb"], shown["memory_mb_used"], shown["free_ram_mb"]) == (16384, 384, 16000)
    assert (shown["local_gb"], shown["free_disk_gb"], shown["disk_available_least"]) == (100, 100, 7)


def test_wrong_ids_of_hypervisors(admin, one):
    assert admin.at("2.52").get("/os-hypervisors/9").status == 404
    assert admin.at("2.52").get("/os-hypervisors/abc").status == 404
    assert admin.at("2.53").get("/os-hypervisors/1").status == 400
    assert admin.at("2.53").get("/os-hypervisors/00000000-0000-4000-8000-000000000000").status == 404


def test_hypervisors_by_pattern(admin, services, one):
    add_host(services, "other2")
    assert [h["hypervisor_hostname"] for h in admin.get("/os-hypervisors/host/search").json["hypervisors"]] == ["host1.example.org"]
    assert admin.get("/os-hypervisors/nothing/search").status == 404
    assert admin.get("/os-hypervisors/nothing/servers").status == 404
    newest = admin.at("2.53")
    assert len(newest.get("/os-hypervisors?hypervisor_hostname_pattern=other").json["hypervisors"]) == 1
    assert newest.get("/os-hypervisors?hypervisor_hostname_pattern=nothing").status == 404
    assert newest.get("/os-hypervisors?hypervisor_hostname_pattern=host&limit=1").status == 400
    assert newest.get("/os-hypervisors/host/search").status == 404
    assert len(admin.at("2.52").get("/os-hypervisors?hypervisor_hostname_pattern=other").json["hypervisors"]) == 2


def test_servers_of_hypervisors(admin, services, one):
    server = add_server(services, "host1")
    add_host(services, "host2")
    expected = [{"uuid": server.uuid, "name": f"instance-{server.id:08x}"}]

    def servers(version, path):
        return [h.get("servers") for h in admin.at(version).get(path).json["hypervisors"]]
    assert servers("2.1", "/os-hypervisors/host/servers") == [expected, None]
    assert servers("2.53", "/os-hypervisors?with_servers=true") == [expected, None]
    assert servers("2.75", "/os-hypervisors/detail?with_servers=1") == [expected, []]
    assert servers("2.75", "/os-hypervisors") == [None, None]
    uuid = admin.at("2.75").get("/os-hypervisors").json["hypervisors"][0]["id"]
    assert admin.at("2.75").get(f"/os-hypervisors/{uuid}?with_servers=true").json["hypervisor"]["servers"] == expected


def test_hypervisors_are_paged_from_2_33(admin, services):
    for number in range(3):
        add_host(services, f"host{number}")
    page = admin.at("2.33").get("/os-hypervisors?limit=2").json
    assert [h["id"] for h in page["hypervisors"]] == [1, 2]
    assert page["hypervisors_links"] == [{"rel": "next", "href": "http://localhost/v2.1/os-hypervisors?limit=2&marker=2"}]
    assert [h["id"] for h in admin.at("2.33").get("/os-hypervisors?limit=2&marker=2").json["hypervisors"]] == [3]
    newest = admin.at("2.53").get("/os-hypervisors/detail?limit=1").json
    follow = newest["hypervisors_links"][0]["href"].split("/v2.1", 1)[1]
    assert admin.at("2.53").get(follow).json["hypervisors"][0]["hypervisor_hostname"] == "host1.example.org"
    assert admin.at("2.33").get("/os-hypervisors?marker=99").status == 400
    assert admin.at("2.53").get("/os-hypervisors?marker=nope").status == 400
    assert len(admin.at("2.32").get("/os-hypervisors?limit=1").json["hypervisors"]) == 3


def test_statistics_and_uptime(admin, services, one):
    add_host(services, "host2")
    sums = admin.get("/os-hypervisors/statistics").json["hypervisor_statistics"]
    assert (sums["count"], sums["vcpus"], sums["memory_mb_used"]) == (2, 16, 384)
    assert admin.get("/os-hypervisors/1/uptime").json["hypervisor"] == {
        "id": 1, "hypervisor_hostname": "host1.example.org", "state": "up", "status": "enabled", "uptime": "up 5 days",
    }
    admin.at("2.53").put(f"/os-services/{one}", {"forced_down": True})
    assert admin.get("/os-hypervisors/1/uptime").status == 400
    assert admin.at("2.88").get("/os-hypervisors/statistics").status == 404
    assert admin.at("2.88").get("/os-hypervisors/1/uptime").status == 404


@pytest.mark.parametrize("query", ["with_servers=maybe", "with_servers=1&with_servers=1", "hypervisor_hostname_pattern=a/b", "color=1"])
def test_wrong_queries_of_hypervisors(admin, query):
    answer = admin.at("2.53").get(f"/os-hypervisors?{query}")
    assert (answer.status, query.split("=")[0] in answer.fault) == (400, True)


def test_queries_do_not_grow_with_hosts(admin, services):
    counted = []
    [cell] = services.cells
    sa.event.listen(cell._reader, "before_cursor_execute", lambda *arguments: counted.append(arguments[2]))

    def cost():
        counted.clear()
        assert admin.at("2.75").get("/os-hypervisors/detail?with_servers=true").status == 200
        return len(counted)
    add_host(services, "host0")
    first = cost()
    for number in range(1, 6):
        add_host(services, f"host{number}")
    assert cost() == first <= 6


# --- zones


def test_zones(member, admin, services, one):
    second = add_host(services, "host2")
    shared, now = services.cells.shared, services.clock.now()
    made = shared.write(aggregates.create_aggregate, name="a", now=now, availability_zone="east")
    shared.write(aggregates.add_host, made.id, "host2", now=now)
    next(iter(services.cells)).write(hosts.report_service, host="control", binary="novalike-scheduler", topic="x")
    assert member.get("/os-availability-zone").json == {"availabilityZoneInfo": [
        {"zoneName": "east", "zoneState": {"available": True}, "hosts": None},
        {"zoneName": "nova", "zoneState": {"available": True}, "hosts": None},
    ]}
    admin.at("2.53").put(f"/os-services/{second}", {"status": "disabled"})
    east = member.get("/os-availability-zone").json["availabilityZoneInfo"][0]
    assert east["zoneState"] == {"available": False}
    detail = admin.get("/os-availability-zone/detail").json["availabilityZoneInfo"]
    assert [(z["zoneName"], sorted(z["hosts"] or [])) for z in detail] == [("east", []), ("internal", ["control"]), ("nova", ["host1"])]
    service = detail[2]["hosts"]["host1"]["nova-compute"]
    assert (service["active"], service["available"]) == (True, True)


def test_hosts_are_the_administrators_business(member):
    for path in ("/os-services", "/os-hypervisors", "/os-hypervisors/detail", "/os-availability-zone/detail"):
        assert member.get(path).status == 403, path
