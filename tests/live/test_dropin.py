"""novalike as the compute service of a cloud with a real Keystone, Glance and Neutron, asked by the stock clients.

Runs with NOVALIKE_TEST_DROPIN=1, which installs the services from PyPI first (two minutes; then they are there), or with the
state directory of such a stack which is up (`devstack/stack up --shape dropin --computes 2`), which is left as it is.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator

import openstack
import pytest
import requests

from devstack.neighbours import PRETENDED
from tests.live import dropin
from tests.live.clouds import Cloud, until
from tests.live.conftest import FAKE
from tests.live.dropin import Keystone, NovaClient, Sdk, compute_ports, project, short_tokens

pytestmark = dropin.MARKS


@pytest.fixture(scope="module")
def beside() -> Iterator[Cloud]:
    """A cloud of two pretended hypervisors beside real services."""
    yield from dropin.beside("fake", computes=2, **FAKE)


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


@pytest.mark.parametrize("client", [Sdk, NovaClient])
def test_a_users_story_by_other_clients(beside, image, network, nothing_stays, client):
    user, neutron = client(beside), beside.demo.network
    group = neutron.create_security_group(name=f"of-{client.__name__}")
    own = neutron.create_port(network_id=network, fixed_ips=[{"ip_address": "10.20.0.60"}])
    server = user.create("story", image, "0", [{"uuid": network}, {"port": own.id}, {"uuid": network, "fixed_ip": "10.20.0.61"}], group.id)
    beside.wait(server, "ACTIVE")
    assert {"10.20.0.60", "10.20.0.61"} < set(user.addresses(server)["net"])
    made = user.ports(server) - {own.id}
    assert {tuple(neutron.get_port(port).security_group_ids) for port in made} == {(group.id,)}
    until("ports wired", lambda: {one.status for one in neutron.ports(device_id=server)} == {"ACTIVE"}, 20)

    second = neutron.create_port(network_id=network)
    more = [user.attach(server, network=network), user.attach(server, port=second.id), user.attach(server, network=network, address="10.20.0.62")]
    assert more[1] == second.id
    assert user.ports(server) == {own.id, *made, *more}
    for port in more:
        user.detach(server, port)
    until("ports detached", lambda: user.ports(server) == {own.id, *made}, 30)
    until("ports freed", lambda: [neutron.find_port(port) is not None for port in more] == [False, True, False], 20)
    assert neutron.get_port(second.id).device_id == "", "whoever brought a port keeps it"

    copy = user.snapshot(server, "copy")
    beside.wait(server, "ACTIVE")
    found = until("the snapshot in Glance", lambda: next((one for one in beside.demo.image.images(id=copy) if one.status == "active"), None), 30)
    assert found.properties["base_image_ref"] == image
    again = user.create("again", copy, "0", [{"uuid": network}], "default")
    beside.wait(again, "ACTIVE")
    for one in (server, again):
        user.delete(one)
    for one in (server, again):
        beside.wait_gone(one)
    assert compute_ports(beside) == []
    for port in (own, second):
        neutron.delete_port(port.id)
    beside.demo.image.delete_image(copy)
    neutron.delete_security_group(group.id)


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


def test_tokens(beside):
    keystone = Keystone(beside)
    demo, admin = keystone.demo(), keystone.admin()
    assert keystone.ask(demo).status_code == 200
    assert keystone.ask(demo, "/os-services").status_code == 403
    assert keystone.ask(admin, "/os-services").status_code == 200
    assert keystone.ask(keystone.admin({"system": {"all": True}}), "/os-services").status_code == 403, "rules are for tokens of projects"
    for wrong in (None, "rubbish", f"{demo[:-4]}AAAA"):
        answer = keystone.ask(wrong)
        assert (answer.status_code, list(answer.json())) == (401, ["unauthorized"])
        assert keystone.settings.auth_url in answer.headers["WWW-Authenticate"]
    assert keystone.ask(keystone.token("demo", keystone.settings.demo_password, None)).status_code == 403, "a token of no project"
    assert keystone.ask(demo, headers={"X-Roles": "admin", "X-Is-Admin": "True"}).status_code == 200
    assert keystone.ask(demo, "/os-services", headers={"X-Roles": "admin"}).status_code == 403, "identity headers of a client are nothing"
    requests.delete(f"{keystone.settings.auth_url}/auth/tokens", headers={"X-Auth-Token": admin, "X-Subject-Token": demo}, timeout=30)
    until("the revoked token refused", lambda: keystone.ask(demo).status_code == 401, 10)


def test_a_token_of_another_project(beside, image, network, nothing_stays):
    keystone = Keystone(beside)
    server = beside.wait(boot(beside, image, network), "ACTIVE").id
    identity = beside.admin.identity
    other = identity.create_project(name="other", domain_id="default")
    user, member = identity.find_user("demo"), identity.find_role("member")
    identity.assign_project_role_to_user(other, user, member)
    try:
        there = keystone.token("demo", keystone.settings.demo_password, project("other"))
        assert keystone.ask(there, f"/servers/{server}").status_code == 404
        assert keystone.ask(there, f"/servers/{server}", method="DELETE").status_code == 404
        assert keystone.ask(there).json()["servers"] == []
        assert keystone.ask(there, f"/{beside.demo.current_project_id}/servers").status_code == 400, "the URL names another project"
        assert keystone.ask(keystone.admin(), f"/servers/{server}").status_code == 200
    finally:
        identity.delete_project(other)
    until("nothing any more after the project's end", lambda: keystone.ask(there).status_code == 401, 10)


def test_an_expired_token(beside, image, network, nothing_stays):
    keystone = Keystone(beside)
    with short_tokens(beside, 10):
        demo, until_then = keystone.demo(), time.monotonic() + 10
        assert keystone.ask(demo).status_code == 200
        time.sleep(max(0.0, until_then - time.monotonic()) + 1)
        answer = keystone.ask(demo)
        assert (answer.status_code, list(answer.json())) == (401, ["unauthorized"])
        # What a service goes on with for a user who was let in before, it may end.
        service = keystone.token("neutron", keystone.settings.service_password, project("service"))
        assert keystone.ask(demo, headers={"X-Service-Token": service}).status_code == 200
        assert keystone.ask(demo, headers={"X-Service-Token": keystone.demo()}).status_code == 401, "a user is no service"
        body = {"server": {"name": "short", "imageRef": image, "flavorRef": "0", "networks": [{"uuid": network}]}}
        answer = keystone.ask(keystone.demo(), method="POST", json=body)
        assert answer.status_code == 202, "tokens of the services themselves are renewed"
    beside.wait(answer.json()["server"]["id"], "ACTIVE")
    assert keystone.ask(keystone.demo()).status_code == 200


def test_roles(beside, image, network, nothing_stays):
    keystone, identity = Keystone(beside), beside.admin.identity
    roles = {role.name: role.id for role in identity.roles()}
    demo, service = identity.find_project("demo"), identity.find_project("service")
    server = beside.wait(boot(beside, image, network), "ACTIVE").id
    event = {"events": [{"name": "network-changed", "server_uuid": server}]}
    user = identity.create_user(name="looker", password="secret-enough", domain_id="default")
    try:
        # By role: reading, creating (what is asked for is rubbish), moving a server to another host, telling of events.
        for role, there, expected in (
            ("reader", demo, (200, 403, 403, 403)), ("member", demo, (200, 400, 403, 403)), ("service", service, (403, 403, 403, 200)),
            ("manager", demo, (200, 400, 202, 403)),
        ):
            identity.assign_project_role_to_user(there, user, roles[role])
            token = keystone.token("looker", "secret-enough", project(there.name))
            assert (
                keystone.ask(token).status_code, keystone.ask(token, method="POST", json={"server": {}}).status_code,
                keystone.ask(token, f"/servers/{server}/action", method="POST", json={"migrate": None}).status_code,
                keystone.ask(token, "/os-server-external-events", method="POST", json=event).status_code,
            ) == expected, role
            assert keystone.ask(token, "/os-services").status_code == 403, role
            identity.unassign_project_role_from_user(there, user, roles[role])
        beside.wait(server, "VERIFY_RESIZE")
        beside.demo.compute.revert_server_resize(server)
        beside.wait(server, "ACTIVE")
        with pytest.raises(requests.HTTPError):
            keystone.token("looker", "secret-enough", project("demo"))
    finally:
        identity.delete_user(user)
    neutron = keystone.token("neutron", keystone.settings.service_password, project("service"))
    unknown = {"events": [{"name": "network-changed", "server_uuid": "11111111-1111-4111-8111-111111111111"}]}
    assert keystone.ask(neutron, "/os-server-external-events", method="POST", json=unknown).status_code == 207


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


@pytest.mark.parametrize("service", ["network", "image"])
def test_builds_in_whose_middle_a_service_dies(beside, image, network, nothing_stays, service):
    servers = [boot(beside, image, network, f"survives-{number}") for number in range(5)]
    dropin.kill(beside, service)
    time.sleep(2)
    beside.stack.neighbours().start(service)
    for server in servers:
        beside.wait(server, "ACTIVE", seconds=90)
    assert len(compute_ports(beside)) == len(servers), "a port was made twice"


def test_a_build_whose_service_stays_away_too_long_ends_with_the_reason(beside, image, network, nothing_stays):
    neighbours, log = beside.stack.neighbours(), beside.stack.log("conductor")
    with dropin.impatient(beside, 3):
        server, begin = boot(beside, image, network, "gives-up"), log.stat().st_size
        neighbours.stop("network")
        try:
            beside.start("conductor")
            until("the build waits", lambda: "The network service does not answer" in log.read_bytes()[begin:].decode(errors="replace"), 60)
            time.sleep(12)                       # until it is given up; its ports are asked for then, before it ends
        finally:
            neighbours.start("network")
        found = beside.wait(server, "ERROR", seconds=60)
        assert "did not give the server its ports within 3 seconds" in found.fault["message"], found.fault
        assert list(beside.demo.network.ports(device_id=server)) == []


def test_a_server_is_ready_when_its_ports_are_and_not_on_a_host_where_they_cannot_be_bound(beside, image, network, nothing_stays):
    neighbours = beside.stack.neighbours()
    agents = sorted(beside.admin.network.agents(is_alive=True), key=lambda agent: agent.host)
    neighbours.stop(PRETENDED)
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
        neighbours.start(PRETENDED)
    beside.start("conductor")
    for server in servers:
        assert beside.wait(server, "ACTIVE", seconds=60).compute_host == agents[1].host
    assert {port.status for server in servers for port in beside.demo.network.ports(device_id=server)} == {"ACTIVE"}
    until("the agent back", lambda: len(list(beside.admin.network.agents(is_alive=True))) == 2, 60)
