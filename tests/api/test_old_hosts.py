"""/os-hosts until 2.42."""

import pytest

from novalike.db import claims, hosts
from novalike.hardware.capacity import Ratios
from tests import factories_hosts as make
from tests.api.client import PROJECT
from tests.api.test_hosts import add_host, add_server


@pytest.fixture
def one(services):
    return add_host(services, "host1", vcpus=8, memory_mb=4096, local_gb=50)


def test_hosts_of_daemons(admin, services, one):
    [cell] = services.cells
    for binary in ("novalike-scheduler", "novalike-api"):
        cell.write(hosts.report_service, host="control", binary=binary, topic=binary.partition("-")[2])
    rows = [
        {"host_name": "host1", "service": "compute", "zone": "nova"}, {"host_name": "control", "service": "scheduler", "zone": "internal"},
    ]
    assert admin.get("/os-hosts").json == {"hosts": rows}
    assert admin.get("/os-hosts?zone=internal&color=blue").json == {"hosts": rows[1:]}
    admin.put("/os-hosts/host1", {"status": "disable"})
    assert admin.get("/os-hosts?zone=nova").json == {"hosts": []}


def test_resources(admin, services, one):
    [cell] = services.cells
    for project in (PROJECT, "0ther", PROJECT):
        server = add_server(services, None, project_id=project)
        spec = make.spec(server.uuid, flavor=make.flavor(vcpus=2, memory_mb=512, root_gb=3))
        cell.write(claims.claim, spec, node_id=1, availability_zone="nova", ratios=Ratios())
    shown = [row["resource"] for row in admin.at("2.42").get("/os-hosts/host1").json["host"]]
    assert [(r["project"], r["cpu"], r["memory_mb"], r["disk_gb"], r["host"]) for r in shown] == [
        ("(total)", 8, 4096, 50, "host1"), ("(used_now)", 6, 1536, 9, "host1"), ("(used_max)", 6, 1536, 9, "host1"),
        ("0ther", 2, 512, 3, "host1"), (PROJECT, 4, 1024, 6, "host1"),
    ]
    assert admin.get("/os-hosts/nowhere").status == 404


@pytest.mark.parametrize(("word", "status"), [("disable", "disabled"), ("Enable", "enabled")])
def test_enable_and_disable(admin, one, word, status):
    assert admin.put("/os-hosts/host1", {"status": word}).json == {"host": "host1", "status": status}
    assert admin.get("/os-services").json["services"][0]["status"] == status


def test_what_no_driver_can(admin, services, one):
    answer = admin.put("/os-hosts/host1", {"maintenance_mode": "enable", "status": "disable"})
    assert (answer.status, answer.fault) == (501, "Virt driver does not implement host maintenance mode.")
    assert admin.get("/os-services").json["services"][0]["status"] == "enabled", "nothing was changed"
    for word in ("reboot", "shutdown", "startup"):
        answer = admin.get(f"/os-hosts/host1/{word}")
        assert (answer.status, answer.fault) == (501, "Virt driver does not implement host power management.")
        assert admin.get(f"/os-hosts/nowhere/{word}").status == 404
    assert admin.at("2.11").put("/os-services/force-down", {"host": "host1", "binary": "nova-compute", "forced_down": True}).status == 200
    assert admin.get("/os-hosts/host1/reboot").status == 400


@pytest.mark.parametrize("body", [{}, {"status": "on"}, {"status": None}, {"maintenance_mode": "x"}, {"status": "enable", "x": 1}])
def test_malformed_changes(admin, one, body):
    assert admin.put("/os-hosts/host1", body).status == 400
    assert admin.put("/os-hosts/nowhere", {"status": "enable"}).status == 404


def test_for_administrators_until_2_42(admin, member, one):
    for path in ("/os-hosts", "/os-hosts/host1", "/os-hosts/host1/reboot"):
        assert member.get(path).status == 403
        assert admin.at("2.43").get(path).status == 404
