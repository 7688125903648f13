"""What orders carry of volumes, and a cloud without any."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from novalike.exception import NotBuilt
from novalike.objects.block_device import BlockDevice
from novalike.rpc import serializer
from novalike.volume import connections
from novalike.volume.client import NoVolumes
from tests.factories_instances import CALLER
from tests.fakes.volumes import Volumes

LOCAL = BlockDevice(uuid="1", source_type="blank", destination_type="local")


def attached(volumes: Volumes, **values) -> BlockDevice:
    volume = volumes.make()
    attachment = volumes.reserve(CALLER, volume, "server")
    volumes.connect(CALLER, attachment, {"host": "h1"})
    return BlockDevice(**{
        "uuid": "2", "source_type": "volume", "destination_type": "volume", "volume_id": volume, "attachment_id": attachment, "plugged": True,
        **values,
    })


def test_volumes_get_their_connections():
    volumes = Volumes()
    device = attached(volumes)
    local, found = connections.complete(volumes, CALLER, (LOCAL, device))
    assert local == LOCAL
    assert replace(found, connection=None) == device
    assert json.loads(found.connection.reveal())["driver_volume_type"] == "nbd"
    assert "nbd" not in repr(found)
    assert serializer.load(BlockDevice, serializer.dump(BlockDevice, found)) == found


def test_volumes_which_come_or_go_are_left_out():
    volumes = Volumes()
    assert connections.complete(volumes, CALLER, (attached(volumes, plugged=False), attached(volumes, attachment_id=None))) == ()


def test_volumes_of_a_server_which_moves_are_connected_there():
    volumes = Volumes()
    device = attached(volumes)
    connections.complete(volumes, CALLER, (device,), connector={"host": "h2"})
    assert volumes.attachments[device.attachment_id].host == "h2"
    assert volumes.volumes[device.volume_id].status == "in-use", "it may only have been reserved before"


def test_a_cloud_without_volumes_says_so():
    with pytest.raises(NotBuilt, match="This cloud has no volume service"):
        NoVolumes().get(None, "x")
    assert connections.complete(NoVolumes(), CALLER, (LOCAL,)) == (LOCAL,)
