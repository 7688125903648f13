"""novalike as the compute service of a cloud with a real Keystone, Glance and Neutron, asked by the stock clients.

Runs with NOVALIKE_TEST_DROPIN=1, which installs the services from PyPI first (two minutes; then they are there), or with the
state directory of such a stack which is up (`devstack/stack up --shape dropin --computes 2`), which is left as it is.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import openstack
import pytest
import requests

from devstack.settings import Settings
from tests.live.clouds import SDK_WARNS, Cloud, free_ports, measured, until
from tests.live.conftest import FAKE, SOON

ASKED = os.environ.get("NOVALIKE_TEST_DROPIN", "")
pytestmark = [SDK_WARNS, pytest.mark.timeout(600), pytest.mark.skipif(
    not ASKED, reason="NOVALIKE_TEST_DROPIN=1 was not set: this installs Keystone, Glance and Neutron from PyPI and takes minutes",
)]


@pytest.fixture(scope="module")
def beside() -> Iterator[Cloud]:
    """A cloud of two pretended hypervisors beside real services."""
    if ASKED != "1":
        yield Cloud(Path(ASKED))
        return
    state = Path(tempfile.mkdtemp(prefix="nlv-"))
    cloud = Cloud(state)
    try:
        begun = time.monotonic()
        cloud.up(Settings(shape="dropin", driver="fake", computes=2, ports=free_ports(), options={**SOON, **FAKE}))
        measured(f"a cloud beside real Keystone, Glance and Neutron: up in {time.monotonic() - begun:.0f} s")
        yield cloud
    finally:
        cloud.down()
        shutil.rmtree(state, ignore_errors=True)


@pytest.fixture(scope="module")
def image(beside) -> str:
    """An image in Glance, large enough that a download is more than one piece."""
    content = os.urandom(300_000)
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        made = beside.cli("image", "create", "--file", file.name, "--disk-format", "raw", "--container-format", "bare", "-f", "json", "base", user="demo")
    return made["id"]


@pytest.fixture(scope="module")
def network(beside) -> str:
    """A network with a subnet in Neutron."""
    made = beside.demo.network.create_network(name="net")
    beside.demo.network.create_subnet(network_id=made.id, ip_version=4, cidr="10.20.0.0/24")
    return made.id


@pytest.fixture
def nothing_stays(beside) -> Iterator[None]:
    """Every server of the test goes, and with it every port which was made for one."""
    yield
    for server in beside.demo.compute.servers(details=False):
        beside.demo.compute.delete_server(server.id)
    until("servers gone", lambda: not list(beside.demo.compute.servers(details=False)), 60)
    until("no port of a server left", lambda: not compute_ports(beside), 20)
    beside.nothing_left()


def compute_ports(cloud: Cloud) -> list[str]:
    return [port.id for port in cloud.admin.network.ports() if port.device_owner.startswith("compute:")]


def boot(cloud: Cloud, image: str, network: str, name: str = "one", **more) -> str:
    wanted = {"image_id": image, "flavor_id": "0", "networks": [{"uuid": network}], **more}
    return cloud.demo.compute.create_server(name=name, **wanted).id


def test_the_stock_client_from_nothing_to_nothing(beside, image, network, nothing_stays):
    def run(*words: str):
        return beside.cli(*words, user="demo")
    catalog = {entry["Type"]: entry["Name"] for entry in run("catalog", "list", "-f", "json")}
    assert catalog["compute"] == "novalike"
    run("security", "group", "create", "-f", "json", "web")
    port = run("port", "create", "--network", network, "--fixed-ip", "ip-address=10.20.0.50", "--security-group", "web", "-f", "json", "own")
    server = run(
        "server", "create", "--image", image, "--flavor", "m1.nano", "--network", network, "--port", "own", "--security-group", "default",
        "--wait", "-f", "json", "first",
    )
    assert server["status"] == "ACTIVE"
    assert "10.20.0.50" in server["addresses"]["net"]
    assert len(server["addresses"]["net"]) == 2
    ports = {one["ID"]: one["Status"] for one in run("port", "list", "--server", "first", "-f", "json")}
    assert port["id"] in ports
    until("ports wired", lambda: {one.status for one in beside.demo.network.ports(device_id=server["id"])} == {"ACTIVE"}, 20)
    run("server", "add", "network", "first", network)
    more = next(one["ID"] for one in run("port", "list", "--server", "first", "-f", "json") if one["ID"] not in ports)
    run("server", "remove", "port", "first", more)
    until("the port gone", lambda: beside.demo.network.find_port(more) is None, 20)
    run("server", "add", "security", "group", "first", "web")
    run("server", "image", "create", "--wait", "--name", "copy", "first")
    copy = run("image", "show", "copy", "-f", "json")
    assert (copy["status"], copy["properties"]["image_type"], copy["properties"]["base_image_ref"]) == ("active", "snapshot", image)
    run("server", "create", "--image", "copy", "--flavor", "m1.nano", "--network", network, "--wait", "-f", "json", "second")
    run("server", "delete", "--wait", "first", "second")
    left = beside.demo.network.get_port(port["id"])
    assert (left.device_id, left.device_owner, left.status) == ("", "", "DOWN"), "whoever brought a port keeps it"
    assert compute_ports(beside) == []
    for words in (("port", "delete", "own"), ("image", "delete", "copy"), ("security", "group", "delete", "web")):
        run(*words)


def test_what_neutron_and_glance_refuse_is_refused_here(beside, image, network):
    foreign = beside.admin.network.create_network(name="foreign")
    beside.admin.network.create_subnet(network_id=foreign.id, ip_version=4, cidr="10.30.0.0/24")
    private = beside.admin.image.create_image("private", data=b"x" * 100, disk_format="raw", container_format="bare", visibility="private")
    try:
        with pytest.raises(openstack.exceptions.BadRequestException, match="could not be found"):
            boot(beside, image, foreign.id)
        with pytest.raises(openstack.exceptions.BadRequestException, match="Can not find requested image"):
            boot(beside, private.id, network)
        with pytest.raises(openstack.exceptions.BadRequestException, match="Security group nonsense"):
            boot(beside, image, network, security_groups=[{"name": "nonsense"}])
        taken = beside.demo.network.create_port(network_id=network)
        with pytest.raises(openstack.exceptions.BadRequestException, match="already in use"):
            boot(beside, image, network, networks=[{"uuid": network, "fixed_ip": taken.fixed_ips[0]["ip_address"]}])
        beside.demo.network.delete_port(taken.id)
    finally:
        beside.admin.network.delete_network(foreign.id)
        beside.admin.image.delete_image(private.id)


def test_members_of_a_shared_image_may_use_it(beside, network, nothing_stays):
    shared = beside.admin.image.create_image("shared", data=b"x" * 100, disk_format="raw", container_format="bare", visibility="shared")
    try:
        with pytest.raises(openstack.exceptions.BadRequestException):
            boot(beside, shared.id, network)
        beside.admin.image.add_member(shared.id, member_id=beside.demo.current_project_id)
        beside.wait(boot(beside, shared.id, network), "ACTIVE")
    finally:
        beside.admin.image.delete_image(shared.id)


def test_floating_addresses_and_ports_deleted_at_neutron_are_seen(beside, image, network, nothing_stays):
    admin, demo = beside.admin.network, beside.demo.network
    outside = admin.create_network(name="outside", is_router_external=True, provider_network_type="flat", provider_physical_network="physnet1")
    admin.create_subnet(network_id=outside.id, ip_version=4, cidr="198.51.100.0/24")
    router = demo.create_router(name="way", external_gateway_info={"network_id": outside.id})
    subnet = next(iter(demo.subnets(network_id=network)))
    demo.add_interface_to_router(router.id, subnet_id=subnet.id)
    try:
        server = beside.wait(boot(beside, image, network), "ACTIVE")
        port = next(iter(demo.ports(device_id=server.id)))
        public = demo.create_ip(floating_network_id=outside.id, port_id=port.id)

        def addresses() -> set[str]:
            return {one["addr"] for one in beside.demo.compute.get_server(server.id).addresses.get("net", ())}
        until("the floating address at the server", lambda: public.floating_ip_address in addresses(), 30)
        demo.delete_ip(public.id)
        until("the floating address gone", lambda: public.floating_ip_address not in addresses(), 30)
        admin.delete_port(port.id)
        until("the port gone from the server", lambda: not addresses(), 30)
    finally:
        demo.remove_interface_from_router(router.id, subnet_id=subnet.id)
        demo.delete_router(router.id)
        admin.delete_network(outside.id)


class Keystone:
    """Logs in in odd ways."""

    def __init__(self, cloud: Cloud) -> None:
        self.settings = cloud.stack.settings
        self.compute = f"http://{self.settings.address}:{self.settings.ports['compute']}/v2.1"

    def token(self, user: str, password: str, scope: dict | None) -> str:
        person = {"name": user, "domain": {"id": "default"}, "password": password}
        body: dict = {"auth": {"identity": {"methods": ["password"], "password": {"user": person}}}}
        if scope is not None:
            body["auth"]["scope"] = scope
        answer = requests.post(f"{self.settings.auth_url}/auth/tokens", json=body, timeout=30)
        answer.raise_for_status()
        return answer.headers["X-Subject-Token"]

    def demo(self) -> str:
        return self.token("demo", self.settings.demo_password, project("demo"))

    def admin(self, scope: dict | None = None) -> str:
        return self.token("admin", self.settings.admin_password, scope or project("admin"))

    def ask(self, token: str | None, path: str = "/servers", *, method: str = "GET", **more) -> requests.Response:
        headers = {"X-Auth-Token": token} if token else {}
        return requests.request(method, f"{self.compute}{path}", headers=headers | more.pop("headers", {}), timeout=60, **more)


def project(name: str) -> dict:
    return {"project": {"name": name, "domain": {"id": "default"}}}


def test_tokens(beside):
    keystone = Keystone(beside)
    demo, admin = keystone.demo(), keystone.admin()
    assert keystone.ask(demo).status_code == 200
    assert keystone.ask(demo, "/os-services").status_code == 403
    assert keystone.ask(admin, "/os-services").status_code == 200
    assert keystone.ask(keystone.admin({"system": {"all": True}}), "/os-services").status_code == 200
    for wrong in (None, "rubbish", f"{demo[:-4]}AAAA"):
        answer = keystone.ask(wrong)
        assert (answer.status_code, list(answer.json())) == (401, ["unauthorized"])
        assert keystone.settings.auth_url in answer.headers["WWW-Authenticate"]
    assert keystone.ask(keystone.token("demo", keystone.settings.demo_password, None)).status_code == 403, "a token of no project"
    assert keystone.ask(demo, headers={"X-Roles": "admin", "X-Is-Admin": "True"}).status_code == 200
    assert keystone.ask(demo, "/os-services", headers={"X-Roles": "admin"}).status_code == 403, "identity headers of a client are nothing"
    requests.delete(f"{keystone.settings.auth_url}/auth/tokens", headers={"X-Auth-Token": admin, "X-Subject-Token": demo}, timeout=30)
    until("the revoked token refused", lambda: keystone.ask(demo).status_code == 401, 10)


def test_roles(beside):
    keystone, identity = Keystone(beside), beside.admin.identity
    roles = {role.name: role.id for role in identity.roles()}
    there = identity.find_project("demo")
    user = identity.create_user(name="looker", password="secret-enough", domain_id="default")
    try:
        for role, reads, writes in (("reader", 200, 403), ("member", 200, 400), ("manager", 200, 400)):
            identity.assign_project_role_to_user(there, user, roles[role])
            token = keystone.token("looker", "secret-enough", project("demo"))
            assert keystone.ask(token).status_code == reads, role
            assert keystone.ask(token, method="POST", json={"server": {}}).status_code == writes, role
            identity.unassign_project_role_from_user(there, user, roles[role])
        with pytest.raises(requests.HTTPError):
            keystone.token("looker", "secret-enough", project("demo"))
    finally:
        identity.delete_user(user)
    event = {"events": [{"name": "network-changed", "server_uuid": "11111111-1111-4111-8111-111111111111"}]}
    neutron = keystone.token("neutron", keystone.settings.service_password, project("service"))
    assert keystone.ask(neutron, "/os-server-external-events", method="POST", json=event).status_code == 207
    assert keystone.ask(keystone.demo(), "/os-server-external-events", method="POST", json=event).status_code == 403


def test_keystone_away(beside):
    keystone, neighbours = Keystone(beside), beside.stack.neighbours()
    known, new = keystone.demo(), keystone.demo()
    neighbours.stop("identity")
    try:
        answer = keystone.ask(new)
        assert answer.status_code == 503
        assert answer.json()["serviceUnavailable"]["code"] == 503
    finally:
        neighbours.start("identity")
    until("tokens checked again", lambda: keystone.ask(new).status_code == 200, 20)
    assert keystone.ask(known).status_code == 200


@pytest.mark.parametrize("service", ["network", "image"])
def test_a_build_waits_for_a_service_which_is_away(beside, image, network, nothing_stays, service):
    neighbours = beside.stack.neighbours()
    beside.kill("conductor")
    server = boot(beside, image, network, f"waits-for-{service}")
    neighbours.stop(service)
    try:
        beside.start("conductor")
        with pytest.raises(openstack.exceptions.HttpException) as refusal:
            boot(beside, image, network, "refused")
        assert refusal.value.status_code == 503
        assert f"{service} service" in str(refusal.value)
        assert beside.demo.compute.get_server(server).status == "BUILD"
    finally:
        neighbours.start(service)
    beside.wait(server, "ACTIVE", seconds=60)


def test_a_server_is_ready_when_its_ports_are_and_not_on_a_host_where_they_cannot_be_bound(beside, image, network, nothing_stays):
    neighbours = beside.stack.neighbours()
    agents = sorted(beside.admin.network.agents(is_alive=True), key=lambda agent: agent.host)
    neighbours.stop("network-agent")
    try:
        beside.admin.network.delete_agent(agents[0].id)
        servers = [boot(beside, image, network, f"bound-{number}") for number in range(3)]

        def now(what: str) -> set[str]:
            return {getattr(beside.admin.compute.get_server(server), what) for server in servers}
        until("all on the host with an agent", lambda: now("compute_host") == {agents[1].host} and now("task_state") == {"spawning"}, 30)
        time.sleep(3)
        assert now("status") == {"BUILD"}, "nobody plugged their ports"
        beside.kill("conductor")
    finally:
        neighbours.start("network-agent")
    beside.start("conductor")
    for server in servers:
        assert beside.wait(server, "ACTIVE", seconds=60).compute_host == agents[1].host
    assert {port.status for server in servers for port in beside.demo.network.ports(device_id=server)} == {"ACTIVE"}
    until("the agent back", lambda: len(list(beside.admin.network.agents(is_alive=True))) == 2, 60)
