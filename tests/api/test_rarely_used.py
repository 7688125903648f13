"""Operations which few clients know: topology, injectNetworkInfo, assisted snapshots, bare metal."""

from urllib.parse import quote

import pytest

from novalike.db import block_devices, instances
from novalike.objects.block_device import BlockDevice
from tests import factories
from tests.api import client

VOLUME, MISSING = "0e44cc9c-e052-415d-afbf-469b0d384170", "1e44cc9c-e052-415d-afbf-469b0d384170"
CREATE_INFO = {"snapshot_id": "s1", "type": "qcow2", "new_file": "new"}


@pytest.fixture
def server(sqlite):
    def make(**values):
        return sqlite.write(instances.create, [factories.instance(project_id=client.PROJECT, **values)])[0].uuid
    return make


def test_topology_without_numa(reader, stranger, server):
    uuid = server()
    assert reader.at("2.78").get(f"/servers/{uuid}/topology").json == {"nodes": [], "pagesize_kb": None}
    assert reader.at("2.77").get(f"/servers/{uuid}/topology").status == 404
    assert reader.at("2.102").get(f"/servers/{uuid}/topology?a=b").status == 400
    assert stranger.at("2.78").get(f"/servers/{uuid}/topology").status == 404


def test_inject_network_info_refreshes_addresses(admin, member, server, services, sqlite):
    old = factories.vif("10.0.0.5")
    uuid = server(network_info=(old,))
    services.networks.info = lambda caller, instance_uuid: (factories.vif("10.0.0.6", port_id=old.port_id),)
    assert member.post(f"/servers/{uuid}/action", {"injectNetworkInfo": None}).status == 403
    assert admin.post(f"/servers/{uuid}/action", {"injectNetworkInfo": None}).status == 202
    assert sqlite.fetch(instances.network_info, uuid)[0].fixed_ips[0].address == "10.0.0.6"
    assert admin.post(f"/servers/{server(host=None, node=None)}/action", {"injectNetworkInfo": {}}).status == 409
    assert admin.post(f"/servers/{MISSING}/action", {"injectNetworkInfo": {}}).status == 404


def test_assisted_snapshots_are_not_pretended(app, member, server, sqlite):
    service = client.Client(app, client.context("service"))
    device = BlockDevice(uuid="d1", source_type="volume", destination_type="volume", volume_id=VOLUME)
    sqlite.write(block_devices.create, server(), [device], now=factories.NOW)

    def create(volume, **info):
        return service.post("/os-assisted-volume-snapshots", {"snapshot": {"volume_id": volume, "create_info": {**CREATE_INFO, **info}}})

    def delete(info, caller=service):
        return caller.delete(f"/os-assisted-volume-snapshots/s1?delete_info={quote(info)}")
    assert create(VOLUME).status == 501
    assert (create(MISSING).status, create(MISSING).fault) == (400, f"No volume Block Device Mapping with id {MISSING}.")
    assert create(VOLUME, type="raw").status == 400
    assert delete(f'{{"volume_id": "{VOLUME}"}}').status == 501
    assert delete(f'{{"volume_id": "{MISSING}"}}').status == 404
    for malformed in ("", "{", "[]", "{}", '{"volume_id": 1}'):
        assert delete(malformed).status == 400, malformed
    assert delete(f'{{"volume_id": "{VOLUME}"}}', member).status == 403


def test_there_is_no_bare_metal_service(admin, member):
    for path in ("/os-baremetal-nodes", "/os-baremetal-nodes/n1"):
        answer = admin.at("2.35").get(path)
        assert (answer.status, answer.fault) == (501, "Ironic client unavailable, cannot access Ironic.")
        assert member.get(path).status == 403
        assert admin.at("2.36").get(path).status == 404
