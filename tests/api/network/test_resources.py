"""Networks, subnets and ports, as stock clients ask for them."""

from __future__ import annotations

import uuid
from types import SimpleNamespace

import pytest

from novalike.api.http.application import Application
from novalike.api.network.attributes import Attribute
from novalike.api.network.collection import MAX_LIMIT, Collection
from novalike.api.network.dialect import NetworkDialect
from tests.api import client


def fault(answer):
    return answer.status, answer.json["NeutronError"]["type"]


@pytest.fixture
def network(member):
    return member.make("network", name="net")


@pytest.fixture
def subnet(member, network):
    return member.make("subnet", network_id=network["id"], ip_version=4, cidr="10.0.0.0/24", name="sub")


def test_discovery(nobody, member) -> None:
    assert nobody.under("").get("/").json["versions"][0]["id"] == "v2.0"
    assert {r["collection"] for r in nobody.get("/").json["resources"]} >= {"networks", "ports"}
    aliases = {extension["alias"] for extension in member.get("/extensions").json["extensions"]}
    assert {"security-group", "port-security", "quotas"} <= aliases
    assert "trunk" not in aliases
    assert member.get("/extensions/quotas").json["extension"]["alias"] == "quotas"
    assert member.get("/extensions/trunk").status == 404
    assert fault(member.get("/trunks")) == (404, "HTTPNotFound")
    assert nobody.get("/networks").status == 401


def test_a_network_is_shown_as_clients_expect(member, admin, network, subnet) -> None:
    shown = member.get(f"/networks/{network['id']}").json["network"]
    assert {"status": "ACTIVE", "name": "net", "admin_state_up": True, "shared": False, "router:external": False, "mtu": 1500, "subnets": [subnet["id"]]}.items() <= shown.items()
    assert shown["tenant_id"] == shown["project_id"]
    assert shown["created_at"].endswith("Z")
    assert "provider:network_type" not in shown
    assert admin.get(f"/networks/{network['id']}").json["network"]["provider:network_type"] == "flat"


def test_a_subnet_is_shown_as_clients_expect(subnet) -> None:
    assert {
        "cidr": "10.0.0.0/24", "gateway_ip": "10.0.0.1", "ip_version": 4, "enable_dhcp": True, "dns_nameservers": [], "host_routes": [],
        "allocation_pools": [{"start": "10.0.0.2", "end": "10.0.0.254"}], "subnetpool_id": None,
    }.items() <= subnet.items()


def test_a_port_is_shown_as_clients_expect(member, admin, network, subnet) -> None:
    port = member.make("port", network_id=network["id"], name="p", fixed_ips=[{"ip_address": "10.0.0.7"}])
    assert port["fixed_ips"] == [{"subnet_id": subnet["id"], "ip_address": "10.0.0.7"}]
    assert (port["status"], port["binding:vnic_type"], port["device_owner"]) == ("DOWN", "normal", "")
    assert len(port["security_groups"]) == 1
    assert "binding:host_id" not in port
    bound = admin("PUT", f"/ports/{port['id']}", {"port": {"binding:host_id": "h1"}}).json["port"]
    assert (bound["binding:host_id"], bound["binding:vif_type"], bound["status"]) == ("h1", "bridge", "ACTIVE")


def test_foreign_things_answer_like_missing_ones(member, stranger, network, subnet) -> None:
    port = member.make("port", network_id=network["id"])
    for path, kind in ((f"/networks/{network['id']}", "NetworkNotFound"), (f"/subnets/{subnet['id']}", "SubnetNotFound"), (f"/ports/{port['id']}", "PortNotFound")):
        assert fault(stranger.get(path)) == (404, kind)
        assert fault(stranger.delete(path)) == (404, kind)
    assert fault(stranger.post("/ports", {"port": {"network_id": network["id"]}})) == (404, "NetworkNotFound")
    assert stranger.get("/networks").json == {"networks": []}


@pytest.mark.parametrize(("path", "body", "expected"), [
    ("/networks", {"network": {"nonsense": 1}}, (400, "HTTPBadRequest")),
    ("/networks", {"network": {"shared": True}}, (403, "PolicyNotAuthorized")),
    ("/networks", {"network": {"router:external": True}}, (403, "PolicyNotAuthorized")),
    ("/networks", {"network": {"name": "x" * 256}}, (400, "HTTPBadRequest")),
    ("/networks", {"network": {"project_id": "0ther"}}, (400, "HTTPBadRequest")),
    ("/networks", {"network": {"mtu": 9000}}, (400, "InvalidInput")),
    ("/networks", {}, (400, "HTTPBadRequest")),
    ("/networks", [], (400, "HTTPBadRequest")),
    ("/subnets", {"subnet": {"network_id": str(uuid.uuid4()), "ip_version": 4, "cidr": "10.0.0.0/24"}}, (404, "NetworkNotFound")),
    ("/subnets", {"subnet": {"ip_version": 4, "cidr": "10.0.0.0/24"}}, (400, "HTTPBadRequest")),
    ("/ports", {"port": {"network_id": "nonsense"}}, (400, "HTTPBadRequest")),
    ("/ports", {"port": {"network_id": str(uuid.uuid4())}}, (404, "NetworkNotFound")),
])
def test_wrong_input_is_refused_in_neutrons_words(member, path, body, expected) -> None:
    assert fault(member.post(path, body)) == expected


def test_address_errors_have_neutrons_types(member, network, subnet) -> None:
    def port(**values):
        return fault(member.post("/ports", {"port": {"network_id": network["id"], **values}}))

    member.make("port", network_id=network["id"], fixed_ips=[{"ip_address": "10.0.0.9"}], mac_address="fa:16:3e:00:00:09")
    assert port(fixed_ips=[{"ip_address": "10.0.0.9"}]) == (409, "IpAddressAlreadyAllocated")
    assert port(fixed_ips=[{"ip_address": "10.9.0.9"}]) == (400, "InvalidIpForNetwork")
    assert port(fixed_ips=[{"subnet_id": subnet["id"], "ip_address": "10.9.0.9"}]) == (400, "InvalidIpForSubnet")
    assert port(mac_address="fa:16:3e:00:00:09") == (409, "MacAddressInUse")
    assert port(security_groups=[str(uuid.uuid4())]) == (404, "SecurityGroupNotFound")
    tiny = member.make("network", name="tiny")
    member.make("subnet", network_id=tiny["id"], ip_version=4, cidr="10.1.0.0/30")
    member.make("port", network_id=tiny["id"])
    assert fault(member.post("/ports", {"port": {"network_id": tiny["id"]}})) == (409, "IpAddressGenerationFailure")
    assert fault(member.delete(f"/networks/{tiny['id']}")) == (409, "NetworkInUse")


def test_bulk_creation_is_all_or_nothing(member, network, subnet) -> None:
    made = member.post("/ports", {"ports": [{"network_id": network["id"], "name": f"p{n}"} for n in range(3)]})
    assert (made.status, [port["name"] for port in made.json["ports"]]) == (201, ["p0", "p1", "p2"])
    wrong = {"ports": [{"network_id": network["id"], "name": "good"}, {"network_id": network["id"], "fixed_ips": [{"ip_address": "10.9.9.9"}]}]}
    assert member.post("/ports", wrong).status == 400
    assert member.get("/ports?name=good").json == {"ports": []}


def test_lists_filter_sort_page_and_choose_fields(member, network, subnet) -> None:
    member.post("/ports", {"ports": [{"network_id": network["id"], "name": f"p{n}", "device_id": f"d{n % 2}"} for n in range(5)]})
    assert {p["name"] for p in member.get("/ports?device_id=d1").json["ports"]} == {"p1", "p3"}
    assert {p["name"] for p in member.get("/ports?name=p0&name=p4&admin_state_up=true").json["ports"]} == {"p0", "p4"}
    assert member.get("/ports?fixed_ips=ip_address%3D10.0.0.2&fields=name").json["ports"] == [{"name": "p0"}]
    assert [p["name"] for p in member.get("/ports?sort_key=name&sort_dir=desc&fields=name").json["ports"]] == ["p4", "p3", "p2", "p1", "p0"]
    assert fault(member.get("/ports?sort_key=nonsense&sort_dir=asc")) == (400, "HTTPBadRequest")
    assert fault(member.get("/ports?marker=nonsense")) == (400, "HTTPBadRequest")
    seen, path = [], "/ports?limit=2&sort_key=name&sort_dir=asc"
    while path:
        page = member.get(path).json
        seen += [port["name"] for port in page["ports"]]
        links = [link for link in page.get("ports_links", []) if link["rel"] == "next"]
        path = links[0]["href"].partition("/v2.0")[2] if links else None
    assert seen == ["p0", "p1", "p2", "p3", "p4"]
    assert member.get("/networks?shared=False&name=net").json["networks"][0]["id"] == network["id"]
    assert member.get("/networks?router:external=True").json["networks"] == []


def test_updates(member, network, subnet) -> None:
    assert member("PUT", f"/networks/{network['id']}", {"network": {"name": "new", "description": "d"}}).json["network"]["name"] == "new"
    changed = member("PUT", f"/subnets/{subnet['id']}", {"subnet": {"dns_nameservers": ["1.1.1.1"], "gateway_ip": None}}).json["subnet"]
    assert (changed["dns_nameservers"], changed["gateway_ip"], changed["revision_number"]) == (["1.1.1.1"], None, 2)
    port = member.make("port", network_id=network["id"])
    assert member("PUT", f"/ports/{port['id']}", {"port": {"security_groups": []}}).json["port"]["security_groups"] == []
    assert member("PUT", f"/subnets/{subnet['id']}", {"subnet": {"cidr": "10.2.0.0/24"}}).status == 400
    assert member.delete(f"/ports/{port['id']}").status == 204


def test_readers_only_read(reader, member, network) -> None:
    assert reader.get("/networks").json["networks"]
    assert reader.post("/networks", {"network": {}}).status == 403
    assert reader.delete(f"/networks/{network['id']}").status == 403


def test_a_list_without_a_limit_is_paged_too(services) -> None:
    things = [SimpleNamespace(id=f"{number:04d}") for number in range(MAX_LIMIT + 1)]
    collection = Collection(
        "network", "networks", (Attribute(name="id"),), None, list_page=lambda _request, listing: things[:listing.limit],
    )
    app = Application("network", collection.routes()[:1], dialect=NetworkDialect(), enforcer=services.enforcer)
    page = client.Client(app, client.context(), prefix="/v2.0").get("/networks").json
    assert len(page["networks"]) == MAX_LIMIT
    assert page["networks_links"][0]["href"].endswith(f"/v2.0/networks?marker={MAX_LIMIT - 1:04d}")


def test_lists_are_not_filtered_by_times(member) -> None:
    answer = member.get("/networks?created_at=2026-11-21T12:00:00Z")
    assert answer.status == 400
    assert "created_at" in answer.json["NeutronError"]["message"]


@pytest.mark.parametrize("text", ["", "x", "9" * 30, "4x"])
def test_a_filter_that_is_no_number_finds_nothing_in_a_number(member, subnet, text) -> None:
    assert member.get("/subnets?ip_version=4").json["subnets"]
    assert member.get(f"/subnets?ip_version={text}").json == {"subnets": []}
