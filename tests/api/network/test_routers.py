"""Routers, floating IPs, subnet pools and what surrounds them, as stock clients ask for them."""

from __future__ import annotations

import uuid

import pytest

from novalike.db import hosts
from novalike.network.local import desired


def fault(answer):
    return answer.status, answer.json["NeutronError"]["type"]


@pytest.fixture
def agent(services):
    """A network agent which lives."""
    services.cells.cell("cell1").write(hosts.report_service, host="h1", binary="novalike-network", topic="network")
    return "h1"


@pytest.fixture
def external(admin):
    network = admin.make("network", name="ext", **{"router:external": True, "is_default": True})
    admin.make("subnet", network_id=network["id"], ip_version=4, cidr="172.24.4.0/28", enable_dhcp=False)
    return network


@pytest.fixture
def inner(member):
    network = member.make("network", name="inner")
    subnet = member.make("subnet", network_id=network["id"], ip_version=4, cidr="10.0.0.0/24")
    return network, subnet


@pytest.fixture
def router(agent, member, external, inner):
    made = member.make("router", name="r", external_gateway_info={"network_id": external["id"]})
    assert put(member, f"/routers/{made['id']}/add_router_interface", subnet_id=inner[1]["id"]).status == 200
    return made


def put(caller, path, **body):
    return caller("PUT", path, body)


def test_a_router_is_shown_as_clients_expect(member, admin, router, external, inner) -> None:
    shown = member.get(f"/routers/{router['id']}").json["router"]
    assert {"name": "r", "status": "ACTIVE", "admin_state_up": True, "routes": [], "tags": []}.items() <= shown.items()
    gateway = shown["external_gateway_info"]
    assert (gateway["network_id"], gateway["enable_snat"]) == (external["id"], True)
    assert gateway["external_fixed_ips"][0]["ip_address"].startswith("172.24.4.")
    legs = member.get(f"/ports?device_id={router['id']}").json["ports"]
    assert [(leg["device_owner"], leg["fixed_ips"][0]["ip_address"]) for leg in legs] == [("network:router_interface", "10.0.0.1")]
    assert {leg["device_owner"] for leg in admin.get(f"/ports?device_id={router['id']}").json["ports"]} == {"network:router_interface", "network:router_gateway"}
    assert admin.get(f"/ports?device_id={router['id']}").json["ports"][0]["binding:host_id"] == "h1"
    listed = member.get("/routers?name=r&fields=id").json["routers"]
    assert listed == [{"id": router["id"]}]


def test_interfaces_are_refused_in_neutrons_words(member, stranger, router, inner) -> None:
    path = f"/routers/{router['id']}/add_router_interface"
    assert fault(put(member, path)) == (400, "BadRequest")
    assert fault(put(member, path, subnet_id=inner[1]["id"])) == (400, "BadRequest")
    assert fault(put(member, path, subnet_id=str(uuid.uuid4()))) == (404, "SubnetNotFound")
    assert fault(put(member, path, subnet_id="nonsense")) == (400, "HTTPBadRequest")
    assert fault(put(stranger, path, subnet_id=inner[1]["id"])) == (404, "RouterNotFound")
    overlapping = member.make("network")
    subnet = member.make("subnet", network_id=overlapping["id"], ip_version=4, cidr="10.0.0.128/25")
    assert fault(put(member, path, subnet_id=subnet["id"])) == (400, "BadRequest")
    lonely = member.make("subnet", network_id=overlapping["id"], ip_version=4, cidr="10.9.0.0/24", gateway_ip=None)
    assert fault(put(member, path, subnet_id=lonely["id"])) == (400, "BadRequest")
    port = member.make("port", network_id=overlapping["id"], fixed_ips=[{"subnet_id": lonely["id"]}])
    joined = put(member, path, port_id=port["id"])
    assert (joined.status, joined.json["subnet_id"]) == (200, lonely["id"])
    assert fault(put(member, path, port_id=port["id"])) == (409, "PortInUse")
    assert fault(member.delete(f"/ports/{port['id']}")) == (409, "ServicePortInUse")
    assert fault(member.delete(f"/routers/{router['id']}")) == (409, "RouterInUse")
    assert fault(member.delete(f"/subnets/{inner[1]['id']}")) == (409, "SubnetInUse")
    assert fault(put(member, f"/subnets/{inner[1]['id']}", subnet={"gateway_ip": "10.0.0.254"})) == (409, "GatewayIpInUse")
    away = f"/routers/{router['id']}/remove_router_interface"
    assert fault(put(member, away, port_id=str(uuid.uuid4()))) == (404, "RouterInterfaceNotFound")
    assert put(member, away, port_id=port["id"]).status == 200
    assert put(member, away, subnet_id=inner[1]["id"]).status == 200
    assert fault(put(member, away, subnet_id=inner[1]["id"])) == (404, "RouterInterfaceNotFoundForSubnet")
    assert member.delete(f"/routers/{router['id']}").status == 204
    assert fault(member.get(f"/routers/{router['id']}")) == (404, "RouterNotFound")


def test_nobody_makes_his_port_part_of_anothers_router(member, stranger, router) -> None:
    network = stranger.make("network")
    values = {"network_id": network["id"], "device_id": router["id"], "device_owner": "network:router_interface"}
    assert fault(stranger.post("/ports", {"port": values})) == (403, "PolicyNotAuthorized")
    port = stranger.make("port", network_id=network["id"])
    assert fault(put(stranger, f"/ports/{port['id']}", port={"device_owner": "network:router_gateway"})) == (403, "PolicyNotAuthorized")
    leg = member.get(f"/ports?device_id={router['id']}").json["ports"][0]
    assert fault(put(member, f"/ports/{leg['id']}", port={"device_id": "x"})) == (409, "ServicePortInUse")
    assert put(member, f"/ports/{leg['id']}", port={"name": "leg"}).status == 200


def test_gateways(member, admin, router, external, inner) -> None:
    path = f"/routers/{router['id']}"
    assert fault(put(member, path, router={"external_gateway_info": {"network_id": inner[0]["id"]}})) == (400, "BadRequest")
    assert fault(put(member, path, router={"external_gateway_info": {"network_id": external["id"], "enable_snat": False}})) == (403, "PolicyNotAuthorized")
    assert put(admin, path, router={"external_gateway_info": {"network_id": external["id"], "enable_snat": False}}).json["router"]["external_gateway_info"]["enable_snat"] is False
    assert fault(admin.delete(f"/networks/{external['id']}")) == (409, "NetworkInUse")
    assert fault(put(admin, f"/networks/{external['id']}", network={"router:external": False})) == (409, "ExternalNetworkInUse")
    chosen = put(admin, path, router={"external_gateway_info": {"network_id": external["id"], "external_fixed_ips": [{"ip_address": "172.24.4.9"}]}})
    assert chosen.json["router"]["external_gateway_info"]["external_fixed_ips"][0]["ip_address"] == "172.24.4.9"
    assert put(member, path, router={"external_gateway_info": {}}).json["router"]["external_gateway_info"] is None
    assert put(member, path, router={"external_gateway_info": {"network_id": external["id"]}}).status == 200
    assert put(member, path, router={"external_gateway_info": None}).json["router"]["external_gateway_info"] is None
    assert admin.delete(f"/networks/{external['id']}").status == 204


def test_routes(member, router) -> None:
    path = f"/routers/{router['id']}"

    def routes(*given, at=""):
        return put(member, path + at, router={"routes": [{"destination": to, "nexthop": via} for to, via in given]})

    assert routes(("10.5.0.0/16", "10.0.0.7")).json["router"]["routes"] == [{"destination": "10.5.0.0/16", "nexthop": "10.0.0.7"}]
    for wrong in (("10.5.0.0/16", "10.9.0.7"), ("10.5.0.0/16", "10.0.0.1"), ("nonsense", "10.0.0.7"), ("2001:db8::/64", "10.0.0.7")):
        assert fault(routes(wrong)) == (400, "InvalidRoutes"), wrong
    assert fault(routes(*[(f"10.{n}.0.0/16", "10.0.0.7") for n in range(1, 32)])) == (400, "RoutesExhausted")
    assert len(routes(("10.6.0.0/16", "10.0.0.7"), at="/add_extraroutes").json["router"]["routes"]) == 2
    assert routes(("10.5.0.0/16", "10.0.0.7"), at="/remove_extraroutes").json["router"]["routes"] == [{"destination": "10.6.0.0/16", "nexthop": "10.0.0.7"}]
    subnet = member.get("/subnets").json["subnets"][0]["id"]
    assert fault(put(member, f"{path}/remove_router_interface", subnet_id=subnet)) == (409, "RouterInterfaceInUseByRoute")


def test_a_floating_ip_is_led_moved_and_given_back(services, member, stranger, router, external, inner) -> None:
    first, second = (member.make("port", network_id=inner[0]["id"]) for _ in range(2))
    floating = member.make("floatingip", floating_network_id=external["id"], description="d")
    assert (floating["status"], floating["port_id"], floating["floating_ip_address"][:9]) == ("DOWN", None, "172.24.4.")
    path = f"/floatingips/{floating['id']}"
    assert fault(stranger.get(path)) == (404, "FloatingIPNotFound")
    led = put(member, path, floatingip={"port_id": first["id"]}).json["floatingip"]
    assert (led["status"], led["router_id"], led["fixed_ip_address"]) == ("ACTIVE", router["id"], first["fixed_ips"][0]["ip_address"])
    assert led["port_details"]["mac_address"] == first["mac_address"]

    def told():
        found = desired.fetch(services.cells.shared, "h1", 0).routers
        return next(one.floating for one in found if one.id == router["id"])

    assert told() == ((floating["floating_ip_address"], first["fixed_ips"][0]["ip_address"]),)
    other = member.make("floatingip", floating_network_id=external["id"])
    assert fault(put(member, f"/floatingips/{other['id']}", floatingip={"port_id": first["id"]})) == (409, "FloatingIPPortAlreadyAssociated")
    assert put(member, path, floatingip={"port_id": second["id"]}).json["floatingip"]["fixed_ip_address"] == second["fixed_ips"][0]["ip_address"]
    assert told() == ((floating["floating_ip_address"], second["fixed_ips"][0]["ip_address"]),)
    assert fault(put(member, f"/routers/{router['id']}", router={"external_gateway_info": None})) == (409, "RouterExternalGatewayInUseByFloatingIp")
    assert fault(put(member, f"/routers/{router['id']}/remove_router_interface", subnet_id=inner[1]["id"])) == (409, "RouterInterfaceInUseByFloatingIP")
    assert [f["id"] for f in member.get(f"/floatingips?port_id={second['id']}").json["floatingips"]] == [floating["id"]]
    assert [f["id"] for f in member.get("/floatingips?status=ACTIVE").json["floatingips"]] == [floating["id"]]
    assert put(member, path, floatingip={}).json["floatingip"]["port_id"] is None, "an empty change leads it nowhere, as in Neutron"
    assert put(member, path, floatingip={"port_id": second["id"]}).status == 200
    assert member.delete(f"/ports/{second['id']}").status == 204
    assert (member.get(path).json["floatingip"]["status"], told()) == ("DOWN", ())
    put(member, path, floatingip={"port_id": first["id"]})
    assert put(member, path, floatingip={"port_id": None}).json["floatingip"]["fixed_ip_address"] is None
    assert member.delete(path).status == 204
    assert fault(member.delete(path)) == (404, "FloatingIPNotFound")


def test_floating_ips_are_refused_in_neutrons_words(member, admin, router, external, inner, agent) -> None:
    def floating(caller=member, **values):
        return fault(caller.post("/floatingips", {"floatingip": {"floating_network_id": external["id"], **values}}))

    assert floating(floating_network_id=inner[0]["id"]) == (400, "BadRequest")
    assert floating(floating_network_id=str(uuid.uuid4())) == (404, "NetworkNotFound")
    assert floating(floating_ip_address="172.24.4.12") == (403, "PolicyNotAuthorized")
    assert floating(fixed_ip_address="10.0.0.9") == (400, "BadRequest")
    assert floating(port_id=str(uuid.uuid4())) == (404, "PortNotFound")
    far = member.make("network")
    member.make("subnet", network_id=far["id"], ip_version=4, cidr="10.3.0.0/24")
    unrouted = member.make("port", network_id=far["id"])
    assert floating(port_id=unrouted["id"]) == (404, "ExternalGatewayForFloatingIPNotFound")
    several = member.make("port", network_id=inner[0]["id"], fixed_ips=[{"ip_address": "10.0.0.20"}, {"ip_address": "10.0.0.21"}])
    assert floating(port_id=several["id"]) == (400, "BadRequest")
    assert floating(port_id=several["id"], fixed_ip_address="10.0.0.22") == (400, "BadRequest")
    made = member.make("floatingip", floating_network_id=external["id"], port_id=several["id"], fixed_ip_address="10.0.0.21")
    assert made["fixed_ip_address"] == "10.0.0.21"
    assert put(member, f"/ports/{several['id']}", port={"fixed_ips": [{"ip_address": "10.0.0.20"}]}).status == 200
    assert member.get(f"/floatingips/{made['id']}").json["floatingip"]["port_id"] is None
    chosen = admin.make("floatingip", floating_network_id=external["id"], floating_ip_address="172.24.4.12")
    assert chosen["floating_ip_address"] == "172.24.4.12"
    assert floating(admin, floating_ip_address="172.24.4.12") == (409, "IpAddressAlreadyAllocated")


def test_limits_hold_for_routers_and_floating_ips(member, admin, external) -> None:
    project = member.make("network")["project_id"]
    assert put(admin, f"/quotas/{project}", quota={"router": 1, "floatingip": 0}).json["quota"]["router"] == 1
    member.make("router")
    assert fault(member.post("/routers", {"router": {}})) == (409, "OverQuota")
    assert fault(member.post("/floatingips", {"floatingip": {"floating_network_id": external["id"]}})) == (409, "OverQuota")
    assert member.get(f"/quotas/{project}/details").json["quota"]["router"]["used"] == 1


def test_a_router_made_before_any_agent_lives_finds_a_host(services, member, inner) -> None:
    router = member.make("router")
    put(member, f"/routers/{router['id']}/add_router_interface", subnet_id=inner[1]["id"])
    assert member.get(f"/routers/{router['id']}").json["router"]["availability_zones"] == []
    told = desired.fetch(services.cells.shared, "late", 0)
    assert [one.id for one in told.routers] == [router["id"]]
    assert [network.id for network in told.networks] == [inner[0]["id"]]
    subnet = told.networks[0].subnets[0]
    assert (subnet.routed, subnet.gateway, subnet.server) == (True, "10.0.0.1", "10.0.0.2"), "DHCP is served beside the router"
    put(member, f"/routers/{router['id']}/remove_router_interface", subnet_id=inner[1]["id"])
    after = desired.fetch(services.cells.shared, "late", told.revision)
    assert (after.gone, after.routers[0].legs) == ((inner[0]["id"],), ())


def test_subnet_pools(member, admin, stranger) -> None:
    network = member.make("network")
    pool = member.make("subnetpool", name="p", prefixes=["10.20.0.0/16", "10.21.0.0/16"], default_prefixlen=24)
    assert (pool["prefixes"], pool["min_prefixlen"], pool["max_prefixlen"], pool["ip_version"]) == (["10.20.0.0/15"], "8", "32", 4)
    cut = [member.make("subnet", network_id=network["id"], ip_version=4, subnetpool_id=pool["id"], **more)["cidr"] for more in ({}, {"prefixlen": 20}, {})]
    assert cut == ["10.20.0.0/24", "10.20.16.0/20", "10.20.1.0/24"]

    def subnet(**values):
        return fault(member.post("/subnets", {"subnet": {"network_id": network["id"], "ip_version": 4, "subnetpool_id": pool["id"], **values}}))

    assert subnet(cidr="10.20.0.128/25") == (409, "SubnetAllocationError")
    assert subnet(cidr="10.99.0.0/24") == (409, "SubnetAllocationError")
    assert subnet(cidr="10.20.4.0/24", prefixlen=24) == (400, "BadRequest")
    assert subnet(prefixlen=4) == (400, "InvalidPrefixLength")
    assert subnet(subnetpool_id=str(uuid.uuid4())) == (404, "SubnetPoolNotFound")
    assert subnet(subnetpool_id=None) == (400, "BadRequest")
    assert fault(stranger.get(f"/subnetpools/{pool['id']}")) == (404, "SubnetPoolNotFound")
    assert fault(member.delete(f"/subnetpools/{pool['id']}")) == (409, "SubnetPoolInUse")
    assert fault(put(member, f"/subnetpools/{pool['id']}", subnetpool={"prefixes": ["10.20.0.0/16"]})) == (400, "InvalidInput")
    assert put(member, f"/subnetpools/{pool['id']}", subnetpool={"prefixes": ["10.20.0.0/14"]}).status == 200
    assert fault(member.post("/subnetpools", {"subnetpool": {"prefixes": ["10.0.0.0/8"], "shared": True}})) == (403, "PolicyNotAuthorized")
    assert fault(member.post("/subnetpools", {"subnetpool": {"prefixes": ["10.0.0.0/8", "2001:db8::/32"]}})) == (400, "InvalidInput")


def test_tags_are_put_on_and_found_by(member, stranger) -> None:
    ids = {name: member.make("network", name=name)["id"] for name in ("a", "b", "c")}
    assert put(member, f"/networks/{ids['a']}/tags", tags=["red", "x%y"]).json == {"tags": ["red", "x%y"]}
    assert put(member, f"/networks/{ids['b']}/tags/red").status == 201
    assert put(member, f"/networks/{ids['b']}/tags/blue").status == 201
    assert member.get(f"/networks/{ids['b']}/tags/blue").status == 204
    assert fault(member.get(f"/networks/{ids['b']}/tags/green")) == (404, "TagNotFound")
    assert fault(put(stranger, f"/networks/{ids['a']}/tags", tags=["evil"])) == (404, "NetworkNotFound")

    def found(query):
        return "".join(sorted(n["name"] for n in member.get(f"/networks?{query}").json["networks"]))

    assert [found(q) for q in ("tags=red", "tags=red,blue", "tags-any=x%25y,blue", "not-tags=red", "not-tags-any=blue,x%25y")] == ["ab", "b", "ab", "c", "c"]
    assert member.get(f"/networks/{ids['b']}").json["network"]["tags"] == ["blue", "red"]
    assert member.delete(f"/networks/{ids['b']}/tags/red").status == 204
    assert member.delete(f"/networks/{ids['a']}/tags").status == 204
    assert found("tags=red") == ""
    assert found("tags=") == found("tags-any=,") == found("")


def test_addresses_in_use_are_counted(member, admin, inner) -> None:
    member.make("port", network_id=inner[0]["id"])
    shown = admin.get(f"/network-ip-availabilities/{inner[0]['id']}").json["network_ip_availability"]
    assert (shown["total_ips"], shown["used_ips"], shown["subnet_ip_availability"][0]["cidr"]) == (253, 1, "10.0.0.0/24")
    assert [n["network_name"] for n in admin.get("/network-ip-availabilities?ip_version=4&network_name=inner").json["network_ip_availabilities"]] == ["inner"]
    assert member.get("/network-ip-availabilities").status == 403


def test_a_project_gets_its_network_on_demand(agent, services, member, admin, external) -> None:
    services.conf.set_override("on_demand_range", "", group="network")
    project = member.make("network", name="x")["project_id"]
    path = f"/auto-allocated-topology/{project}"
    assert fault(member.get(f"{path}?fields=dry-run")) == (409, "AutoAllocationFailure")
    admin.make("subnetpool", prefixes=["10.64.0.0/16"], default_prefixlen=26, is_default=True, shared=True)
    assert member.get(f"{path}?fields=dry-run").json["auto_allocated_topology"]["id"] == "dry-run=pass"
    made = member.get(path).json["auto_allocated_topology"]
    assert member.get(path).json["auto_allocated_topology"] == made
    assert [s["cidr"] for s in member.get(f"/subnets?network_id={made['id']}").json["subnets"]] == ["10.64.0.0/26"]
    assert member.get("/routers").json["routers"][0]["external_gateway_info"]["network_id"] == external["id"]
    port = member.make("port", network_id=made["id"])
    assert fault(member.delete(path)) == (409, "NetworkInUse")
    member.delete(f"/ports/{port['id']}")
    assert member.delete(path).status == 204
    assert member.get("/routers").json["routers"] == []


def test_a_network_on_demand_where_nothing_is_prepared(services, member, admin) -> None:
    project = member.make("network", name="x")["project_id"]
    admin.make("subnet", network_id=admin.make("network")["id"], cidr="10.64.0.64/27", ip_version=4)
    path = f"/auto-allocated-topology/{project}"
    made = [member.get(path).json["auto_allocated_topology"]["id"] for _ in range(2)]
    assert made[0] == made[1]
    assert [s["cidr"] for s in member.get(f"/subnets?network_id={made[0]}").json["subnets"]] == ["10.64.0.0/26"]
    services.conf.set_override("on_demand_range", "10.64.0.0/26", group="network")
    assert member.get(path).json["auto_allocated_topology"]["id"] == made[0], "a range which is used up is no trouble to who has a subnet"
    assert fault(admin.get("/auto-allocated-topology/late")) == (409, "AutoAllocationFailure")
    services.conf.clear_override("on_demand_range", group="network")
    other = admin.get("/auto-allocated-topology/another").json["auto_allocated_topology"]["id"]
    assert [s["cidr"] for s in admin.get(f"/subnets?network_id={other}").json["subnets"]] == ["10.64.0.128/26"]
    assert member.get("/routers").json["routers"] == []


def test_dhcp_options_of_a_port(member, inner) -> None:
    port = member.make("port", network_id=inner[0]["id"], extra_dhcp_opts=[{"opt_name": "tftp-server", "opt_value": "10.0.0.9"}])
    changed = put(member, f"/ports/{port['id']}", port={"extra_dhcp_opts": [{"opt_name": "tftp-server", "opt_value": None}, {"opt_name": "ntp-server", "opt_value": "1.2.3.4"}]})
    assert changed.json["port"]["extra_dhcp_opts"] == [{"opt_name": "ntp-server", "opt_value": "1.2.3.4", "ip_version": 4}]
    assert put(member, f"/ports/{port['id']}", port={"extra_dhcp_opts": [{"opt_name": "evil", "opt_value": "x\nlog-facility=/etc/passwd"}]}).status == 400


def test_networks_of_physical_wires(admin, member) -> None:
    def make(**values):
        return admin.post("/networks", {"network": {f"provider:{name}": value for name, value in values.items()}})

    vlan = make(network_type="vlan", physical_network="wire").json["network"]
    assert (vlan["provider:segmentation_id"], vlan["provider:physical_network"]) == (100, "wire")
    assert fault(make(network_type="vlan", physical_network="wire", segmentation_id=100)) == (409, "NoNetworkAvailable")
    assert make(network_type="vlan", physical_network="other", segmentation_id=100).status == 201
    assert make(network_type="vxlan", segmentation_id=100).status == 201
    for wrong in ({"network_type": "vlan"}, {"network_type": "vlan", "physical_network": "wire", "segmentation_id": 4095}, {"network_type": "flat", "segmentation_id": 5}, {"network_type": "vxlan", "physical_network": "wire"}):
        assert fault(make(**wrong)) == (400, "InvalidInput"), wrong
    assert make(network_type="flat", physical_network="wire").status == 201
    assert fault(make(network_type="flat", physical_network="wire")) == (400, "InvalidInput")
    assert "provider:physical_network" not in member.make("network")


def test_administrators_see_where_routers_run(services, member, admin, router) -> None:
    agents = admin.get(f"/routers/{router['id']}/l3-agents").json["agents"]
    assert [(agent["host"], agent["alive"]) for agent in agents] == [("h1", True)]
    hosted = admin.get(f"/agents/{agents[0]['id']}/l3-routers").json["routers"]
    assert hosted == [admin.get(f"/routers/{router['id']}").json["router"]]
    services.cells.cell("cell1").write(hosts.report_service, host="h2", binary="novalike-network", topic="network")
    assert admin.put(f"/agents/{agents[0]['id']}", {"agent": {"admin_state_up": False}}).status == 200
    for periodic in services.local["network"].recovery:
        periodic.function()                      # as the conductor does
    assert [agent["host"] for agent in admin.get(f"/routers/{router['id']}/l3-agents").json["agents"]] == ["h2"]
    assert admin.get(f"/agents/{agents[0]['id']}/l3-routers").json == {"routers": []}
    assert member.get(f"/routers/{router['id']}/l3-agents").status == 403
    assert admin.get(f"/routers/{uuid.uuid4()}/l3-agents").status == 404
