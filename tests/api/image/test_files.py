"""Images' bytes by HTTP."""

from __future__ import annotations

import hashlib

import pytest

from novalike.image.local.client import LocalImageClient
from novalike.image.local.tickets import HEADER


def test_upload_and_download(member, reader, stranger):
    made = member.create()
    assert member.get(made["file"]).status == 204, "nothing to download yet"
    assert member.upload(made["id"], b"content").status == 204
    shown = member.get(made["self"]).json
    assert (shown["status"], shown["size"], shown["virtual_size"]) == ("active", 7, 7)
    assert shown["os_hash_value"] == hashlib.sha512(b"content").hexdigest()
    answer = reader.get(made["file"])
    assert (answer.status, answer.body) == (200, b"content")
    assert answer.headers["Content-MD5"] == shown["checksum"]
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert reader("HEAD", made["file"]).headers["Content-Length"] == "7"
    assert stranger.get(made["file"]).status == 404
    assert reader.upload(made["id"], b"x").status == 403
    assert member.upload(made["id"], b"x").status == 409


@pytest.mark.parametrize(("asked", "status", "body", "told"), [
    ("bytes=1-3", 206, b"ont", "bytes 1-3/7"), ("bytes=4-", 206, b"ent", "bytes 4-6/7"), ("bytes=-2", 206, b"nt", "bytes 5-6/7"),
    ("bytes=9-", 416, b"", "bytes */7"),
])
def test_ranges(member, asked, status, body, told):
    made = member.create()
    member.upload(made["id"], b"content")
    answer = member.get(made["file"], Range=asked)
    assert (answer.status, answer.body, answer.headers["Content-Range"]) == (status, body, told)


def test_wrong_format_is_400_and_names_the_field(member):
    made = member.create(disk_format="qcow2")
    answer = member.upload(made["id"], b"this is no disk at all")
    assert answer.status == 400
    assert "disk_format" in answer.text
    assert member.get(made["self"]).json["status"] == "queued"


def test_short_upload_leaves_the_image_queued(member):
    made = member.create()
    answer = member("PUT", made["file"], b"half", Content_Type="application/octet-stream", Content_Length="8")
    assert answer.status == 400
    assert "4 of 8 bytes" in answer.text
    assert member.get(made["self"]).json["status"] == "queued"


def test_upload_wants_its_content_type_and_a_sane_size(member, images):
    made = member.create()
    assert member("PUT", made["file"], b"x", Content_Type="text/plain").status == 415
    huge = str(images.section.image_size_cap + 1)
    assert member("PUT", made["file"], b"x", Content_Type="application/octet-stream", Content_Length=huge).status == 413


def test_stage_and_import(member):
    made = member.create()
    assert member.get("/v2/info/import").json["import-methods"]["value"] == ["glance-direct"]
    assert member("PUT", f"{made['self']}/stage", b"content", Content_Type="application/octet-stream").status == 204
    assert member.post(f"{made['self']}/import", {"method": {"name": "web-download", "uri": "http://x"}}).status == 501
    assert member.post(f"{made['self']}/import", {"method": {"name": "nonsense"}}).status == 400
    assert member.post(f"{made['self']}/import", {"method": {"name": "glance-direct"}}).status == 202
    assert member.get(made["file"]).body == b"content"
    assert member.post(f"{made['self']}/import", {"method": {"name": "glance-direct"}}).status == 409


def test_deactivated(member, admin):
    made = member.create()
    member.upload(made["id"], b"content")
    assert admin.post(f"{made['self']}/actions/deactivate").status == 204
    assert member.get(made["file"]).status == 403
    assert member.get(made["self"]).json["status"] == "deactivated"
    assert admin.post(f"{made['self']}/actions/reactivate").status == 204
    assert member.get(made["file"]).status == 200


def test_ticket_opens_one_image_for_reading_only(member, nobody, images):
    made, other = member.create(visibility="private"), member.create(visibility="private")
    for image in (made, other):
        member.upload(image["id"], b"content")
    source = LocalImageClient(images).source(member.context, images.get(member.context, made["id"]))
    ticket = source.headers[HEADER]
    path = source.url.removeprefix("http://127.0.0.1:9292")
    assert nobody.get(path).status == 401
    assert nobody.get(path, X_Image_Ticket=ticket).body == b"content"
    assert nobody.get(other["file"], X_Image_Ticket=ticket).status == 401
    assert nobody.get(made["self"], X_Image_Ticket=ticket).status == 401
    assert nobody("PUT", path, b"x", Content_Type="application/octet-stream", X_Image_Ticket=ticket).status == 401
    assert nobody("DELETE", made["self"], X_Image_Ticket=ticket).status == 401
    assert member.get(path, X_Image_Ticket="forged").status == 401


def test_upload_ticket_fills_one_image_and_opens_nothing(member, nobody, images):
    made, other = member.create(visibility="private"), member.create(visibility="private")
    target = LocalImageClient(images).target(member.context, images.get(member.context, made["id"]))
    ticket = target.headers[HEADER]
    path = target.url.removeprefix("http://127.0.0.1:9292")
    send = {"Content_Type": "application/octet-stream", "X_Image_Ticket": ticket}
    assert nobody("PUT", path, b"content", Content_Type="application/octet-stream").status == 401
    assert nobody("PUT", other["file"], b"content", **send).status == 401
    assert nobody("PUT", f"{made['self']}/stage", b"content", **send).status == 401
    assert nobody("PUT", path, b"content", **send).status == 204
    assert member.get(made["file"]).body == b"content"
    assert nobody.get(path, X_Image_Ticket=ticket).status == 401, "it reads nothing"
    assert nobody("PUT", path, b"other", **send).status == 409, "a complete image is not changed"
