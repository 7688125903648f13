"""Networks and addresses as clients of nova-network's days ask for them, over the local network service."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest

from novalike.api.openstack.app import application
from novalike.db import instances
from novalike.network.local.service import LocalNetworks
from novalike.objects.network_info import RequestedNetwork
from novalike.objects.tasks import Caller
from tests import factories
from tests.api import client
from tests.api.client import PROJECT, USER

ADMIN = client.context(*client.ADMIN, project="adm1n")


@pytest.fixture
def networks(services):
    return LocalNetworks(services.conf, services.cells, services.clock)


@pytest.fixture
def app(services, networks):
    return application(replace(services, networks=networks.client))


@pytest.fixture
def inner(networks):
    ctxt = client.context()
    network = networks.networks.create(ctxt, [{"name": "net"}])[0]
    networks.subnets.create(ctxt, [{"network_id": network.id, "cidr": "10.0.0.0/24"}])
    return network


@pytest.fixture
def pool(networks, inner):
    """An external network, and a router to it."""
    ctxt = client.context()
    external = networks.networks.create(ADMIN, [{"name": "public", "external": True}])[0]
    networks.subnets.create(ADMIN, [{"network_id": external.id, "cidr": "203.0.113.0/28", "enable_dhcp": False}])
    router = networks.routers.create(ctxt, [{"name": "r", "gateway": {"network_id": external.id}}])[0]
    subnet_id = networks.networks.get(ctxt, inner.id).subnet_ids[0]
    networks.router_interfaces.add(ctxt, router.id, subnet_id=subnet_id, port_id=None)
    return external


@pytest.fixture
def server(sqlite, networks, inner):
    instance, caller = factories.instance(project_id=PROJECT), Caller(user_id=USER, project_id=PROJECT, request_id="r")
    vifs = networks.client.allocate(caller, instance, (RequestedNetwork(network_id=inner.id, fixed_ip="10.0.0.5"),), host="host-1")
    [stored] = sqlite.write(instances.create, [replace(instance, network_info=vifs)])
    return stored.uuid


def act(caller, server, word, **values):
    return caller.post(f"/servers/{server}/action", {word: values})


def shown(caller, server):
    return {(one["addr"], one["OS-EXT-IPS:type"]) for one in caller.get(f"/servers/{server}").json["server"]["addresses"]["net"]}


def test_networks_are_named_and_little_else(networks, inner, member, admin):
    networks.networks.create(ADMIN, [{"name": "hidden"}])
    [network] = member.get("/os-networks").json["networks"]
    assert (network["id"], network["label"], network["cidr"], "project_id" in network) == (inner.id, "net", None, False)
    assert admin.get(f"/os-networks/{inner.id}").json["network"]["mtu"] == 1500
    assert member.get(f"/os-networks/{uuid.uuid4()}").status == 404
    assert member.get("/os-tenant-networks").json["networks"] == [{"id": inner.id, "cidr": "None", "label": "net"}]
    assert member.get(f"/os-tenant-networks/{inner.id}").json["network"]["label"] == "net"
    assert member.get("/os-tenant-networks/nonsense").status == 404
    assert member.at("2.36").get("/os-networks").status == 404


def test_floating_ips_are_allocated_led_and_given_back(pool, server, member, reader, networks, sqlite):
    assert reader.get("/os-floating-ip-pools").json == {"floating_ip_pools": [{"name": "public"}]}
    made = member.post("/os-floating-ips", {"pool": "public"})
    assert (made.status, made.json["floating_ip"]["instance_id"]) == (200, None)
    floating = made.json["floating_ip"]
    assert member.post("/os-floating-ips", {"pool": "nonsense"}).status == 404
    assert act(member, server, "addFloatingIp", address=floating["ip"]).status == 202
    assert shown(member, server) == {("10.0.0.5", "fixed"), (floating["ip"], "floating")}
    [listed] = reader.get("/os-floating-ips").json["floating_ips"]
    assert listed == {**floating, "instance_id": server, "fixed_ip": "10.0.0.5"}
    assert act(member, server, "addFloatingIp", address="203.0.113.200").status == 404
    assert act(member, server, "addFloatingIp", address=floating["ip"], fixed_address="10.0.0.77").status == 400
    assert act(member, server, "addFloatingIp", address="nonsense").status == 400
    assert act(member, server, "removeFloatingIp", address=floating["ip"]).status == 202
    assert shown(member, server) == {("10.0.0.5", "fixed")}
    assert act(member, server, "removeFloatingIp", address=floating["ip"]).status == 409
    assert member.get("/os-floating-ips/nonsense").status == 400
    assert member.delete(f"/os-floating-ips/{floating['id']}").status == 202
    assert member.delete(f"/os-floating-ips/{floating['id']}").status == 404
    assert member.at("2.44").post(f"/servers/{server}/action", {"addFloatingIp": {"address": "1.2.3.4"}}).status == 404


def test_an_address_led_at_the_network_service_shows_at_the_server(pool, server, member, networks):
    ctxt = client.context()
    floating = networks.floating_ips.create(ctxt, [{"network_id": pool.id}])[0]
    port = member.get(f"/servers/{server}/os-interface").json["interfaceAttachments"][0]["port_id"]
    networks.floating_ips.update(ctxt, floating.id, {"port_id": port})
    assert (floating.address, "floating") in shown(member, server)
    networks.floating_ips.delete(ctxt, floating.id)
    assert shown(member, server) == {("10.0.0.5", "fixed")}


def test_a_server_gets_and_loses_fixed_addresses(inner, server, member):
    assert act(member, server, "addFixedIp", networkId=inner.id).status == 202
    [added] = {address for address, _ in shown(member, server)} - {"10.0.0.5"}
    assert act(member, server, "addFixedIp", networkId=str(uuid.uuid4())).status == 404
    assert act(member, server, "removeFixedIp", address=added).status == 202
    assert act(member, server, "removeFixedIp", address=added).status == 400
    assert shown(member, server) == {("10.0.0.5", "fixed")}
