"""/flavors, its access lists and extra specs: requests and answers."""

import pytest

SMALL = {"name": "small", "ram": 512, "vcpus": 1, "disk": 1}


def make(admin, version="2.104", **fields):
    answer = admin.at(version).post("/flavors", {"flavor": {**SMALL, **fields}})
    assert answer.status == 200, answer.json
    return answer.json["flavor"]


def test_create_answers_the_flavor_as_the_first_version_shows_it(admin):
    answer = admin.post("/flavors", {"flavor": {**SMALL, "id": "1", "swap": "128", "rxtx_factor": 2}})
    assert answer.status == 200
    base = "http://localhost"
    assert answer.json == {"flavor": {
        "id": "1", "name": "small", "ram": 512, "disk": 1, "swap": 128, "OS-FLV-EXT-DATA:ephemeral": 0,
        "OS-FLV-DISABLED:disabled": False, "vcpus": 1, "os-flavor-access:is_public": True, "rxtx_factor": 2.0,
        "links": [{"rel": "self", "href": f"{base}/v2.1/flavors/1"}, {"rel": "bookmark", "href": f"{base}/flavors/1"}],
    }}


KEYS = {"id", "name", "ram", "disk", "swap", "OS-FLV-EXT-DATA:ephemeral", "vcpus", "os-flavor-access:is_public", "links"}
OLD = {"rxtx_factor", "OS-FLV-DISABLED:disabled"}


@pytest.mark.parametrize(("version", "keys", "swap"), [
    ("2.1", KEYS | OLD, ""),
    ("2.54", KEYS | OLD, ""),
    ("2.55", KEYS | OLD | {"description"}, ""),
    ("2.61", KEYS | OLD | {"description", "extra_specs"}, ""),
    ("2.75", KEYS | OLD | {"description", "extra_specs"}, 0),
    ("2.101", KEYS | OLD | {"description", "extra_specs"}, 0),
    ("2.102", KEYS | {"description", "extra_specs"}, 0),
])
def test_keys_of_every_version(admin, version, keys, swap):
    made = make(admin, version, id="1")
    assert set(made) == keys
    assert made["swap"] == swap
    assert set(admin.at(version).get("/flavors/1").json["flavor"]) == keys
    [shown] = admin.at(version).get("/flavors/detail").json["flavors"]
    assert set(shown) == keys
    [brief] = admin.at(version).get("/flavors").json["flavors"]
    assert set(brief) == {"id", "name", "links"} | ({"description"} if "description" in keys else set())


@pytest.mark.parametrize("given", [{}, {"id": None}, {"id": "auto"}])
def test_an_id_is_made_up_when_none_is_given(admin, given):
    assert len(make(admin, **given)["id"]) == 36


@pytest.mark.parametrize(("version", "change", "field"), [
    ("2.1", {"name": ""}, "name"),
    ("2.1", {"name": " small"}, "name"),
    ("2.1", {"name": "sm\nall"}, "name"),
    ("2.1", {"name": "x" * 256}, "name"),
    ("2.1", {"id": " 1"}, "id"),
    ("2.1", {"id": "a/b"}, "id"),
    ("2.1", {"ram": 0}, "ram"),
    ("2.1", {"ram": "0"}, "ram"),
    ("2.1", {"ram": 1.5}, "ram"),
    ("2.1", {"ram": "many"}, "ram"),
    ("2.1", {"vcpus": 0}, "vcpus"),
    ("2.1", {"vcpus": 2147483648}, "vcpus"),
    ("2.1", {"disk": -1}, "disk"),
    ("2.1", {"swap": -1}, "swap"),
    ("2.1", {"OS-FLV-EXT-DATA:ephemeral": -1}, "OS-FLV-EXT-DATA:ephemeral"),
    ("2.1", {"rxtx_factor": 0}, "rxtx_factor"),
    ("2.1", {"rxtx_factor": "0.0"}, "rxtx_factor"),
    ("2.1", {"os-flavor-access:is_public": "maybe"}, "os-flavor-access:is_public"),
    ("2.54", {"description": "x"}, "description"),
    ("2.55", {"description": "x" * 65536}, "description"),
    ("2.102", {"rxtx_factor": 1}, "rxtx_factor"),
    ("2.1", {"color": "blue"}, "color"),
])
def test_wrong_fields_are_refused_by_name(admin, version, change, field):
    answer = admin.at(version).post("/flavors", {"flavor": {**SMALL, **change}})
    assert answer.status == 400
    assert field in answer.fault


@pytest.mark.parametrize("missing", ["name", "ram", "vcpus", "disk"])
def test_missing_fields_are_named(admin, missing):
    answer = admin.post("/flavors", {"flavor": {k: v for k, v in SMALL.items() if k != missing}})
    assert (answer.status, missing in answer.fault) == (400, True)


def test_duplicates_conflict(admin):
    make(admin, id="1")
    assert admin.post("/flavors", {"flavor": {**SMALL, "id": "2"}}).status == 409
    assert admin.post("/flavors", {"flavor": {**SMALL, "name": "other", "id": "1"}}).status == 409


def test_only_administrators_change_flavors(member, admin):
    make(admin, id="1")
    latest = member.at("2.104")
    for answer in (
        latest.post("/flavors", {"flavor": SMALL}), latest.put("/flavors/1", {"flavor": {"description": "x"}}),
        latest.delete("/flavors/1"), latest.post("/flavors/1/os-extra_specs", {"extra_specs": {"a": "b"}}),
        latest.get("/flavors/1/os-flavor-access"), latest.post("/flavors/1/action", {"addTenantAccess": {"tenant": "p"}}),
    ):
        assert answer.status == 403, answer.json


def test_description_changes_from_2_55(admin):
    make(admin, id="1")
    assert admin.at("2.54").put("/flavors/1", {"flavor": {"description": "x"}}).status == 404
    assert admin.at("2.55").put("/flavors/1", {"flavor": {"description": "x"}}).json["flavor"]["description"] == "x"
    assert admin.at("2.55").put("/flavors/1", {"flavor": {"description": None}}).json["flavor"]["description"] is None
    assert admin.at("2.55").put("/flavors/1", {"flavor": {}}).status == 400
    assert admin.at("2.55").put("/flavors/9", {"flavor": {"description": "x"}}).status == 404


def test_delete(admin):
    make(admin, id="1")
    assert admin.delete("/flavors/1").status == 202
    assert admin.delete("/flavors/1").status == 404
    assert admin.get("/flavors/1").fault == "Flavor 1 could not be found."


def test_private_flavors_show_only_where_access_was_granted(admin, member, stranger):
    make(admin, id="1", **{"os-flavor-access:is_public": False})
    assert member.get("/flavors/1").status == 404
    granted = admin.post("/flavors/1/action", {"addTenantAccess": {"tenant": "6f70656e737461636b20342065766572"}})
    assert granted.json == {"flavor_access": [{"flavor_id": "1", "tenant_id": "6f70656e737461636b20342065766572"}]}
    assert admin.get("/flavors/1/os-flavor-access").json == granted.json
    assert [f["id"] for f in member.get("/flavors").json["flavors"]] == ["1"]
    assert stranger.get("/flavors").json["flavors"] == []
    assert stranger.get("/flavors/1").status == 404
    again = admin.post("/flavors/1/action", {"addTenantAccess": {"tenant": "6f70656e737461636b20342065766572"}})
    assert again.status == 409
    revoke = {"removeTenantAccess": {"tenant": "6f70656e737461636b20342065766572"}}
    assert admin.post("/flavors/1/action", revoke).json == {"flavor_access": []}
    assert admin.post("/flavors/1/action", revoke).status == 404


def test_access_of_public_flavors(admin):
    make(admin, id="1")
    assert admin.get("/flavors/1/os-flavor-access").status == 404
    grant = {"addTenantAccess": {"tenant": "p1"}}
    assert admin.at("2.7").post("/flavors/1/action", grant).status == 409
    assert admin.at("2.6").post("/flavors/1/action", grant).status == 200


def test_access_for_an_unknown_project_is_refused(admin, services):
    make(admin, id="1", **{"os-flavor-access:is_public": False})
    services.identity.missing.add("ghost")
    answer = admin.post("/flavors/1/action", {"addTenantAccess": {"tenant": "ghost"}})
    assert (answer.status, answer.fault) == (400, "Project ID ghost is not a valid project.")
    assert admin.post("/flavors/1/action", {"addTenantAccess": {}}).status == 400
    assert admin.post("/flavors/1/action", {"dance": {}}).status == 400


def test_lists_are_paged_with_links(admin, member):
    for number in range(5):
        make(admin, id=f"f{number}", name=f"n{number}")
    first = member.get("/flavors?limit=2").json
    assert [f["id"] for f in first["flavors"]] == ["f0", "f1"]
    [link] = first["flavors_links"]
    assert (link["rel"], link["href"]) == ("next", "http://localhost/v2.1/flavors?limit=2&marker=f1")
    last = member.get("/flavors/detail?limit=2&marker=f3").json
    assert [f["id"] for f in last["flavors"]] == ["f4"]
    assert "flavors_links" not in last
    assert [f["id"] for f in member.get("/flavors?sort_key=name&sort_dir=desc&limit=1").json["flavors"]] == ["f4"]


def test_filters(admin, member):
    make(admin, id="1")
    make(admin, id="2", name="big", ram=4096, disk=40)
    make(admin, id="3", name="closed", **{"os-flavor-access:is_public": False})

    def ids(caller, query, version="2.104"):
        return [f["id"] for f in caller.at(version).get(f"/flavors?{query}").json["flavors"]]
    assert ids(member, "minRam=1024") == ids(member, "minDisk=2") == ids(member, "name=big") == ["2"]
    assert ids(member, "name=big", version="2.74") == ["1", "2"]
    assert ids(member, "is_public=none") == ["1", "2"]
    assert ids(admin, "") == ["1", "2"]
    assert ids(admin, "is_public=none") == ["1", "2", "3"]
    assert ids(admin, "is_public=false") == ["3"]


@pytest.mark.parametrize(("version", "query", "word"), [
    ("2.1", "limit=-1", "limit"),
    ("2.1", "limit=x", "limit"),
    ("2.1", "minRam=x", "minRam"),
    ("2.1", "minDisk=1.5", "minDisk"),
    ("2.1", "marker=nope", "nope"),
    ("2.1", "sort_key=secret", "Sort key"),
    ("2.1", "sort_dir=up", "sort direction"),
    ("2.75", "color=blue", "color"),
    ("2.101", "name=x", "name"),
])
def test_wrong_queries_are_refused(admin, version, query, word):
    answer = admin.at(version).get(f"/flavors?{query}")
    assert answer.status == 400
    assert word in answer.fault


def test_is_public_must_be_a_boolean(admin):
    assert admin.get("/flavors?is_public=maybe").fault == "Invalid is_public filter [maybe]"
    assert admin.at("2.74").get("/flavors?color=blue").status == 200
    make(admin, id="1")
    assert admin.at("2.101").get("/flavors/1?color=blue").status == 200
    assert admin.at("2.102").get("/flavors/1?color=blue").status == 400


def test_extra_specs(admin, reader):
    make(admin, id="1")
    path = "/flavors/1/os-extra_specs"
    assert admin.post(path, {"extra_specs": {"a": "1", "b": 2}}).json == {"extra_specs": {"a": "1", "b": "2"}}
    assert reader.get(path).json == {"extra_specs": {"a": "1", "b": "2"}}
    assert reader.get(f"{path}/b").json == {"b": "2"}
    assert admin.put(f"{path}/b", {"b": "3"}).json == {"b": "3"}
    assert admin.put(f"{path}/b", {"c": "3"}).status == 400
    assert admin.put(f"{path}/b", {"b": "3", "c": "4"}).status == 400
    gone = admin.delete(f"{path}/a")
    assert (gone.status, gone.body) == (200, b"")
    assert admin.delete(f"{path}/a").status == 404
    assert reader.get(f"{path}/a").status == 404
    assert reader.at("2.61").get("/flavors/1").json["flavor"]["extra_specs"] == {"b": "3"}
    assert admin.post("/flavors/9/os-extra_specs", {"extra_specs": {"a": "1"}}).status == 404


@pytest.mark.parametrize("specs", [{"": "x"}, {"a/b": "x"}, {"a": "x" * 256}, {"a": None}, {"a" * 256: "x"}])
def test_malformed_extra_specs_are_refused(admin, specs):
    make(admin, id="1")
    assert admin.post("/flavors/1/os-extra_specs", {"extra_specs": specs}).status == 400


@pytest.mark.parametrize(("key", "good", "bad"), [
    ("hw:cpu_policy", "dedicated", "sometimes"),
    ("hw:numa_nodes", "2", "0"),
    ("hw:numa_cpus.0", "0-3,^1", "a"),
    ("hw:mem_page_size", "2MB", "huge"),
    ("hw:boot_menu", "true", "perhaps"),
    ("quota:cpu_quota", "-1", "-2"),
    ("quota:vif_inbound_average", "1024", "fast"),
    ("resources:CUSTOM_GPU", "1", "one"),
    ("resources1:VCPU", "1", "-1"),
    ("trait:HW_CPU_X86_AVX", "required", "wanted"),
    ("os:secure_boot", "required", "on"),
    ("capabilities:hypervisor_version", ">= 1000", ">1"),
    ("hw_rng:rate_bytes", "24", "-1"),
    ("pci_passthrough:alias", "gpu:1", "gpu"),
    ("group_policy", "isolate", "mix"),
])
def test_known_namespaces_are_checked_from_2_86(admin, key, good, bad):
    make(admin, id="1")
    path = "/flavors/1/os-extra_specs"
    assert admin.at("2.86").post(path, {"extra_specs": {key: good}}).status == 200
    refused = admin.at("2.86").post(path, {"extra_specs": {key: bad}})
    assert (refused.status, key in refused.fault) == (400, True)
    assert admin.at("2.86").put(f"{path}/{key}", {key: bad}).status == 400
    assert admin.at("2.85").post(path, {"extra_specs": {key: bad}}).status == 200


@pytest.mark.parametrize("key", ["hw:nope", "quota:nope", "trait:", "resources:lower", "os:nope", "accel:nope"])
def test_unknown_keys_of_known_namespaces_are_refused_from_2_86(admin, key):
    make(admin, id="1")
    answer = admin.at("2.86").post("/flavors/1/os-extra_specs", {"extra_specs": {key: "1"}})
    assert (answer.status, key in answer.fault) == (400, True)


def test_other_namespaces_are_the_operators(admin):
    make(admin, id="1")
    answer = admin.at("2.104").post("/flavors/1/os-extra_specs", {"extra_specs": {"mine:x": "anything", "plain": "y"}})
    assert answer.status == 200
