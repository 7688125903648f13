"""NUMA cells, CPUs, pages and devices in the Compute API: refused early in Nova's words, and shown as they were granted."""

from __future__ import annotations

import pytest

from novalike.api.openstack.app import application
from novalike.db import flavors, instances
from novalike.objects.hardware import GuestCell, Hardware
from novalike.rpc import serializer
from tests import factories
from tests.api import client
from tests.api.client import PROJECT

PINNED = {"hw:cpu_policy": "dedicated", "hw:numa_nodes": "2", "pci_passthrough:alias": "nic:1"}
ALIAS = '{"name": "nic", "vendor_id": "8086"}'


@pytest.fixture
def create(services, sqlite):
    services.conf.set_override("alias", [ALIAS], group="pci")

    def make(specs, properties=None):
        sqlite.write(flavors.create, factories.flavor(flavorid="f", name="f", vcpus=2, memory_mb=512, root_gb=1, extra_specs=specs), now=factories.NOW)
        image = services.images.add(factories.image(properties=properties or {}))
        member = client.Client(application(services), client.context())
        return member.at("2.104").post("/servers", {"server": {"name": "n", "flavorRef": "f", "imageRef": image.id, "networks": "none"}})
    return make


@pytest.mark.parametrize(("specs", "properties", "text"), [
    ({"hw:cpu_policy": "shared"}, {"hw_cpu_policy": "dedicated"}, "Image property 'hw_cpu_policy' is not permitted to override CPU pinning"),
    ({"hw:numa_nodes": "3"}, {}, "Instance CPUs and/or memory cannot be evenly distributed"),
    ({"pci_passthrough:alias": "gpu:1"}, {}, "PCI alias gpu is not defined"),
    ({"hw:mem_page_size": "small"}, {"hw_mem_page_size": "large"}, "Page size large forbidden against 'small'"),
    ({"hw:cpu_realtime": "yes", "hw:cpu_policy": "dedicated"}, {}, "hw:cpu_realtime is not supported by this cloud."),
])
def test_a_wish_at_odds_with_itself_is_refused(create, specs, properties, text):
    answer = create(specs, properties)
    assert (answer.status, answer.fault[:len(text)]) == (400, text)


def test_a_wish_which_can_be_understood_is_taken(create):
    assert create(PINNED).status == 202


def test_the_topology_and_who_sees_the_host(admin, member, reader, sqlite):
    granted = Hardware(threads=2, cells=(
        GuestCell(host_cell=1, cpus=(0, 1), memory_mb=256, page_kb=2048, pins=((0, 4), (1, 20))),
        GuestCell(host_cell=0, cpus=(2, 3), memory_mb=256, page_kb=2048, pins=((2, 0), (3, 16))),
    ))
    [made] = sqlite.write(instances.create, [factories.instance(project_id=PROJECT)])
    sqlite.write(_grant, made.uuid, granted)
    nodes = [
        {"memory_mb": 256, "siblings": [[0, 1]], "vcpu_set": [0, 1]}, {"memory_mb": 256, "siblings": [[2, 3]], "vcpu_set": [2, 3]},
    ]
    assert reader.at("2.78").get(f"/servers/{made.uuid}/topology").json == {"nodes": nodes, "pagesize_kb": 2048}
    places = ({"host_node": 1, "cpu_pinning": {"0": 4, "1": 20}}, {"host_node": 0, "cpu_pinning": {"2": 0, "3": 16}})
    assert admin.at("2.78").get(f"/servers/{made.uuid}/topology").json == {
        "nodes": [{**node, **place} for node, place in zip(nodes, places, strict=True)], "pagesize_kb": 2048,
    }


def _grant(session, uuid, hardware):
    instances.lock(session, uuid).hardware = serializer.dump(Hardware, hardware)
