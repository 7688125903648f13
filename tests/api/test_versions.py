"""Version documents, microversion negotiation and faults."""

from __future__ import annotations

import pytest


def test_root_lists_versions_without_a_token(nobody):
    answer = nobody.under("").get("/")
    assert answer.status == 200
    assert [(v["id"], v["status"], v["min_version"], v["version"]) for v in answer.json["versions"]] == [
        ("v2.0", "DEPRECATED", "", ""), ("v2.1", "CURRENT", "2.1", "2.104"),
    ]
    assert answer.json["versions"][1]["links"] == [{"rel": "self", "href": "http://localhost/v2.1/"}]
    assert answer.headers["X-Compute-Request-Id"].startswith("req-")


def test_unknown_root_word_answers_choices(nobody):
    answer = nobody.under("").get("/nonsense/x")
    assert answer.status == 300
    assert answer.json["choices"][1]["links"][0]["href"] == "http://localhost/v2.1/nonsense/x"


@pytest.mark.parametrize("path", ["/", "/6f70656e737461636b20342065766572", "/versions/v2.1"])
def test_version_document(nobody, path):
    answer = nobody.get(path)
    assert answer.status == 200
    version = answer.json["version"]
    assert version["id"] == "v2.1"
    assert version["media-types"] == [
        {"base": "application/json", "type": "application/vnd.openstack.compute+json;version=2.1"},
    ]


def test_version_without_slash_redirects(nobody):
    answer = nobody.under("").get("/v2.1")
    assert (answer.status, answer.headers["Location"]) == (302, "http://localhost/v2.1/")


def test_no_token_is_401_even_for_unknown_paths(nobody):
    for path in ("/servers", "/nothing-here"):
        answer = nobody.get(path)
        assert answer.status == 401, path
        assert answer.headers["WWW-Authenticate"].startswith("Keystone uri=")


@pytest.mark.parametrize(("headers", "spoken"), [
    ({}, "2.1"),
    ({"OpenStack-API-Version": "compute 2.53"}, "2.53"),
    ({"OpenStack-API-Version": "compute latest"}, "2.104"),
    ({"OpenStack-API-Version": "identity 3.1, compute 2.7"}, "2.7"),
    ({"OpenStack-API-Version": "volume 3.5"}, "2.1"),
    ({"X-OpenStack-Nova-API-Version": "2.3"}, "2.3"),
    ({"X-OpenStack-Nova-API-Version": "2.3", "OpenStack-API-Version": "compute 2.9"}, "2.9"),
])
def test_negotiation(member, headers, spoken):
    answer = member.get("/nothing-here", headers=headers)
    assert answer.headers["OpenStack-API-Version"] == f"compute {spoken}"
    assert answer.headers["X-OpenStack-Nova-API-Version"] == spoken
    assert answer.headers.getall("Vary") == ["OpenStack-API-Version", "X-OpenStack-Nova-API-Version"]
    assert answer.headers["X-Compute-Request-Id"] == answer.headers["X-OpenStack-Request-Id"]
    assert answer.json == {"itemNotFound": {"code": 404, "message": "The resource could not be found."}}


@pytest.mark.parametrize("wanted", ["two", "2", "2.x", "", "2.1.1", "2.01", "²"])
def test_malformed_version(member, wanted):
    answer = member.get("/nothing-here", headers={"OpenStack-API-Version": f"compute {wanted}"})
    assert answer.status == 400
    assert answer.json["badRequest"]["message"] == (
        f"API Version String '{wanted}' is of invalid format. Must be of format MajorNum.MinorNum."
    )


@pytest.mark.parametrize("wanted", ["2.105", "2.0", "3.1", "1.1"])
def test_unsupported_version(member, wanted):
    answer = member.get("/nothing-here", headers={"OpenStack-API-Version": f"compute {wanted}"})
    assert answer.json == {"computeFault": {"code": 406, "message":
        f"Version {wanted} is not supported by the API. Minimum is 2.1 and maximum is 2.104."}}


def test_legacy_ignores_microversions(member):
    answer = member.under("/v2").get("/nothing-here", headers={"OpenStack-API-Version": "compute 9.9"})
    assert answer.status == 404
    assert "OpenStack-API-Version" not in answer.headers


@pytest.mark.parametrize("path", ["/%ff%fe", "/servers/%00", "/servers?name=%ff", "/servers?name=%00"])
def test_hostile_paths(member, path):
    assert member.get(path).status in {400, 404}


@pytest.mark.parametrize(("method", "path"), [("GET", "/os-simple-tenant-usage/"), ("DELETE", "/images/"), ("GET", "/servers/")])
def test_a_forgotten_id_is_not_the_collection(admin, method, path):
    assert admin(method, path).status == 404
