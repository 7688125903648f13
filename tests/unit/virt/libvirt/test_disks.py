"""Servers' files, made by real qemu-img and mkfs."""

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from novalike.clock import Clock
from novalike.exception import BuildFailed, NotFound
from novalike.objects.block_device import BlockDevice
from novalike.objects.flavor import Flavor
from novalike.virt.driver import SpawnRequest
from novalike.virt.libvirt import qcow2
from novalike.virt.libvirt.disks import Disks
from novalike.virt.libvirt.images import ImageCache
from tests.factories_instances import instance
from tests.fakes import image_files

pytestmark = pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")
MIB, GIB = 1 << 20, 1 << 30
FLAVOR = Flavor(flavorid="1", name="m1.tiny", vcpus=1, memory_mb=128, root_gb=1)


@pytest.fixture
def server():
    with image_files.serve() as files:
        yield files


@pytest.fixture(params=[True, False], ids=["overlay", "copy"])
def cow(request):
    return request.param


@pytest.fixture
def disks(tmp_path, cow):
    path = str(tmp_path / "instances")
    return Disks(path, ImageCache(f"{path}/_base", force_raw=True, timeout=5, clock=Clock()), cow=cow)


def request(server, flavor=FLAVOR, content=b"boot" + b"\0" * (MIB - 4), **changes) -> SpawnRequest:
    values = {"instance": instance(id=7, flavor=flavor), "vifs": (), "image": server.add("root", content)}
    return SpawnRequest(**(values | changes))


def test_root_disk_is_as_large_as_the_flavor_says(server, disks, cow):
    wanted = request(server)
    (root,) = disks.make(wanted, None)
    path = disks.file(wanted.instance.uuid, "disk")
    assert (root.name, root.role, root.size, root.device) == ("disk", "root", GIB, "disk")
    if cow:
        header = qcow2.header(path)
        assert (root.format, header.virtual_size, header.has_backing_file) == ("qcow2", GIB, True)
    else:
        assert (root.format, os.path.getsize(path)) == ("raw", GIB)
        with open(path, "rb") as file:
            assert file.read(4) == b"boot"
    assert os.stat(path).st_mode & 0o077 == 0, "others may read the disk"
    assert disks.existing(wanted.instance.uuid) == (root,)


def test_a_root_of_zero_is_as_large_as_the_image(server, disks):
    (root,) = disks.make(request(server, replace(FLAVOR, root_gb=0)), None)
    assert root.size == MIB


def test_everything_at_once(server, disks):
    flavor = replace(FLAVOR, ephemeral_gb=1, swap_mb=64)
    wanted = request(server, flavor, kernel=server.add("k", b"kernel", "aki"), ramdisk=server.add("r", b"ramdisk", "ari"))
    made = disks.make(wanted, b"iso")
    uuid = wanted.instance.uuid
    assert [(disk.name, disk.role, disk.device) for disk in made] == [
        ("disk", "root", "disk"), ("disk.eph0", "ephemeral", "disk"), ("disk.swap", "swap", "disk"), ("disk.config", "config_drive", "cdrom")]
    assert sorted(os.listdir(disks.folder(uuid))) == ["disk", "disk.config", "disk.eph0", "disk.swap", "disks.json", "kernel", "ramdisk"]
    assert Path(disks.file(uuid, "kernel")).read_bytes() == b"kernel"
    label = subprocess.run(["blkid", "-o", "value", "-s", "LABEL", disks.file(uuid, "disk.eph0")], capture_output=True, text=True, check=True)
    assert label.stdout.strip() == "ephemeral0"
    kind = subprocess.run(["blkid", "-o", "value", "-s", "TYPE", disks.file(uuid, "disk.swap")], capture_output=True, text=True, check=True)
    assert kind.stdout.strip() == "swap"


def test_listed_blank_disks_win_over_the_flavor(server, disks):
    blanks = tuple(
        BlockDevice(uuid=str(number), source_type="blank", destination_type="local", size_gb=1, guest_format=kind)
        for number, kind in enumerate((None, "ext2", "swap")))
    made = disks.make(request(server, replace(FLAVOR, ephemeral_gb=5, swap_mb=1), block_devices=blanks), None)
    assert [(disk.name, disk.size) for disk in made[1:]] == [("disk.eph0", GIB), ("disk.eph1", GIB), ("disk.swap", GIB)]


def test_making_again_replaces_what_was_left(server, disks):
    wanted = request(server)
    os.makedirs(disks.folder(wanted.instance.uuid))
    Path(disks.file(wanted.instance.uuid, "stale")).touch()
    disks.make(wanted, None)
    assert not os.path.exists(disks.file(wanted.instance.uuid, "stale"))


def test_removing_leaves_the_cache(server, disks):
    wanted = request(server)
    disks.make(wanted, None)
    assert disks.leftovers(wanted.instance.uuid)
    disks.remove(wanted.instance.uuid)
    disks.remove(wanted.instance.uuid)
    assert disks.leftovers(wanted.instance.uuid) == ()
    assert any(len(name) == 40 for name in os.listdir(os.path.join(disks.instances_path, "_base")))
    with pytest.raises(NotFound):
        disks.existing(wanted.instance.uuid)


def test_an_iso_is_a_bootable_cdrom(server, disks):
    (root,) = disks.make(request(server, image=server.add("cd", b"iso" * 1000, "iso")), None)
    assert (root.format, root.device, root.size) == ("raw", "cdrom", 3000)


def test_too_large_images_and_volumes_are_refused(server, disks):
    with pytest.raises(BuildFailed, match=r"1 GiB") as failure:
        disks.make(request(server, content=b"\0" * MIB, image=server.add("big", _sparse_qcow2(disks), "qcow2")), None)
    assert not failure.value.retry
    volume = BlockDevice(uuid="v", source_type="volume", destination_type="volume", volume_id="v", boot_index=0)
    with pytest.raises(BuildFailed, match="volumes"):
        disks.make(request(server, block_devices=(volume,)), None)
    with pytest.raises(BuildFailed, match="neither an image nor a kernel"):
        disks.make(request(server, image=None), None)


def _sparse_qcow2(disks) -> bytes:
    path = os.path.join(disks.instances_path, "big.qcow2")
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, "2G"], check=True)
    return Path(path).read_bytes()


def test_unallocated_counts_what_disks_may_still_need(server, disks, cow):
    assert disks.unallocated() == 0
    disks.make(request(server), None)
    assert 0.9 * GIB < disks.unallocated() <= GIB
