"""/os-migrations and /os-simple-tenant-usage: requests and answers."""

from datetime import timedelta

import pytest

from novalike.db import instances
from novalike.db.models.instances import MigrationRow
from novalike.objects.flavor import Flavor
from tests.api import client as clients
from tests.api.client import PROJECT, Client
from tests.factories_instances import NOW, instance

BASE = {
    "created_at", "dest_compute", "dest_host", "dest_node", "id", "instance_uuid", "new_instance_type_id",
    "old_instance_type_id", "source_compute", "source_node", "status", "updated_at",
}


def uuid(number):
    return f"00000000-0000-4000-8000-{number:012}"


def record(services, number, *, project=PROJECT, kind="resize", status="finished"):
    def add(session):
        session.add(MigrationRow(
            uuid=uuid(number), instance_uuid=uuid(100 + number), migration_type=kind, status=status, source_host="a",
            source_node="a", dest_host="b", dest_node="b", project_id=project, user_id="u", document={"old_flavor_id": 1},
            created_at=NOW + timedelta(minutes=number), updated_at=NOW + timedelta(minutes=number),
        ))
    next(iter(services.cells)).write(add)


@pytest.fixture
def manager(app):
    return Client(app, clients.context("manager", "member", "reader"))


@pytest.mark.parametrize(("version", "keys"), [
    ("2.1", BASE), ("2.23", BASE | {"migration_type"}), ("2.59", BASE | {"migration_type", "uuid"}),
    ("2.80", BASE | {"migration_type", "uuid", "project_id", "user_id"}),
])
def test_keys_of_every_version(admin, services, version, keys):
    assert admin.at(version).get("/os-migrations").json == {"migrations": []}
    record(services, 1)
    [shown] = admin.at(version).get("/os-migrations").json["migrations"]
    assert set(shown) == keys
    assert (shown["source_compute"], shown["dest_compute"], shown["old_instance_type_id"]) == ("a", "b", 1)


def test_running_live_migrations_are_linked(admin, services):
    record(services, 1, kind="live-migration", status="running")
    [shown] = admin.at("2.23").get("/os-migrations").json["migrations"]
    assert shown["links"][0]["href"].endswith(f"/v2.1/servers/{uuid(101)}/migrations/1")


def test_managers_see_their_project_without_hosts(manager, member, admin, services):
    record(services, 1)
    record(services, 2, project="other")
    assert member.get("/os-migrations").status == 403
    [shown] = manager.at("2.80").get("/os-migrations").json["migrations"]
    assert (shown["uuid"], shown["source_compute"], shown["dest_host"]) == (uuid(1), None, None)
    assert manager.at("2.80").get("/os-migrations?project_id=other").status == 403
    assert len(admin.get("/os-migrations").json["migrations"]) == 2
    assert len(admin.at("2.80").get("/os-migrations?project_id=other").json["migrations"]) == 1


def test_filters_and_pages(admin, services):
    for number in range(1, 4):
        record(services, number, status="finished" if number < 3 else "error")

    def shown(query, version="2.80"):
        return [m["id"] for m in admin.at(version).get(f"/os-migrations?{query}").json["migrations"]]
    assert shown("status=error") == shown("status=error", "2.1") == [3]
    assert shown("host=b&source_compute=a&migration_type=resize") == [3, 2, 1]
    assert shown(f"instance_uuid={uuid(102)}") == [2]
    assert shown("changes-since=2026-11-21T12:02:00Z") == [3, 2]
    assert shown("changes-before=2026-11-21T12:01:00") == [1]
    page = admin.at("2.59").get("/os-migrations?limit=2").json
    assert [m["id"] for m in page["migrations"]] == [3, 2]
    assert page["migrations_links"][0]["href"].endswith(f"/os-migrations?limit=2&marker={uuid(2)}")
    assert shown(f"limit=2&marker={uuid(2)}") == [1]


@pytest.mark.parametrize("query", [
    "limit=-1", "marker=x", f"marker={uuid(9)}", "changes-since=yesterday", "color=blue", "limit=1&limit=2",
    "changes-since=2026-11-21T12:02:00&changes-before=2026-11-21T12:01:00",
])
def test_wrong_queries(admin, query):
    answer = admin.at("2.80").get(f"/os-migrations?{query}")
    assert (answer.status, query.split("=")[0] in answer.fault) == (400, True)
    assert admin.at("2.58").get("/os-migrations?color=blue").status == 200


# --- usage


def run(services, number, *, hours, project=PROJECT, ended=None):
    flavor = Flavor(flavorid="1", name="m1", vcpus=2, memory_mb=512, root_gb=3, ephemeral_gb=1)
    made = instance(
        uuid=uuid(number), project_id=project, flavor=flavor, vm_state="active", launched_at=NOW - timedelta(hours=hours),
        terminated_at=ended, deleted=ended is not None,
    )
    next(iter(services.cells)).write(instances.create, [made])


PERIOD = "start=2026-11-21T00:00:00&end=2026-11-21T12:00:00"


def test_usage_of_a_project(reader, services):
    run(services, 1, hours=2)
    run(services, 2, hours=24)
    run(services, 3, hours=4, ended=NOW - timedelta(hours=3))
    run(services, 4, hours=100, ended=NOW - timedelta(hours=50))
    usage = reader.get(f"/os-simple-tenant-usage/{PROJECT}?{PERIOD}").json["tenant_usage"]
    assert usage["total_hours"] == 2 + 12 + 1
    assert (usage["total_vcpus_usage"], usage["total_memory_mb_usage"], usage["total_local_gb_usage"]) == (30, 15 * 512, 60)
    assert (usage["start"], usage["stop"]) == ("2026-11-21T00:00:00.000000", "2026-11-21T12:00:00.000000")
    first, _, third = usage["server_usages"]
    assert set(first) == {
        "ended_at", "flavor", "hours", "instance_id", "local_gb", "memory_mb", "name", "started_at", "state", "tenant_id",
        "uptime", "vcpus",
    }
    assert (first["flavor"], first["state"], first["ended_at"]) == ("m1", "active", None)
    assert (third["state"], third["uptime"], third["hours"]) == ("terminated", 3600, 1)


def test_usage_of_all_projects(admin, reader, services):
    run(services, 1, hours=1)
    run(services, 2, hours=2, project="other")
    rows = admin.get(f"/os-simple-tenant-usage?{PERIOD}").json["tenant_usages"]
    assert [(row["tenant_id"], row["total_hours"], "server_usages" in row) for row in rows] == [
        (PROJECT, 1.0, False), ("other", 2.0, False),
    ]
    detailed = admin.get(f"/os-simple-tenant-usage?{PERIOD}&detailed=1").json["tenant_usages"]
    assert [len(row["server_usages"]) for row in detailed] == [1, 1]
    assert reader.get("/os-simple-tenant-usage").status == 403
    assert reader.get("/os-simple-tenant-usage/other").status == 403


def test_usage_of_nothing(reader):
    assert reader.get(f"/os-simple-tenant-usage/{PROJECT}").json == {"tenant_usage": {}}


def test_usage_is_paged_from_2_40(reader, services):
    for number in range(1, 4):
        run(services, number, hours=number)
    path = f"/os-simple-tenant-usage/{PROJECT}?{PERIOD}&limit=2"
    first = reader.at("2.40").get(path).json
    assert len(first["tenant_usage"]["server_usages"]) == 2
    assert first["tenant_usage_links"][0]["href"].endswith(f"marker={uuid(2)}")
    rest = reader.at("2.40").get(f"{path}&marker={uuid(2)}").json
    assert [s["instance_id"] for s in rest["tenant_usage"]["server_usages"]] == [uuid(3)]
    assert len(reader.at("2.39").get(path).json["tenant_usage"]["server_usages"]) == 3


@pytest.mark.parametrize("query", ["start=yesterday", "end=x", "start=2026-11-22&end=2026-11-21", "limit=-1", "marker=x", "color=1"])
def test_wrong_periods(reader, query):
    assert reader.at("2.75").get(f"/os-simple-tenant-usage/{PROJECT}?{query}").status == 400
