"""Image records by HTTP."""

from __future__ import annotations

import pytest


def test_versions_are_public(nobody):
    root = nobody.get("/")
    assert root.status == 300
    assert root.json["versions"][0] == {"id": "v2.9", "status": "CURRENT", "links": [{"rel": "self", "href": "http://localhost/v2/"}]}
    assert nobody.get("/versions").status == 200
    assert nobody.get("/v2/images").status == 401


def test_create_and_show(member):
    made = member.create(name="debian", min_ram=512, tags=["a", "a"], hw_disk_bus="virtio", os_type="linux")
    assert made["status"] == "queued"
    assert made["visibility"] == "shared"
    assert (made["hw_disk_bus"], made["os_type"], made["tags"]) == ("virtio", "linux", ["a"])
    assert made["self"] == f"/v2/images/{made['id']}"
    assert made["size"] is None
    assert member.get(made["self"]).json == made


def test_given_id_is_taken_once(member):
    image_id = "11111111-1111-4111-8111-111111111111"
    assert member.create(id=image_id)["id"] == image_id
    assert member.post("/v2/images", {"id": image_id}).status == 409


@pytest.mark.parametrize(("fields", "status", "word"), [
    ({"disk_format": "floppy"}, 400, "disk_format"), ({"container_format": "box"}, 400, "container_format"),
    ({"min_ram": -1}, 400, "min_ram"), ({"visibility": "secret"}, 400, "visibility"), ({"protected": "yes"}, 400, "protected"),
    ({"hw_cpu_cores": 4}, 400, "hw_cpu_cores"), ({"id": "x"}, 400, "id"), ({"name": "x" * 256}, 400, "name"),
    ({"size": 5}, 403, "size"), ({"checksum": "x"}, 403, "checksum"), ({"locations": []}, 403, "locations"),
    ({"os_glance_importing_to": "x"}, 403, "os_glance_"), ({"visibility": "public"}, 403, "publicize_image"),
    ({"disk_format": "ami", "container_format": "bare"}, 400, "match"), ({"owner": "somebody"}, 403, "another project"),
    ({f"p{n}": "x" for n in range(129)}, 413, "properties"),
])
def test_bad_fields_are_named(member, fields, status, word):
    answer = member.post("/v2/images", fields)
    assert answer.status == status
    assert word in answer.text


def test_faults_are_pages_or_json_as_asked(member):
    assert "<title>404 Not Found</title>" in member.get("/v2/images/x", Accept="text/html").text
    assert member.get("/v2/images/x", Accept="application/json").json["code"] == "404 Not Found"


def test_readers_create_nothing(reader):
    assert reader.post("/v2/images", {"name": "x"}).status == 403
    assert reader.get("/v2/images").status == 200


def test_patch(member):
    path = member.create(colour="red")["self"]
    answer = member.patch(
        path, {"op": "replace", "path": "/name", "value": "new"}, {"op": "add", "path": "/hw_vif_model", "value": "e1000"},
        {"op": "replace", "path": "/colour", "value": "blue"}, {"op": "replace", "path": "/tags", "value": ["x"]},
        {"op": "add", "path": "/a~1b", "value": "no slash in names"},
    )
    assert answer.status == 400, "a slash in a name"
    answer = member.patch(
        path, {"op": "replace", "path": "/name", "value": "new"}, {"op": "add", "path": "/hw_vif_model", "value": "e1000"},
        {"op": "replace", "path": "/colour", "value": "blue"}, {"op": "replace", "path": "/tags", "value": ["x"]},
    )
    assert answer.status == 200
    assert (answer.json["name"], answer.json["colour"], answer.json["hw_vif_model"], answer.json["tags"]) == ("new", "blue", "e1000", ["x"])
    assert "colour" not in member.patch(path, {"op": "remove", "path": "/colour"}).json


@pytest.mark.parametrize(("operation", "status"), [
    ({"op": "replace", "path": "/status", "value": "active"}, 403), ({"op": "remove", "path": "/name"}, 403),
    ({"op": "replace", "path": "/unknown", "value": "x"}, 409), ({"op": "remove", "path": "/unknown"}, 409),
    ({"op": "replace", "path": "/min_disk", "value": "big"}, 400), ({"op": "add", "path": "/x/y", "value": "z"}, 400),
    ({"op": "test", "path": "/name", "value": "i"}, 400), ({"op": "add", "path": "/x"}, 400), ({"op": "add", "path": "/x", "value": 1}, 400),
    ({"op": "replace", "path": "/visibility", "value": "public"}, 403), ({"op": "replace", "path": "/owner", "value": "me"}, 403),
    ({"op": "replace", "path": "/locations", "value": []}, 403), ([], 400), ("x", 400),
])
def test_bad_patches(member, operation, status):
    made = member.create()
    answer = member.patch(made["self"], operation)
    assert answer.status == status, answer
    assert member.get(made["self"]).json == made


def test_patch_wants_its_content_type(member):
    path = member.create()["self"]
    assert member("PATCH", path, b"[]", Content_Type="application/json").status == 415
    old = member("PATCH", path, b'[{"replace": "/name", "value": "old way"}]', Content_Type="application/openstack-images-v2.0-json-patch")
    assert old.json["name"] == "old way"


def test_format_is_fixed_once_there_are_bytes(member):
    made = member.create()
    member.upload(made["id"], b"x")
    assert member.patch(made["self"], {"op": "replace", "path": "/disk_format", "value": "qcow2"}).status == 403


def test_others_neither_see_nor_touch(member, stranger, admin):
    path = member.create(visibility="private")["self"]
    assert stranger.get(path).status == 404
    assert stranger.patch(path, {"op": "replace", "path": "/name", "value": "x"}).status == 404
    assert stranger.delete(path).status == 404
    assert admin.patch(path, {"op": "replace", "path": "/visibility", "value": "public"}).status == 200
    assert stranger.get(path).status == 200
    assert stranger.delete(path).status == 403


def test_protected_images_stay(member):
    path = member.create(protected=True)["self"]
    assert member.delete(path).status == 403
    member.patch(path, {"op": "replace", "path": "/protected", "value": False})
    assert member.delete(path).status == 204
    assert member.get(path).status == 404


def test_list_filters(member):
    small = member.create(name="small", tags=["red"], arch="arm")
    big = member.create(name="big, really", tags=["red", "blue"], os_hidden=False)
    member.create(name="hidden", os_hidden=True)
    member.upload(small["id"], b"x")
    member.upload(big["id"], b"x" * 100)

    def names(query):
        answer = member.get(f"/v2/images?{query}")
        assert answer.status == 200, answer
        return {image["name"] for image in answer.json["images"]}
    assert names("") == {"small", "big, really"}
    assert names("os_hidden=true") == {"hidden"}
    assert names("name=small") == {"small"}
    assert names('name=in:small,"big,%20really"') == {"small", "big, really"}
    assert names("tag=red&tag=blue") == {"big, really"}
    assert names("arch=arm") == {"small"}
    assert names("size_min=50") == {"big, really"}
    assert names("size_max=50&status=active") == {"small"}
    assert names("created_at=gt:2100-01-01T00:00:00Z") == set()
    assert names(f"id={big['id']}") == {"big, really"}
    assert names("visibility=public") == set()


@pytest.mark.parametrize("query", [
    "limit=-1", "limit=x", "sort_key=unknown", "sort_dir=up", "sort=name:asc&sort_key=name", "visibility=x", "member_status=x",
    "size_min=x", "created_at=soon", "protected=maybe", "sort_key=name&sort_dir=asc&sort_dir=desc", 'name=in:"open',
])
def test_bad_queries_are_400(member, query):
    assert member.get(f"/v2/images?{query}").status == 400


def test_unknown_marker_is_400_or_404(member):
    assert member.get("/v2/images?marker=nothing").status in {400, 404}


def test_pages_follow_next(member):
    ids = {member.create(name=f"n{n}")["id"] for n in range(5)}
    page = member.get("/v2/images?limit=2&sort=name:asc").json
    assert [image["name"] for image in page["images"]] == ["n0", "n1"]
    seen = list(page["images"])
    while "next" in page:
        page = member.get(page["next"]).json
        seen += page["images"]
    assert {image["id"] for image in seen} == ids
    assert len(seen) == 5


def test_tags(member):
    path = member.create()["self"]
    assert member.put(f"{path}/tags/x").status == 204
    assert member.get(path).json["tags"] == ["x"]
    assert member.delete(f"{path}/tags/x").status == 204
    assert member.delete(f"{path}/tags/x").status == 404


def test_members(member, stranger):
    path = member.create()["self"]
    made = member.post(f"{path}/members", {"member": "0ther"})
    assert made.status == 200
    assert made.json["status"] == "pending"
    assert member.post(f"{path}/members", {"member": "0ther"}).status == 409
    assert stranger.get(path).status == 200
    assert member.put(f"{path}/members/0ther", {"status": "accepted"}).status == 403
    assert stranger.put(f"{path}/members/0ther", {"status": "accepted"}).json["status"] == "accepted"
    assert stranger.put(f"{path}/members/0ther", {"status": "maybe"}).status == 400
    assert [m["member_id"] for m in member.get(f"{path}/members").json["members"]] == ["0ther"]
    assert stranger.post(f"{path}/members", {"member": "third"}).status == 403
    assert member.delete(f"{path}/members/0ther").status == 204
    assert stranger.get(path).status == 404
    private = member.create(visibility="private")["self"]
    assert member.post(f"{private}/members", {"member": "0ther"}).status == 403


def test_schemas(member):
    schema = member.get("/v2/schemas/image").json
    assert schema["properties"]["status"]["readOnly"]
    assert "qcow2" in schema["properties"]["disk_format"]["enum"]
    assert member.get("/v2/schemas/members").json["name"] == "members"


def test_no_import_of_an_image_waits(member, stranger):
    path = member.create(visibility="private")["self"]
    assert member.get(f"{path}/tasks").json == {"tasks": []}
    assert stranger.get(f"{path}/tasks").status == 404
