"""The unmodified openstack client and openstacksdk against pretended hypervisors, in both shapes."""

from __future__ import annotations

import concurrent.futures
import uuid
from dataclasses import dataclass

import pytest

from tests.live.clouds import SDK_WARNS, Cloud, Refused, until

pytestmark = [pytest.mark.timeout(240), SDK_WARNS]
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGUtk0P4ihq9fTGJ2Ap8j2Rv5iT3f4nQpY1n0S6fWc0k somebody@example"


@dataclass(frozen=True)
class Needs:
    """Ids of what a server needs."""

    image: str
    flavor: str
    network: str
    key: str

    def body(self, **changes) -> dict:
        """Answer a server to ask for."""
        return {
            "name": "one", "imageRef": self.image, "flavorRef": self.flavor, "key_name": self.key, "networks": [{"uuid": self.network}],
        } | changes


@pytest.fixture
def needs(cloud):
    """What a server needs, made by the SDK, and removed again with everything checked."""
    sdk, name = cloud.admin, f"t-{uuid.uuid4().hex[:6]}"
    image = sdk.image.create_image(name, disk_format="raw", container_format="bare", visibility="public", data=b"\0" * 4096)
    flavor = sdk.compute.create_flavor(name=name, ram=64, vcpus=1, disk=1)
    network = sdk.network.create_network(name=name)
    subnet = sdk.network.create_subnet(network_id=network.id, name=name, ip_version=4, cidr="10.9.0.0/24")
    sdk.compute.create_keypair(name=name, public_key=PUBLIC_KEY)
    yield Needs(image.id, flavor.id, network.id, name)
    for server in sdk.compute.servers(all_projects=True, details=False):
        sdk.compute.delete_server(server.id, force=False)
    cloud.nothing_left()
    sdk.compute.delete_keypair(name)
    sdk.network.delete_subnet(subnet.id)
    sdk.network.delete_network(network.id)
    sdk.compute.delete_flavor(flavor.id)
    sdk.image.delete_image(image.id)


def test_a_server_from_nothing_to_nothing(single: Cloud, tmp_path):
    cloud = single
    disk, key = tmp_path / "disk.raw", tmp_path / "key.pub"
    disk.write_bytes(b"\0" * 65536)
    key.write_text(PUBLIC_KEY + "\n")
    json = ("-f", "json")
    image = cloud.cli("image", "create", "cli", "--file", str(disk), "--disk-format", "raw", "--container-format", "bare", *json)
    assert (image["status"], image["size"], image["checksum"]) == ("active", 65536, "fcd6bcb56c1689fcef28b57c22475bad")
    flavor = cloud.cli("flavor", "create", "cli.tiny", "--ram", "64", "--disk", "1", "--vcpus", "1", "--property", "hw:boot_menu=true", *json)
    assert (flavor["ram"], flavor["disk"], flavor["properties"]) == (64, 1, {"hw:boot_menu": "true"})
    assert cloud.cli("keypair", "create", "cli", "--public-key", str(key), *json)["fingerprint"].count(":") == 15
    network = cloud.cli("network", "create", "cli", *json)
    subnet = cloud.cli("subnet", "create", "cli", "--network", "cli", "--subnet-range", "10.8.0.0/24", *json)
    assert (subnet["network_id"], subnet["gateway_ip"]) == (network["id"], "10.8.0.1")

    server = cloud.cli(
        "server", "create", "cli", "--image", "cli", "--flavor", "cli.tiny", "--key-name", "cli", "--network", "cli",
        "--property", "colour=green", "--wait", *json,
    )
    assert (server["status"], server["key_name"], server["properties"]) == ("ACTIVE", "cli", {"colour": "green"})
    assert server["addresses"]["cli"][0].startswith("10.8.0.")
    assert server["hostId"], "an active server has a host"
    listed = cloud.cli("server", "list", *json)
    assert [(one["Name"], one["Status"], one["Image"], one["Flavor"]) for one in listed] == [("cli", "ACTIVE", "cli", "cli.tiny")]
    assert "login:" in cloud.cli("console", "log", "show", "cli")
    cloud.cli("server", "stop", "cli")
    cloud.wait(server["id"], "SHUTOFF")
    with pytest.raises(Refused, match=r"Cannot 'stop' instance .* while it is in vm_state stopped"):
        cloud.cli("server", "stop", "cli")
    cloud.cli("server", "start", "cli")
    cloud.wait(server["id"], "ACTIVE")
    cloud.cli("server", "reboot", "--hard", "--wait", "cli")
    cloud.cli("server", "set", "--name", "renamed", "--property", "size=large", "cli")
    shown = cloud.cli("server", "show", "renamed", *json)
    assert (shown["name"], shown["properties"], shown["OS-EXT-STS:power_state"]) == ("renamed", {"colour": "green", "size": "large"}, 1)
    events = [event["Action"] for event in cloud.cli("server", "event", "list", "renamed", *json)]
    assert events == ["reboot", "start", "stop", "create"], "the newest first"
    cloud.cli("server", "delete", "--wait", "renamed")
    assert cloud.cli("server", "list", *json) == []
    cloud.nothing_left()
    cloud.cli("subnet", "delete", "cli")
    for what in ("network", "keypair", "flavor", "image"):
        cloud.cli(what, "delete", "cli.tiny" if what == "flavor" else "cli")


#: Commands which only look, and what their JSON must satisfy.
LOOKS = {
    "image list": lambda rows: isinstance(rows, list),
    "flavor list --all": lambda rows: "m1.tiny" in [row["Name"] for row in rows],
    "flavor show m1.small": lambda row: (row["ram"], row["disk"]) == (2048, 20),
    "keypair list": lambda rows: rows == [],
    "network list": lambda rows: rows == [],
    "compute service list": lambda rows: {row["State"] for row in rows} == {"up"} and {
        "nova-compute", "nova-scheduler", "nova-conductor"} <= {row["Binary"] for row in rows},
    "hypervisor list": lambda rows: len(rows) == 2 and {row["State"] for row in rows} == {"up"},
    "availability zone list --compute": lambda rows: {(row["Zone Name"], row["Zone Status"]) for row in rows} == {
        ("nova", "available"), ("internal", "available")},
    "limits show --absolute": lambda rows: {row["Name"]: row["Value"] for row in rows}["instances"] == 10,
    "quota show --compute demo": lambda rows: {row["Resource"]: row["Limit"] for row in rows}["cores"] == 20,
    "usage list": lambda rows: isinstance(rows, list),
    "project list": lambda rows: {"admin", "demo", "service"} <= {row["Name"] for row in rows},
    "user list": lambda rows: {"admin", "demo"} <= {row["Name"] for row in rows},
    "role list": lambda rows: {"admin", "member", "reader"} <= {row["Name"] for row in rows},
    "role assignment list --names": lambda rows: len(rows) >= 3,
    "catalog list": lambda rows: {"compute", "identity", "image", "network"} <= {row["Type"] for row in rows},
    "token issue": lambda row: len(row["project_id"]) == 32,
    "versions show": lambda rows: "2.1" in str(rows),
    "extension list --network": lambda rows: len(rows) > 5,
}


def test_what_the_client_can_look_at(embedded: Cloud):
    with concurrent.futures.ThreadPoolExecutor(3) as together:
        asked = {command: together.submit(embedded.cli, *command.split(), "-f", "json") for command in LOOKS}
    wrong = {}
    for command, answer in asked.items():
        try:
            right = LOOKS[command](answer.result())
        except Exception as error:
            wrong[command] = repr(error)
        else:
            if not right:
                wrong[command] = answer.result()
    assert not wrong, "\n".join(f"openstack {command}: {what}" for command, what in wrong.items())


def test_what_the_client_is_refused(embedded: Cloud):
    with pytest.raises(Refused, match=r"[Pp]olicy|forbidden|not authorized"):
        embedded.cli("flavor", "create", "mine", "--ram", "64", "--disk", "1", "--vcpus", "1", user="demo")
    with pytest.raises(Refused, match="No Image found for nope"):
        embedded.cli("server", "create", "x", "--image", "nope", "--flavor", "m1.tiny", "--network", "none")


def test_wrong_servers_are_refused_with_the_field_named(cloud: Cloud, needs: Needs):
    nowhere = str(uuid.uuid4())
    quota = cloud.demo.compute.get("/limits").json()["limits"]["absolute"]["maxTotalInstances"]
    cases = (
        (400, "lavor", needs.body(flavorRef="99999")), (400, "mage", needs.body(imageRef=nowhere)),
        (400, "key_name", needs.body(key_name="nope")), (400, "etwork", needs.body(networks=[{"uuid": nowhere}])),
        (400, "name", needs.body(name="")), (400, "name", needs.body(name="x" * 256)),
        (400, "flavorRef", {"name": "x", "imageRef": needs.image, "networks": "none"}),
        (400, "colour", needs.body(colour="green")), (400, "min_count", needs.body(min_count=0)),
        (403, "instances", needs.body(min_count=quota + 1, max_count=quota + 1, key_name=None)),
    )
    for status, word, body in cases:
        answer = cloud.admin.compute.post("/servers", json={"server": {k: v for k, v in body.items() if v is not None}}, microversion="2.37")
        assert answer.status_code == status, f"{body}: {answer.status_code} {answer.text}"
        (fault,) = answer.json().values()
        assert word in fault["message"], f"{word!r} is not in {fault}"
        assert fault["code"] == status
    assert list(cloud.admin.compute.servers(all_projects=True)) == []


def test_the_sdk_works_with_servers(cloud: Cloud, needs: Needs):
    compute = cloud.admin.compute
    first = compute.create_server(
        name="a", image_id=needs.image, flavor_id=needs.flavor, networks=[{"uuid": needs.network}], key_name=needs.key,
        metadata={"colour": "green"}, min_count=3, max_count=3, user_data="aGVsbG8=", config_drive=True,
    )
    assert first.admin_password
    servers = until("three servers", lambda: list(compute.servers(name="^a-[123]$")), 10)
    servers = [cloud.wait(server.id, "ACTIVE") for server in servers]
    assert sorted(server.name for server in servers) == ["a-1", "a-2", "a-3"]
    assert len({server.addresses[next(iter(server.addresses))][0]["addr"] for server in servers}) == 3
    assert [one.name for one in compute.servers(sort_key="display_name", sort_dir="asc", limit=1)] == ["a-1", "a-2", "a-3"], "paged"
    assert [one.name for one in compute.servers(status="SHUTOFF")] == []

    server = servers[0]
    ports = list(cloud.admin.network.ports(device_id=server.id))
    assert [(port.status, port.binding_host_id) for port in ports] == [("ACTIVE", server.compute_host)]
    compute.set_server_metadata(server, size="large")
    compute.delete_server_metadata(compute.get_server(server.id), ["colour"])
    assert compute.get_server_metadata(server).metadata == {"size": "large"}
    assert compute.update_server(server, name="renamed").name == "renamed"
    compute.stop_server(server)
    cloud.wait(server.id, "SHUTOFF")
    compute.start_server(server)
    cloud.wait(server.id, "ACTIVE")
    compute.reboot_server(server, "SOFT")
    cloud.wait(server.id, "ACTIVE")
    actions = list(compute.server_actions(server))
    assert [action.action for action in actions] == ["reboot", "start", "stop", "create"]
    shown = compute.get_server_action(actions[-1].request_id, server)
    assert {event["result"] for event in shown.events} == {"Success"}
    limits = cloud.admin.compute.get_limits().absolute
    assert (limits.instances_used, limits.total_cores_used) == (3, 3)
    for one in servers:
        compute.delete_server(one)
    for one in servers:
        cloud.wait_gone(one.id)


def test_the_sdk_works_with_the_rest(cloud: Cloud, needs: Needs, tmp_path):
    sdk = cloud.admin
    image = sdk.image.get_image(needs.image)
    assert (image.status, image.size, image.disk_format) == ("active", 4096, "raw")
    assert sdk.image.download_image(needs.image).content == b"\0" * 4096
    assert sdk.image.update_image(image, name="other", colour="green").name == "other"
    assert [one.id for one in sdk.image.images(name="other")] == [needs.image]
    sdk.compute.create_flavor_extra_specs(needs.flavor, {"hw:cpu_policy": "shared"})
    assert sdk.compute.fetch_flavor_extra_specs(sdk.compute.get_flavor(needs.flavor)).extra_specs == {"hw:cpu_policy": "shared"}
    sdk.compute.delete_flavor_extra_specs_property(needs.flavor, "hw:cpu_policy")
    made = sdk.compute.create_keypair(name="made")
    assert "PRIVATE KEY" in made.private_key or made.private_key is None, "newer microversions make no keys"
    sdk.compute.delete_keypair("made")
    project = sdk.identity.find_project("demo")
    sdk.set_compute_quotas(project.id, instances=7)
    assert cloud.demo.compute.get_limits().absolute.instances == 7
    sdk.delete_compute_quotas(project.id)
    assert cloud.demo.compute.get_limits().absolute.instances == 10
    hypervisor = next(iter(sdk.compute.hypervisors(details=True)))
    assert (hypervisor.status, hypervisor.state, hypervisor.hypervisor_type) == ("enabled", "up", "fake")
    port = sdk.network.create_port(network_id=needs.network, name="mine")
    server = sdk.compute.create_server(name="b", image_id=needs.image, flavor_id=needs.flavor, networks=[{"port": port.id}])
    cloud.wait(server.id, "ACTIVE")
    sdk.compute.delete_server(server.id)
    cloud.wait_gone(server.id)
    assert sdk.network.get_port(port.id).device_id == "", "a port which a user made outlives the server"
    sdk.network.delete_port(port.id)


def test_users_see_only_their_own(cloud: Cloud, needs: Needs):
    sdk = cloud.admin
    server = sdk.compute.create_server(name="hidden", image_id=needs.image, flavor_id=needs.flavor, networks="none")
    assert cloud.demo.compute.find_server(server.id) is None
    assert list(cloud.demo.compute.servers()) == []
    answer = cloud.demo.compute.get(f"/servers/{server.id}")
    assert (answer.status_code, answer.json()["itemNotFound"]["message"]) == (404, f"Instance {server.id} could not be found.")
    assert cloud.demo.compute.get("/servers/detail?all_tenants=1").status_code == 403
    cloud.wait(server.id, "ACTIVE")
