"""Servers' files, made by real qemu-img and mkfs."""

import json
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


def nova_folder(disks, recorded: dict[str, str], *names: str) -> str:
    """Make files of a server as Nova does; answer the server's uuid."""
    uuid = instance().uuid
    folder = Path(disks.folder(uuid))
    folder.mkdir(parents=True)
    for name in names:
        kind = "qcow2" if recorded.get(name) == "qcow2" else "raw"
        subprocess.run(["qemu-img", "create", "-q", "-f", kind, str(folder / name), "3M"], check=True)
    (folder / "disk.info").write_text(json.dumps({f"/var/lib/nova/instances/{uuid}/{name}": kind for name, kind in recorded.items()}))
    (folder / "console.log").touch()
    return uuid


def test_disks_which_nova_made_are_found_with_the_formats_it_recorded(disks):
    recorded = {"disk": "qcow2", "disk.eph0": "raw", "disk.eph1": "qcow2", "disk.swap": "raw"}
    uuid = nova_folder(disks, recorded, *recorded, "disk.config")
    with open(disks.file(uuid, "disk.config"), "r+b") as file:
        file.seek(32769)
        file.write(b"CD001")
    subprocess.run(["cp", disks.file(uuid, "disk"), disks.file(uuid, "disk.eph0")], check=True)    # a raw disk whose guest pretends
    found = [(disk.name, disk.format, disk.role, disk.device) for disk in disks.existing(uuid)]
    assert found == [
        ("disk", "qcow2", "root", "disk"), ("disk.eph0", "raw", "ephemeral", "disk"), ("disk.eph1", "qcow2", "ephemeral", "disk"),
        ("disk.swap", "raw", "swap", "disk"), ("disk.config", "raw", "config_drive", "cdrom"),
    ]
    assert disks.existing(uuid)[0].size == 3 * MIB
    disks.put_aside(uuid)
    disks.take_back(uuid)
    disks.remove(uuid)
    assert disks.leftovers(uuid) == ()


def test_formats_of_nova_s_disks_are_not_guessed(disks):
    uuid = nova_folder(disks, {"disk": "qcow2"}, "disk", "disk.swap")
    with pytest.raises(NotFound, match="cannot be used"):
        disks.existing(uuid)
    os.unlink(disks.file(uuid, "disk"))          # on RBD, say
    with pytest.raises(NotFound, match="no disks on this host"):
        disks.existing(uuid)
