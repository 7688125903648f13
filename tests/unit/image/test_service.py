"""The image service: what an upload leaves behind, whatever happens; who sees what; tickets."""

from __future__ import annotations

import hashlib
import os
import threading

import pytest

from novalike.clock import ManualClock
from novalike.context import RequestContext
from novalike.db.cells import Cells
from novalike.db.images import Wanted
from novalike.exception import Conflict, Forbidden, Invalid, NotFound, TooLarge
from novalike.image.local.client import LocalImageClient
from novalike.image.local.service import LocalImages
from novalike.image.local.tickets import HEADER
from novalike.objects.image import Image
from tests.fakes import services as fakes

ALICE = RequestContext(user_id="a", project_id="alice", roles=("member", "reader"))
BOB = RequestContext(user_id="b", project_id="bob", roles=("member", "reader"))
ADMIN = RequestContext(user_id="r", project_id="admin", roles=("admin",), is_admin=True)
ONE = "11111111-1111-4111-8111-111111111111"
TWO = "22222222-2222-4222-8222-222222222222"


@pytest.fixture
def clock():
    return ManualClock()


def service(database, clock, tmp_path, **options):
    conf = fakes.services(database, clock=clock, image__store_directory=str(tmp_path / "store"), **options).conf
    return LocalImages(conf, Cells.single(database), clock)


@pytest.fixture
def images(sqlite, clock, tmp_path):
    return service(sqlite, clock, tmp_path)


@pytest.fixture
def files(tmp_path):
    """Answer the files which lie in the store, without its lock."""
    return lambda: sorted(p.name for p in (tmp_path / "store").rglob("*") if p.is_file() and p.name != "lock")


def queued(images, image_id=ONE, ctxt=ALICE, **fields):
    return images.create(ctxt, Image(**{"id": image_id, "disk_format": "raw", "container_format": "bare", "visibility": "private", **fields}))


def test_upload_hashes_and_activates(database, clock, tmp_path):
    images = service(database, clock, tmp_path)
    queued(images, properties={"hw_disk_bus": "virtio"}, tags=("a", "b"))
    done = images.upload(ALICE, ONE, [b"abc", b"def"])
    assert (done.status, done.size, done.virtual_size) == ("active", 6, 6)
    assert done.checksum == hashlib.md5(b"abcdef").hexdigest()
    assert (done.os_hash_algo, done.os_hash_value) == ("sha512", hashlib.sha512(b"abcdef").hexdigest())
    assert (done.properties, done.tags) == ({"hw_disk_bus": "virtio"}, ("a", "b"))
    assert b"".join(images.read(ALICE, done)) == b"abcdef"
    assert b"".join(images.read(ALICE, done, start=1, length=3)) == b"bcd"
    assert [i.id for i in images.list(ALICE, Wanted())] == [ONE]


def test_large_upload_in_uneven_pieces(images):
    content = bytes(range(256)) * 20000
    queued(images)
    done = images.upload(ALICE, ONE, (content[i : i + 70001] for i in range(0, len(content), 70001)))
    assert done.os_hash_value == hashlib.sha512(content).hexdigest()
    assert b"".join(images.read(ALICE, done)) == content


def test_interrupted_upload_leaves_nothing(images, files):
    def broken():
        yield b"x" * 3_000_000
        raise Invalid("The upload was interrupted.")
    queued(images)
    with pytest.raises(Invalid):
        images.upload(ALICE, ONE, broken())
    assert images.get(ALICE, ONE).status == "queued"
    assert files() == []
    assert images.upload(ALICE, ONE, [b"again"]).status == "active"


def test_wrong_format_is_refused_before_the_last_byte(images, files):
    sent = []

    def endless():
        while True:
            sent.append(1)
            yield b"QFI\xfb" + bytes(65532)
    queued(images, disk_format="raw")
    with pytest.raises(Invalid, match="disk_format raw"):
        images.upload(ALICE, ONE, endless())
    assert len(sent) < 4
    assert images.get(ALICE, ONE).status == "queued"
    assert files() == []


def test_too_large_is_refused(sqlite, clock, tmp_path, files):
    images = service(sqlite, clock, tmp_path, image__image_size_cap=10)
    queued(images)
    with pytest.raises(TooLarge):
        images.upload(ALICE, ONE, [b"x" * 11])
    assert files() == []


def test_same_bytes_lie_once_and_go_with_the_last_image(images, files):
    for image_id in (ONE, TWO):
        queued(images, image_id)
        images.upload(ALICE, image_id, [b"same"])
    assert len(files()) == 1
    images.delete(ALICE, ONE)
    assert b"".join(images.read(ALICE, images.get(ALICE, TWO))) == b"same"
    images.delete(ALICE, TWO)
    assert files() == []


def test_second_upload_and_active_image_conflict(images):
    queued(images)

    def chunks():
        with pytest.raises(Conflict):
            images.upload(ALICE, ONE, [b"second"])
        yield b"first"
    images.upload(ALICE, ONE, chunks())
    with pytest.raises(Conflict):
        images.upload(ALICE, ONE, [b"third"])
    assert b"".join(images.read(ALICE, images.get(ALICE, ONE))) == b"first"


def test_delete_during_an_upload_wins(images, files):
    queued(images)

    def chunks():
        yield b"one"
        images.delete(ALICE, ONE)
        yield b"two"
    with pytest.raises(NotFound):
        images.upload(ALICE, ONE, chunks())
    assert files() == []


def test_upload_whose_process_died_is_queued_again(images, clock, files):
    queued(images)
    upload_id = images._begin(images.get(ALICE, ONE), states=("queued",), saving="saving")
    incoming = images.store.receive(upload_id)
    incoming.write(b"x")
    incoming.finish()
    images.reap()
    assert images.get(ALICE, ONE).status == "saving"
    clock.advance(121)
    images.store.sweep(older_than=-1)
    images.reap()
    assert images.get(ALICE, ONE).status == "queued"
    assert files() == []


def test_dead_upload_does_not_wait_for_the_sweep(images, clock):
    queued(images)
    images._begin(images.get(ALICE, ONE), states=("queued",), saving="saving")
    clock.advance(121)
    assert images.upload(ALICE, ONE, [b"x"]).status == "active"


def test_uploads_at_once(images):
    ids = [f"{n:08d}-0000-4000-8000-000000000000" for n in range(8)]
    for image_id in ids:
        queued(images, image_id)
    threads = [threading.Thread(target=images.upload, args=(ALICE, i, [b"same" * 1000, i.encode() if n % 2 else b""])) for n, i in enumerate(ids)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert {images.get(ALICE, i).status for i in ids} == {"active"}
    for image_id in ids[:-1]:
        images.delete(ALICE, image_id)
    assert b"".join(images.read(ALICE, images.get(ALICE, ids[-1])))[:4] == b"same"


def test_stage_and_import(images, files):
    queued(images)
    with pytest.raises(Conflict):
        images.import_staged(ALICE, ONE)
    images.stage(ALICE, ONE, [b"staged"])
    assert images.get(ALICE, ONE).status == "uploading"
    images.import_staged(ALICE, ONE)
    assert images.get(ALICE, ONE).status == "active"
    assert len(files()) == 1


def test_failed_import_can_begin_again(images, files):
    queued(images, disk_format="qcow2")
    images.stage(ALICE, ONE, [b"no qcow2"])
    with pytest.raises(Invalid, match="disk_format qcow2"):
        images.import_staged(ALICE, ONE)
    assert images.get(ALICE, ONE).status == "queued"
    assert files() == []


def test_formats_must_be_set(images):
    queued(images, disk_format=None)
    with pytest.raises(Invalid, match="disk_format"):
        images.upload(ALICE, ONE, [b"x"])


def test_who_sees_what(images):
    for number, visibility in enumerate(("public", "private", "shared", "community")):
        queued(images, f"{number:08d}-0000-4000-8000-000000000000", visibility=visibility, name=visibility)

    def names(ctxt, **wanted):
        return {image.name for image in images.list(ctxt, Wanted(**wanted))}
    assert names(ALICE) == {"public", "private", "shared", "community"}
    assert names(ADMIN) == {"public", "private", "shared", "community"}
    assert names(BOB) == {"public"}
    assert names(BOB, visibility="community") == {"community"}
    assert names(BOB, visibility="all") == {"public", "community"}
    shared = "00000002-0000-4000-8000-000000000000"
    with pytest.raises(NotFound):
        images.get(BOB, shared)
    images.members.add(ALICE, shared, "bob")
    assert images.get(BOB, shared).name == "shared"
    assert names(BOB) == {"public"}
    assert names(BOB, visibility="shared", member_status="pending") == {"shared"}
    images.members.set_status(BOB, shared, "bob", "accepted")
    assert names(BOB) == {"public", "shared"}
    with pytest.raises(Forbidden):
        images.delete(BOB, shared)
    images.members.remove(ALICE, shared, "bob")
    with pytest.raises(NotFound):
        images.get(BOB, shared)


def test_pages_neither_skip_nor_repeat(images):
    for number in range(7):
        queued(images, f"{number:08d}-0000-4000-8000-000000000000", name=None if number % 2 else "same")
    for sort in ([("name", True)], [("created_at", False)], [("name", False), ("size", True)]):
        seen, marker = [], None
        while page := images.list(ALICE, Wanted(sort=sort, limit=2, marker=marker)):
            seen += [image.id for image in page]
            marker = page[-1].id
        assert len(seen) == len(set(seen)) == 7


def test_deactivated_bytes_are_for_admins(images):
    queued(images)
    images.upload(ALICE, ONE, [b"x"])
    images.set_active(ADMIN, ONE, active=False)
    with pytest.raises(Forbidden):
        images.read(ALICE, images.get(ALICE, ONE))
    assert b"".join(images.read(ADMIN, images.get(ADMIN, ONE))) == b"x"
    images.set_active(ADMIN, ONE, active=True)
    assert images.get(ALICE, ONE).status == "active"


def test_tickets_are_for_one_image_and_a_while(images, sqlite, clock, tmp_path):
    queued(images)
    images.upload(ALICE, ONE, [b"x"])
    source = LocalImageClient(images).source(ALICE, images.get(ALICE, ONE))
    ticket = source.headers[HEADER]
    assert source.url == f"http://127.0.0.1:9292/v2/images/{ONE}/file"
    other = service(sqlite, clock, tmp_path)     # another process on the same database
    assert other.tickets.holds(ticket, ONE)
    assert not other.tickets.holds(ticket, TWO)
    expires, _, signature = ticket.partition(".")
    for forged in (f"{int(expires) + 1}.{signature}", f"{expires}.", signature, "", "١٢.x", "1" * 5000):
        assert not other.tickets.holds(forged, ONE)
    clock.advance(600)
    assert not other.tickets.holds(ticket, ONE)


def test_orphaned_contents_are_collected(images, tmp_path, files):
    queued(images)
    images.upload(ALICE, ONE, [b"kept"])
    orphan = tmp_path / "store" / "contents" / "ab" / ("ab" * 64)
    orphan.parent.mkdir(parents=True, exist_ok=True)
    orphan.write_bytes(b"lost")
    images.collect()
    assert orphan.exists(), "too young to be sure"
    os.utime(orphan, (0, 0))
    images.collect()
    assert not orphan.exists()
    assert len(files()) == 1


def test_a_hypervisor_takes_over_from_its_own_upload_which_hangs(images):
    queued(images)
    def hanging():
        yield b"old"
        images.upload_again(ADMIN, ONE, [b"new"])
        yield b"old"
    with pytest.raises(NotFound):
        images.upload(ALICE, ONE, hanging())
    done = images.get(ALICE, ONE)
    assert (done.status, b"".join(images.read(ALICE, done))) == ("active", b"new")


def test_a_format_is_declared_before_the_bytes_come(images):
    client = LocalImageClient(images)
    queued(images)
    assert client.declare(ADMIN, ONE, disk_format="qcow2", container_format="bare").disk_format == "qcow2"
    client.declare(ADMIN, ONE, disk_format="raw", container_format="bare")
    images.upload(ALICE, ONE, [b"bytes"])
    assert client.declare(ADMIN, ONE, disk_format="raw", container_format="bare").status == "active"
    with pytest.raises(Conflict):
        client.declare(ADMIN, ONE, disk_format="qcow2", container_format="bare")


def test_images_are_found_by_their_properties(images):
    client = LocalImageClient(images)
    queued(images, properties={"image_type": "backup", "backup_type": "daily"})
    queued(images, TWO, properties={"image_type": "backup", "backup_type": "weekly"})
    assert [image.id for image in client.list(ADMIN, properties={"image_type": "backup", "backup_type": "daily"})] == [ONE]
