"""Ports, volumes and diagnostics of servers: requests and answers, with fake hosts behind."""

from __future__ import annotations

import uuid

import pytest

from novalike.db import instances
from novalike.exception import AddressInUse, Conflict, NotFound, OverQuota
from novalike.objects.network_info import RequestedNetwork
from novalike.virt.fake.faults import Fault
from tests.api import client
from tests.laws.api_cloud import ApiCloud

MISSING = "99999999-9999-4999-8999-999999999999"
NETWORK = "77777777-7777-4777-8777-777777777777"


@pytest.fixture
def cloud(tmp_path):
    made = ApiCloud(tmp_path)
    yield made
    made.close()


@pytest.fixture
def networks(cloud):
    """What the network service says at accept; a test puts an error in."""
    class Checks:
        error: Exception | None = None
        several = False

        def __call__(self, ctxt, requested, *, count, security_groups=()):
            if self.error is not None:
                raise self.error
            if requested is None:
                if self.several:
                    raise Conflict("Multiple possible networks found, use a Network ID to be more specific.")
                return (RequestedNetwork(network_id=NETWORK),)
            return requested
    cloud.services.networks.validate = Checks()
    return cloud.services.networks.validate


@pytest.fixture
def server(cloud) -> str:
    return cloud.boot()


@pytest.fixture
def volume(cloud) -> str:
    return cloud.cloud.volumes.make(project_id=client.PROJECT)


def facts(cloud, server):
    return cloud.cloud.hosts[cloud.server(server).host].hypervisor.guest(server).facts


# ---- ports


def test_a_port_is_attached_before_the_answer(cloud, networks, server):
    answer = cloud.member.at("2.70").post(f"/servers/{server}/os-interface", {"interfaceAttachment": {"net_id": NETWORK, "tag": "one"}})
    assert answer.status == 200, answer.json
    shown = answer.json["interfaceAttachment"]
    assert set(shown) == {"port_id", "port_state", "net_id", "mac_addr", "fixed_ips", "tag"}
    assert (shown["net_id"], shown["tag"], shown["port_state"]) == (NETWORK, "one", "ACTIVE")
    assert set(shown["fixed_ips"][0]) == {"subnet_id", "ip_address"}
    assert facts(cloud, server)["macs"] == [shown["mac_addr"]]
    assert cloud.member.at("2.1").get(f"/servers/{server}/os-interface").json == {
        "interfaceAttachments": [{key: value for key, value in shown.items() if key != "tag"}],
    }
    one = f"/servers/{server}/os-interface/{shown['port_id']}"
    assert cloud.member.at("2.70").get(one).json == {"interfaceAttachment": shown}
    assert cloud.member.get(f"/servers/{server}").json["server"]["addresses"]["net"][0]["addr"] == shown["fixed_ips"][0]["ip_address"]
    assert cloud.member.delete(one).status == 202
    cloud.cloud.settle()
    assert facts(cloud, server)["macs"] == []
    assert cloud.member.get(one).status == 404
    assert cloud.member.delete(one).status == 404


def test_nothing_named_is_the_projects_network(cloud, networks, server):
    answer = cloud.member.at("2.49").post(f"/servers/{server}/os-interface", {"interfaceAttachment": {"tag": "t"}})
    assert answer.json["interfaceAttachment"]["net_id"] == NETWORK
    networks.several = True
    answer = cloud.member.post(f"/servers/{server}/os-interface", {})
    assert (answer.status, answer.fault.split(",")[0]) == (400, "Multiple possible networks found")


@pytest.mark.parametrize(("body", "version", "fault"), [
    ({"net_id": NETWORK, "port_id": MISSING}, "2.1", "Must not input both network_id and port_id"),
    ({"fixed_ips": [{"ip_address": "10.0.0.9"}]}, "2.1", "Must input network_id when request IP address"),
    ({"net_id": NETWORK, "tag": "a"}, "2.48", "tag"),
    ({"net_id": NETWORK, "fixed_ips": [{"ip_address": "10.0.0.9"}, {"ip_address": "10.0.0.10"}]}, "2.1", "fixed_ips"),
    ({"net_id": "x"}, "2.1", "net_id"),
    ({"more": 1}, "2.1", "more"),
])
def test_bad_requests_for_a_port(cloud, networks, server, body, version, fault):
    answer = cloud.member.at(version).post(f"/servers/{server}/os-interface", {"interfaceAttachment": body})
    assert answer.status == 400
    assert fault in answer.fault


@pytest.mark.parametrize(("error", "status"), [
    (NotFound(f"Network {MISSING} could not be found."), 404), (Conflict(f"Port {MISSING} is still in use."), 409),
    (AddressInUse("Fixed IP address 10.0.0.9 is already in use."), 409), (OverQuota("Maximum number of ports exceeded"), 403),
])
def test_the_network_service_refuses(cloud, networks, server, error, status):
    networks.error = error
    answer = cloud.member.post(f"/servers/{server}/os-interface", {"interfaceAttachment": {"net_id": MISSING}})
    assert (answer.status, answer.fault) == (status, str(error))


def test_why_a_port_could_not_be_attached_is_told(cloud, networks, server):
    for host in cloud.cloud.hosts.values():
        host.break_down(Fault(operation="attach_interface", error="No more slots."))
    answer = cloud.member.post(f"/servers/{server}/os-interface", {"interfaceAttachment": {"net_id": NETWORK}})
    assert (answer.status, "No more slots." in answer.fault) == (500, True), answer.json
    assert cloud.member.get(f"/servers/{server}/os-interface").json == {"interfaceAttachments": []}


def test_what_the_network_service_finds_only_when_it_makes_the_port(cloud, networks, server):
    def attach():
        return cloud.member.post(f"/servers/{server}/os-interface", {"interfaceAttachment": {"net_id": NETWORK}})
    cloud.cloud.ports.full = True
    assert (attach().status, attach().fault) == (400, "No more IP addresses available on network net.")
    cloud.cloud.ports.full, cloud.cloud.ports.refusing = False, set(cloud.cloud.hosts)
    answer = attach()
    assert answer.status == 500
    assert answer.fault.startswith(f"Failed to attach network adapter device to {server}: Binding failed for port")
    assert cloud.member.get(f"/servers/{server}/os-interface").json == {"interfaceAttachments": []}


def test_states_locks_and_strangers(cloud, networks, server, volume):
    other = client.Client(cloud.member.app, client.context(project="0ther", user="other"), version="2.95")
    reader = client.Client(cloud.member.app, client.context("reader"), version="2.95")
    for path, body in (
        ("os-interface", {"interfaceAttachment": {"net_id": NETWORK}}), ("os-volume_attachments", {"volumeAttachment": {"volumeId": volume}}),
    ):
        assert other.get(f"/servers/{server}/{path}").status == 404
        assert other.post(f"/servers/{server}/{path}", body).status == 404
        assert reader.post(f"/servers/{server}/{path}", body).status == 403
        assert reader.get(f"/servers/{server}/{path}").status == 200
        cloud.do(server, "lock", {})
        answer = cloud.member.post(f"/servers/{server}/{path}", body)
        assert (answer.status, answer.fault) == (409, f"Instance {server} is locked")
        cloud.do(server, "unlock")
        cloud.do(server, "suspend")
        answer = cloud.member.post(f"/servers/{server}/{path}", body)
        assert (answer.status, answer.fault.endswith("while it is in vm_state suspended")) == (409, True)
        cloud.do(server, "resume")


def test_changes_wait_for_each_other(cloud, networks, server, volume):
    another = cloud.cloud.volumes.make(project_id=client.PROJECT)
    for one in (volume, another):                # nothing is delivered between the two
        assert cloud.member.post(f"/servers/{server}/os-volume_attachments", {"volumeAttachment": {"volumeId": one}}).status == 200
    assert cloud.member.post(f"/servers/{server}/os-interface", {"interfaceAttachment": {}}).status == 200
    cloud.cloud.settle()
    shown = cloud.member.get(f"/servers/{server}/os-volume_attachments").json["volumeAttachments"]
    assert [(one["volumeId"], one["device"]) for one in shown] == [(volume, "/dev/vdb"), (another, "/dev/vdc")]
    assert {one["volume_id"] for one in facts(cloud, server)["volumes"].values()} == {volume, another}


# ---- volumes


def attach(cloud, server, volume, version="2.95", **more):
    answer = cloud.member.at(version).post(f"/servers/{server}/os-volume_attachments", {"volumeAttachment": {"volumeId": volume, **more}})
    cloud.cloud.settle()
    return answer


@pytest.mark.parametrize(("version", "keys", "later"), [
    ("2.1", {"id", "volumeId", "serverId", "device"}, {"id", "volumeId", "serverId", "device"}),
    ("2.70", {"id", "volumeId", "serverId", "device", "tag"}, {"id", "volumeId", "serverId", "device", "tag"}),
    ("2.79", *[{"id", "volumeId", "serverId", "device", "tag", "delete_on_termination"}] * 2),
    ("2.89", {"id", "volumeId", "serverId", "device", "tag", "delete_on_termination"},
     {"volumeId", "serverId", "device", "tag", "delete_on_termination", "attachment_id", "bdm_uuid"}),
])
def test_an_attachment_as_each_version_shows_it(cloud, server, volume, version, keys, later):
    answer = attach(cloud, server, volume, version)
    assert answer.status == 200, answer.json
    shown = answer.json["volumeAttachment"]
    assert set(shown) == keys
    assert (shown["volumeId"], shown["serverId"], shown["device"]) == (volume, server, "/dev/vdb")
    one = cloud.member.at(version).get(f"/servers/{server}/os-volume_attachments/{volume}").json["volumeAttachment"]
    assert set(one) == later
    assert cloud.member.at(version).get(f"/servers/{server}/os-volume_attachments").json == {"volumeAttachments": [one]}
    if "attachment_id" in one:
        assert one["attachment_id"] in cloud.cloud.volumes.attachments
    assert cloud.member.get(f"/servers/{server}").json["server"]["os-extended-volumes:volumes_attached"] == [
        {"id": volume, "delete_on_termination": False},
    ]


def test_the_newest_version_answers_nothing(cloud, server, volume):
    answer = attach(cloud, server, volume, "2.101")
    assert (answer.status, answer.json) == (202, None)
    assert cloud.cloud.volumes.volumes[volume].status == "in-use"


def test_detach(cloud, server, volume):
    attach(cloud, server, volume)
    assert cloud.member.delete(f"/servers/{server}/os-volume_attachments/{volume}").status == 202
    cloud.cloud.settle()
    assert cloud.cloud.volumes.volumes[volume].status == "available"
    assert cloud.member.get(f"/servers/{server}/os-volume_attachments").json == {"volumeAttachments": []}
    for method in ("get", "delete"):
        answer = getattr(cloud.member, method)(f"/servers/{server}/os-volume_attachments/{volume}")
        assert (answer.status, answer.fault) == (404, f"Instance {server} is not attached to volume {volume}")
    assert facts(cloud, server)["volumes"] == {}


def test_volumes_which_cannot_be_had(cloud, server, volume):
    foreign = cloud.cloud.volumes.make(project_id="0ther")
    many = cloud.cloud.volumes.make(project_id=client.PROJECT, multiattach=True)
    busy = cloud.boot()
    attach(cloud, busy, volume)
    assert [attach(cloud, server, one).status for one in (MISSING, foreign, volume)] == [404, 404, 400]
    answer = attach(cloud, busy, volume)
    assert (answer.status, answer.fault) == (400, f"Invalid volume: volume {volume} already attached")
    assert attach(cloud, server, many, "2.59").status == 400
    assert attach(cloud, server, many, "2.60").status == 200
    assert attach(cloud, busy, many, "2.60").status == 200
    assert attach(cloud, server, "x").status == 400


def test_a_device_name_is_a_wish(cloud, server):
    def make() -> str:
        return cloud.cloud.volumes.make(project_id=client.PROJECT)
    wishes = [("/dev/vdf", "/dev/vdf"), ("/dev/vdf", "/dev/vdb"), ("/dev/sdb", "/dev/vdc"), ("/dev/vda", "/dev/vdd"), (None, "/dev/vde")]
    for wish, given in wishes:
        assert attach(cloud, server, make(), device=wish).json["volumeAttachment"]["device"] == given
    assert attach(cloud, server, make(), device="nonsense").status == 400


def test_too_many_disks(tmp_path):
    cloud = ApiCloud(tmp_path, compute__max_disk_devices_to_attach=2)
    server = cloud.boot()
    answers = [attach(cloud, server, cloud.cloud.volumes.make(project_id=client.PROJECT)) for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 403]
    assert "maximum allowed number of disk devices (2)" in answers[1].fault
    cloud.close()


def test_delete_on_termination_is_changed_since_2_85(cloud, server, volume):
    attach(cloud, server, volume, tag="data")
    path = f"/servers/{server}/os-volume_attachments/{volume}"

    def put(version="2.85", user=cloud.member, **body):
        return user.at(version).put(path, {"volumeAttachment": {"volumeId": volume, **body}})
    assert put(delete_on_termination=True, id=volume, serverId=server, device="/dev/vdb", tag="data").status == 202
    assert cloud.member.at("2.89").get(path).json["volumeAttachment"]["delete_on_termination"] is True
    for name, value in (("id", MISSING), ("serverId", MISSING), ("device", "/dev/vdz"), ("tag", "x")):
        answer = put(delete_on_termination=False, **{name: value})
        assert (answer.status, answer.fault) == (400, f"The {name} property is not mutable")
    assert put("2.84").status == 403             # before, all of it was swapping
    assert put("2.84", delete_on_termination=True, user=cloud.admin).status == 400
    cloud.member.delete(f"/servers/{server}")
    cloud.cloud.settle()
    assert volume not in cloud.cloud.volumes.volumes


@pytest.mark.parametrize("version", ["2.1", "2.85"])
def test_swap(cloud, server, volume, version):
    attach(cloud, server, volume)
    other, small = cloud.cloud.volumes.make(project_id=client.PROJECT, size_gb=2), cloud.cloud.volumes.make(project_id=client.PROJECT, size_gb=0)
    path = f"/servers/{server}/os-volume_attachments/{volume}"
    assert cloud.member.at(version).put(path, {"volumeAttachment": {"volumeId": other}}).status == 403
    assert cloud.admin.at(version).put(path, {"volumeAttachment": {"volumeId": small}}).status == 400
    assert cloud.admin.at(version).put(path, {"volumeAttachment": {"volumeId": MISSING}}).status == 404
    assert cloud.admin.at(version).put(path, {"volumeAttachment": {"volumeId": other}}).status == 202
    refused = cloud.act(server, "reboot", {"type": "HARD"})
    assert (refused.status, "swap_volume" in refused.fault) == (409, True)
    cloud.cloud.settle()
    assert [one.volume_id for one in cloud.cloud.disks(server)] == [other]
    assert [one["volume_id"] for one in facts(cloud, server)["volumes"].values()] == [other]
    assert cloud.cloud.volumes.volumes[volume].status == "available"


def test_shelved_servers_since_2_20(cloud, server, volume):
    cloud.cloud.database.write(_set_state, server, "shelved")
    assert attach(cloud, server, volume, "2.19").status == 409
    assert attach(cloud, server, volume, "2.20").status == 200
    assert cloud.member.at("2.19").delete(f"/servers/{server}/os-volume_attachments/{volume}").status == 409
    assert cloud.member.at("2.20").delete(f"/servers/{server}/os-volume_attachments/{volume}").status == 202
    cloud.cloud.settle()
    assert cloud.cloud.volumes.volumes[volume].status == "available"


def _set_state(session, server, state):
    instances.lock(session, server).vm_state = state


def test_a_cloud_without_volumes_says_so(member, sqlite):
    answer = member.post(f"/servers/{uuid.uuid4()}/os-volume_attachments", {"volumeAttachment": {"volumeId": MISSING}})
    assert answer.status == 404                  # the server comes first


# ---- diagnostics


def test_diagnostics(cloud, server, volume):
    attach(cloud, server, volume)
    path = f"/servers/{server}/diagnostics"
    assert cloud.member.get(path).status == 403
    old = cloud.admin.at("2.47").get(path).json
    assert {"cpu0_time", "vda_read", "vdb_write_req", "memory"} <= set(old)
    new = cloud.admin.at("2.48").get(path).json
    assert (new["state"], new["driver"], new["num_cpus"], new["num_disks"], new["num_nics"]) == ("running", "libvirt", 1, 2, 0)
    assert set(new) == {
        "state", "driver", "hypervisor", "hypervisor_os", "uptime", "config_drive", "num_cpus", "num_nics", "num_disks", "cpu_details",
        "nic_details", "disk_details", "memory_details",
    }
    assert set(new["disk_details"][0]) == {"read_bytes", "read_requests", "write_bytes", "write_requests", "errors_count"}
    cloud.do(server, "os-stop")
    answer = cloud.admin.get(path)
    assert answer.status == 409
