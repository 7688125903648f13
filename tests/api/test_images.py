"""/images until 2.35 and their metadata until 2.38."""

import pytest

from tests import factories
from tests.api.client import PROJECT

ONE, TWO = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
SECRET, SERVER = "33333333-3333-4333-8333-333333333333", "44444444-4444-4444-8444-444444444444"
BASE = "http://localhost"


@pytest.fixture(autouse=True)
def images(services):
    services.images.add(factories.image(
        id=ONE, name="debian", min_ram=512, min_disk=2, created_at=factories.NOW, updated_at=factories.NOW, size=1000,
    ))
    services.images.add(factories.image(
        id=TWO, name="snap", owner=PROJECT, visibility="private", status="queued", size=None, created_at=factories.NOW,
        properties={"instance_uuid": SERVER, "auto_disk_config": "True", "image_type": "snapshot"},
    ))
    services.images.add(factories.image(id=SECRET, owner="0ther", visibility="private"))
    return services.images


def test_an_image_in_detail(member):
    links = [
        {"rel": "self", "href": f"{BASE}/v2.1/images/{TWO}"}, {"rel": "bookmark", "href": f"{BASE}/images/{TWO}"},
        {"rel": "alternate", "type": "application/vnd.openstack.image", "href": f"http://127.0.0.1:9292/images/{TWO}"},
    ]
    shown = member.at("2.35").get(f"/images/{TWO}").json["image"]
    assert shown == {
        "id": TWO, "name": "snap", "links": links, "minRam": 0, "minDisk": 0, "status": "SAVING", "progress": 25,
        "created": "2026-01-02T03:04:05Z", "updated": "2026-01-02T03:04:05Z", "OS-EXT-IMG-SIZE:size": 0,
        "OS-DCF:diskConfig": "AUTO", "metadata": {"instance_uuid": SERVER, "auto_disk_config": "True", "image_type": "snapshot"},
        "server": {"id": SERVER, "links": [
            {"rel": "self", "href": f"{BASE}/v2.1/servers/{SERVER}"}, {"rel": "bookmark", "href": f"{BASE}/servers/{SERVER}"},
        ]},
    }
    assert shown in member.get("/images/detail").json["images"]
    brief = {"id": TWO, "name": "snap", "links": links}
    assert brief in member.get("/images").json["images"]


@pytest.mark.parametrize(("query", "found"), [
    ("", {ONE, TWO}), ("name=debian", {ONE}), ("status=ACTIVE", {ONE}), ("status=saving", {TWO}), ("status=odd", set()),
    ("type=snapshot", {TWO}), (f"server={SERVER}", {TWO}), (f"server=http://x/servers/{SERVER}", {TWO}), ("minRam=512", {ONE}),
    ("minDisk=3", set()), ("property-image_type=snapshot", {TWO}), ("changes-since=2026-01-02T03:04:05Z", {ONE, TWO}),
    ("changes-since=2026-01-02T03:04:06Z", set()), ("color=blue", {ONE, TWO}), ("limit=0", set()),
])
def test_filters(member, query, found):
    assert {image["id"] for image in member.get(f"/images?{query}").json["images"]} == found


def test_pages(member):
    first = member.get("/images?limit=1").json
    marker = first["images"][0]["id"]
    assert first["images_links"] == [{"rel": "next", "href": f"{BASE}/v2.1/images?limit=1&marker={marker}"}]
    rest = member.get(f"/images?marker={marker}").json["images"]
    assert {marker, rest[0]["id"]} == {ONE, TWO}
    for query in (f"marker={SECRET}", "marker=x", "limit=-1", "limit=x", "minRam=x", "changes-since=x"):
        assert member.get(f"/images?{query}").status == 400, query


def test_delete(member, images):
    assert member.delete(f"/images/{TWO}").status == 204
    assert member.delete(f"/images/{TWO}").status == 404
    for missing in (SECRET, "x", "x" * 300):
        assert (member.get(f"/images/{missing}").status, member.delete(f"/images/{missing}").status) == (404, 404)
    images.refusing = True
    assert member.delete(f"/images/{ONE}").status == 403


def test_metadata(member):
    path = f"/images/{TWO}/metadata"
    member = member.at("2.38")
    assert member.put(path, {"metadata": {"a": "1"}}).json == {"metadata": {"a": "1"}}
    assert member.post(path, {"metadata": {"b": "2", "a": "3"}}).json == {"metadata": {"a": "3", "b": "2"}}
    assert member.get(path).json == {"metadata": {"a": "3", "b": "2"}}
    assert member.get(f"{path}/a").json == {"meta": {"a": "3"}}
    assert member.put(f"{path}/c", {"meta": {"c": "4"}}).json == {"meta": {"c": "4"}}
    assert member.put(f"{path}/c", {"meta": {"d": "4"}}).fault == "Request body and URI mismatch"
    assert member.delete(f"{path}/a").status == 204
    assert member.get(path).json == {"metadata": {"b": "2", "c": "4"}}
    for gone in (member.get(f"{path}/a"), member.delete(f"{path}/a")):
        assert (gone.status, gone.fault) == (404, "Metadata item was not found")
    for body in ({}, {"metadata": {"x": 1}}, {"metadata": {"/": "1"}}, {"metadata": {"x": "y" * 256}}):
        assert member.put(path, body).status == 400


def test_metadata_of_others_and_too_much_of_it(member, admin):
    assert member.get(f"/images/{SECRET}/metadata").status == 404
    assert member.put(f"/images/{ONE}/metadata", {"metadata": {}}).status == 403
    admin.put(f"/os-quota-sets/{PROJECT}", {"quota_set": {"metadata_items": 3}})
    answer = member.put(f"/images/{TWO}/metadata", {"metadata": dict.fromkeys("abcd", "x")})
    assert (answer.status, answer.fault) == (403, "Image metadata limit exceeded")


def test_gone_since(member):
    assert member.at("2.36").get("/images").status == 404
    assert member.at("2.38").get(f"/images/{TWO}/metadata").status == 200
    assert member.at("2.39").get(f"/images/{TWO}/metadata").status == 404
