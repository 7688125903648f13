"""The image cache against a real HTTP server and real qemu-img."""

import hashlib
import json
import os
import shutil
import subprocess
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from novalike.clock import Clock
from novalike.exception import BuildFailed, Fenced, NovalikeError
from novalike.virt.libvirt import qcow2 as header
from novalike.virt.libvirt import qemu_img
from novalike.virt.libvirt.disks import Disks
from novalike.virt.libvirt.images import ImageCache
from tests.fakes import image_files

pytestmark = pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")
MIB = 1 << 20
BYTES = os.urandom(3 * MIB)


@pytest.fixture
def server():
    with image_files.serve() as files:
        yield files


@pytest.fixture
def cache(tmp_path):
    return ImageCache(str(tmp_path / "_base"), force_raw=True, timeout=5, clock=Clock())


def qcow2(tmp_path, *arguments, size="2M") -> bytes:
    path = tmp_path / "made.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *arguments, path, size], check=True)
    return path.read_bytes()


def listing(tmp_path):
    return sorted(name for name in os.listdir(tmp_path / "_base") if not name.endswith(".lock"))


def test_a_raw_image_is_fetched_once(server, cache, tmp_path):
    source = server.add("img", BYTES)
    first, second = cache.ensure(source), cache.ensure(source)
    name = hashlib.sha1(b"img").hexdigest()
    assert first == second
    assert (first.path, first.format, first.virtual_size) == (str(tmp_path / "_base" / name), "raw", len(BYTES))
    assert (tmp_path / "_base" / name).read_bytes() == BYTES
    assert len(server.requests) == 1
    assert listing(tmp_path) == [name, f"{name}.json"]


def test_concurrent_fetches_happen_once(server, cache):
    source, results = server.add("img", BYTES), []
    threads = [threading.Thread(target=lambda: results.append(cache.ensure(source))) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(results) == 5
    assert len(server.requests) == 1


def test_an_interrupted_fetch_is_continued(server, cache, tmp_path):
    source = server.add("img", BYTES)
    server.cut_after = MIB + 77
    with pytest.raises(BuildFailed) as failure:
        cache.ensure(source)
    assert failure.value.retry
    server.cut_after = None
    after_crash = ImageCache(str(tmp_path / "_base"), force_raw=True, timeout=5, clock=Clock())
    cached = after_crash.ensure(source)
    assert Path(cached.path).read_bytes() == BYTES
    assert server.requests[-1][1] == f"bytes={MIB + 77}-", "the rest was not asked for"


def test_a_complete_part_is_not_fetched_again(server, cache, tmp_path):
    source = server.add("img", BYTES)
    name = hashlib.sha1(b"img").hexdigest()
    (tmp_path / "_base").mkdir()
    (tmp_path / "_base" / f"{name}.part").write_bytes(BYTES)
    assert cache.ensure(source).virtual_size == len(BYTES)
    assert server.requests == []


@pytest.mark.parametrize("ranges", [True, False])
def test_a_spoiled_part_is_fetched_anew(server, cache, tmp_path, ranges):
    source = server.add("img", BYTES)
    server.honours_ranges = ranges
    (tmp_path / "_base").mkdir()
    (tmp_path / "_base" / f"{hashlib.sha1(b'img').hexdigest()}.part").write_bytes(b"spoiled")
    assert Path(cache.ensure(source).path).read_bytes() == BYTES


def test_other_bytes_than_announced_are_refused(server, cache, tmp_path):
    source = replace(server.add("img", BYTES), os_hash_value="00" * 64)
    with pytest.raises(BuildFailed, match="not those which the image service announced") as failure:
        cache.ensure(source)
    assert not failure.value.retry
    assert listing(tmp_path) == [], "refused bytes stay nowhere"


@pytest.mark.parametrize(("status", "retry"), [(404, False), (500, True), (403, True)])
def test_refusals_of_the_image_service(server, cache, status, retry):
    source = server.add("img", BYTES)
    server.status = status
    with pytest.raises(BuildFailed, match=str(status)) as failure:
        cache.ensure(source)
    assert failure.value.retry is retry


def test_tickets_do_not_follow_redirects(server, cache):
    source = server.add("img", BYTES)
    server.redirect_to = f"http://127.0.0.1:{server.port}/elsewhere"
    with pytest.raises(BuildFailed, match="302"):
        cache.ensure(source)
    assert len(server.requests) == 1


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "/etc/passwd"])
def test_only_http_is_spoken(server, cache, url):
    with pytest.raises(BuildFailed, match="no usable address"):
        cache.ensure(replace(server.add("img", BYTES), url=url))


def test_qcow2_becomes_raw(server, cache, tmp_path):
    cached = cache.ensure(server.add("img", qcow2(tmp_path), "qcow2"))
    assert (cached.format, cached.virtual_size) == ("raw", 2 * MIB)
    assert os.path.getsize(cached.path) == 2 * MIB


def test_qcow2_stays_when_not_forced(server, tmp_path):
    cache = ImageCache(str(tmp_path / "_base"), force_raw=False, timeout=5, clock=Clock())
    content = qcow2(tmp_path)
    cached = cache.ensure(server.add("img", content, "qcow2"))
    assert (cached.format, cached.virtual_size) == ("qcow2", 2 * MIB)
    assert json.loads(Path(f"{cached.path}.json").read_text())["disk_format"] == "qcow2"


def test_an_image_larger_than_the_disk_names_both_sizes(server, cache, tmp_path):
    source = server.add("img", qcow2(tmp_path, size="3G"), "qcow2")
    with pytest.raises(BuildFailed, match=r"disk of 3 GiB; the flavor's root disk has 1 GiB") as failure:
        cache.ensure(source, largest=1 << 30)
    assert not failure.value.retry
    cache.ensure(source, largest=3 << 30)
    with pytest.raises(BuildFailed):
        cache.ensure(source, largest=1 << 30)


def test_hostile_qcow2_is_refused(server, cache, tmp_path):
    (tmp_path / "secret").write_bytes(b"x" * MIB)
    backed = qcow2(tmp_path, "-b", str(tmp_path / "secret"), "-F", "raw")
    data_file = qcow2(tmp_path, "-o", f"data_file={tmp_path / 'data'},data_file_raw=on")
    for name, content, words in (("a", backed, "backing file"), ("b", data_file, "external data file"), ("c", b"x" * MIB, "but is not")):
        with pytest.raises(BuildFailed, match=words) as failure:
            cache.ensure(server.add(name, content, "qcow2"))
        assert not failure.value.retry


def test_qcow2_declared_as_raw_is_just_bytes(server, cache, tmp_path):
    content = qcow2(tmp_path)
    cached = cache.ensure(server.add("img", content, "raw"))
    assert (cached.format, cached.virtual_size) == ("raw", len(content))


def test_unsupported_formats(server, cache):
    with pytest.raises(BuildFailed, match="format vmdk"):
        cache.ensure(server.add("img", BYTES, "vmdk"))


def aged(cache_folder, seconds: float) -> None:
    """Make all files of the cache so old."""
    for name in os.listdir(cache_folder):
        stamp = time.time() - seconds
        os.utime(cache_folder / name, (stamp, stamp))


def test_what_nobody_needs_is_removed_in_time(server, cache, tmp_path):
    folder = tmp_path / "_base"
    used, idle = cache.ensure(server.add("used", BYTES)), cache.ensure(server.add("idle", BYTES))
    (folder / "interrupted.part").write_bytes(b"half")
    aged(folder, 5000)
    fresh = cache.ensure(server.add("fresh", BYTES))
    assert cache.clean(used={used.path}, unused_for=6000) == 0
    assert cache.clean(used={used.path}, unused_for=4000) == 1
    assert sorted(os.path.join(folder, name) for name in listing(tmp_path)) == sorted(
        path for image in (used, fresh) for path in (image.path, f"{image.path}.json")
    )
    assert cache.ensure(server.add("idle", BYTES)).path == idle.path, "it is fetched again"


def test_asking_for_an_image_keeps_it(server, cache, tmp_path):
    source = server.add("img", BYTES)
    cache.ensure(source)
    aged(tmp_path / "_base", 5000)
    cache.ensure(source)
    assert cache.clean(used=(), unused_for=4000) == 0


SERVER = "11111111-1111-4111-8111-111111111111"


@pytest.mark.parametrize("file", [
    *(f"{SERVER}{suffix}/disk" for suffix in ("", "_resize", "_incoming", "_new", "_old")), f"{SERVER}/disk.rescue", "snapshots/server/image/delta",
])
def test_a_disk_keeps_its_base_wherever_it_lies(server, cache, tmp_path, file):
    disks = Disks(str(tmp_path), cache, cow=True)
    based, other = cache.ensure(server.add("base", BYTES)), cache.ensure(server.add("other", BYTES))
    (tmp_path / file).parent.mkdir(parents=True)
    qemu_img.create(str(tmp_path / file), size=4 * MIB, backing=based.path, backing_format="raw")
    aged(tmp_path / "_base", 5000)
    assert disks.clean_images(unused_for=4000) == 1
    assert os.path.exists(based.path)
    assert not os.path.exists(other.path)


class MovesAServer(ImageCache):
    """While somebody looks through the folders, a server is resized."""

    def is_at(self, folder):
        own = os.path.join(folder, SERVER)
        if os.path.exists(own):
            os.rename(own, f"{own}_resize")
        return super().is_at(folder)


def test_a_disk_which_moves_while_bases_are_sought_keeps_its_own(server, tmp_path):
    cache = MovesAServer(str(tmp_path / "_base"), force_raw=True, timeout=5, clock=Clock())
    disks = Disks(str(tmp_path), cache, cow=True)
    image = cache.ensure(server.add("base", BYTES))
    (tmp_path / SERVER).mkdir()
    qemu_img.create(str(tmp_path / SERVER / "disk"), size=4 * MIB, backing=image.path, backing_format="raw")
    aged(tmp_path / "_base", 5000)
    assert disks.clean_images(unused_for=4000) == 0
    assert os.path.exists(image.path)
    assert disks.clean_images(unused_for=4000) == 0


def test_the_base_of_a_disk_is_read_from_its_header(tmp_path):
    base, disk, flat = (str(tmp_path / name) for name in ("base", "disk", "flat"))
    Path(base).write_bytes(bytes(MIB))
    qemu_img.create(disk, size=2 * MIB, backing=base, backing_format="raw")
    qemu_img.create(flat, size=2 * MIB)
    assert header.backing(disk) == header.Backing(base, "raw")
    assert header.backing(flat) is None
    assert header.backing(base) is None


def test_an_export_is_flat_and_can_be_stopped(tmp_path):
    base, disk, target = (str(tmp_path / name) for name in ("base", "disk", "target"))
    Path(base).write_bytes(BYTES)
    qemu_img.create(disk, size=4 * MIB, backing=base, backing_format="raw")
    qemu_img.export(disk, "qcow2", target, "qcow2", compress=True, go_on=lambda: None, clock=Clock())
    assert header.backing(target) is None
    qemu_img.convert(target, "qcow2", f"{target}.raw", "raw")
    assert Path(f"{target}.raw").read_bytes()[:len(BYTES)] == BYTES

    def stop():
        raise Fenced("overtaken")
    with pytest.raises(Fenced):
        qemu_img.export(disk, "qcow2", target, "raw", go_on=stop, clock=Clock())
    with pytest.raises(NovalikeError):
        qemu_img.export(disk, "qcow2", target, "luks", go_on=lambda: None, clock=Clock())
