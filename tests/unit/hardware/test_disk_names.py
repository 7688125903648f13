"""What guests call their disks."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import pytest

from novalike.hardware import disk_names
from novalike.objects.block_device import BlockDevice
from tests.factories_instances import SMALL, instance


def volume(name):
    return BlockDevice(uuid=name, source_type="volume", destination_type="volume", device_name=name)


def test_names_go_on_after_z():
    assert list(islice(disk_names.names("vd"), 24, 29)) == ["vdy", "vdz", "vdaa", "vdab", "vdac"]


@pytest.mark.parametrize(("bus", "flavor", "attached", "wanted", "given"), [
    ("virtio", {}, [], None, "/dev/vdb"),
    ("virtio", {"ephemeral_gb": 1, "swap_mb": 1}, [], None, "/dev/vdd"),
    ("virtio", {}, ["/dev/vdb", "/dev/vdd"], None, "/dev/vdc"),
    ("virtio", {}, [], "/dev/vdf", "/dev/vdf"),
    ("virtio", {}, ["/dev/vdf"], "/dev/vdf", "/dev/vdb"),
    ("virtio", {}, [], "/dev/vda", "/dev/vdb"),
    ("virtio", {}, [], "/dev/sdb", "/dev/vdb"),
    ("virtio", {}, [], "/dev/vdb1", "/dev/vdb"),
    ("scsi", {}, [], None, "/dev/sdc"),          # one name is the config drive's
])
def test_a_free_name(bus, flavor, attached, wanted, given):
    server = instance(image_properties={"hw_disk_bus": bus}, flavor=replace(SMALL, **flavor))
    assert disk_names.free_name(server, [volume(name) for name in attached], wanted) == given


def test_listed_local_disks_count_instead_of_the_flavors():
    blanks = [BlockDevice(uuid=str(n), source_type="blank", destination_type="local") for n in range(2)]
    assert disk_names.free_name(instance(flavor=replace(SMALL, ephemeral_gb=4)), blanks) == "/dev/vdd"
