"""Whatever is sent to the identity, image and network APIs: a 4xx that says what is wrong, or an honest 501; never another 5xx."""

from __future__ import annotations

import json
from dataclasses import replace
from io import BytesIO
from urllib.parse import quote

import pytest
from webob import Request

from novalike.api.http.application import CONTEXT_KEY
from novalike.api.identity import app as identity_app
from novalike.api.image import app as image_app
from novalike.api.network import app as network_app
from novalike.clock import Clock
from novalike.db.cells import Cells
from novalike.identity.local.service import LocalIdentity
from novalike.image.local.service import LocalImages
from novalike.network.local.service import LocalNetworks
from tests.api import client
from tests.fakes import services as fakes

ODD = (None, True, 0, -1, 10**30, 1.5, "", " ", "x" * 5000, "\U0001f600", "%s{}", [], [None], [[]], [{}], {}, {"": None}, {"a": {"b": [{}]}})
IDS = (
    "x", "0e44cc9c-e052-415d-afbf-469b0d384170", "'%20OR%201=1%20--", "%2F..%2F", "%F0%9F%98%80", "x" * 300, "9" * 30, "-1", "%FF",
    "%00",
)
QUERY_VALUES = ("", "x", "-1", "0", "9" * 25, "%F0%9F%98%80", "%FF", "%00", "a" * 3000, "in:", "in:a,b", "gt:x", "x:y", "true", "1&{0}=2")
COMMON = (
    "limit", "marker", "sort", "sort_key", "sort_dir", "page_reverse", "fields", "id", "name", "created_at", "updated_at", "status",
    "enabled", "domain_id", "size_min", "size_max", "tag", "tags", "not-tags", "visibility", "member_status", "protected", "os_hidden",
    "fixed_ips", "fixed_ips_substr", "security_groups", "mac_address", "device_id", "network_id", "cidr", "user.id", "scope", "group.id",
    "role.id", "scope.project.id", "effective", "include_names", "include_subtree", "parent_id", "owner", "checksum",
)


class Api:
    """One API without its middleware, and something of each kind in it."""

    def __init__(self, app, examples):
        self.app = app
        self.examples = examples

    def routes(self, *methods):
        return [route for route in self.app.routes if route.method in methods]

    def ids(self, route):
        """Real ids for this path, then odd ones."""
        return (*(example for kind, example in self.examples if kind in route.path), *IDS)

    def ask(self, method, path, *, raw=None, headers=None, environ=None):
        request = Request.blank("/", method=method)
        request.path_info, _, request.query_string = path.partition("?")
        request.environ["PATH_INFO"] = _unquoted(request.environ["PATH_INFO"])
        if raw is not None:
            request.body = raw
            request.content_type = "application/json"
        request.headers.update(headers or {})
        request.environ.update(environ or {})
        request.environ[CONTEXT_KEY] = client.context(*client.ADMIN)
        answer = request.get_response(self.app)
        what = (method, path, raw and raw[:200], headers)
        assert answer.status_int < 500 or answer.status_int in {501, 503}, (what, answer.status, answer.text)
        if answer.status_int >= 400 and method != "HEAD":
            assert answer.body, what
        return answer


def _unquoted(path):
    raw = bytearray()
    rest = path.encode("latin-1")
    while rest:
        if rest[:1] == b"%" and len(rest) > 2:
            raw.append(int(rest[1:3], 16))
            rest = rest[3:]
        else:
            raw += rest[:1]
            rest = rest[1:]
    return raw.decode("latin-1")


def path_of(route, identifier):
    return "/".join(identifier if part.startswith("{") else part for part in route.path.split("/"))


@pytest.fixture(params=["identity", "image", "network"])
def api(request, sqlite, tmp_path):
    made = fakes.services(sqlite, clock=Clock(), identity__password_hash_rounds=4, image__store_directory=str(tmp_path / "store"))
    cells = Cells.single(sqlite)
    local = {
        "identity": LocalIdentity(made.conf, cells, made.clock), "image": LocalImages(made.conf, cells, made.clock),
        "network": LocalNetworks(made.conf, cells, made.clock),
    }
    services = replace(made, local=local)
    if request.param == "identity":
        local["identity"].bootstrap(admin_password="secret", demo_password="demo")
        return Api(identity_app.application(services), _identity_examples(Api(identity_app.application(services), ())))
    if request.param == "image":
        found = Api(image_app.application(services), ())
        image = found.ask("POST", "/v2/images", raw=b'{"name": "i", "disk_format": "raw", "container_format": "bare"}').json
        return Api(found.app, (("images", image["id"]),))
    found = Api(network_app.application(services), ())
    return Api(found.app, _network_examples(found))


def _identity_examples(found):
    examples = []
    for kind in ("users", "projects", "roles", "domains", "services", "endpoints", "regions"):
        listed = found.ask("GET", f"/v3/{kind}").json[kind]
        examples += [(kind, listed[0]["id"])] if listed else []
    return tuple(examples)


def _network_examples(found):
    def make(one, **values):
        answer = found.ask("POST", f"/v2.0/{one.replace('_', '-')}s", raw=json.dumps({one: values}).encode())
        assert answer.status_int == 201, answer.text
        return answer.json[one]["id"]
    network = make("network", name="n")
    subnet = make("subnet", network_id=network, ip_version=4, cidr="10.1.0.0/24")
    group = make("security_group", name="g")
    return (
        ("networks", network), ("subnets", subnet), ("ports", make("port", network_id=network)), ("security-groups", group),
    )


def fields(route):
    """The names in a body which a route knows, as (wrapper or None, name)."""
    if route.body is None:
        return [(None, "x")]
    plain = route.body.at((2, 0))
    found = [(None, name) for name in plain.get("properties", ())] or [(None, "x")]
    for wrapper, inner in plain.get("properties", {}).items():
        if isinstance(inner, dict):
            found += [(wrapper, name) for name in inner.get("properties", ())]
    return found


def test_odd_bodies(api):
    for route in api.routes("POST", "PUT", "PATCH"):
        path = path_of(route, api.ids(route)[0])
        for raw in (b"", b"null", b"[]", b"{", b'"x"', b"\xff\xfe", b"1" * 400, b"[" * 3000, b'{"a":' * 3000, b'{"\\ud800": 1}', b'{"a": "\\u0000"}'):
            api.ask(route.method, path, raw=raw)


def test_odd_fields(api):
    for route in api.routes("POST", "PUT", "PATCH"):
        if route.stream:
            continue
        path = path_of(route, api.ids(route)[0])
        plain = route.body.at((2, 0)).get("properties", {}) if route.body else {}
        for wrapper, name in fields(route):
            for value in ODD:
                if wrapper is None:
                    body = {name: value}
                else:
                    required = plain[wrapper].get("required", ())
                    body = {wrapper: dict.fromkeys(required, "1") | {name: value}}
                api.ask(route.method, path, raw=json.dumps(body).encode())


def test_odd_patches(api):
    for route in api.routes("PATCH"):
        if not route.stream:                     # those of images are lists of operations
            continue
        path = path_of(route, api.ids(route)[0])
        for kind in ("application/openstack-images-v2.1-json-patch", "application/openstack-images-v2.0-json-patch", "text/plain", "\u00e9"):
            for value in ODD:
                for operation in (value, [value], [{"op": value}], [{"op": "replace", "path": value, "value": 1}],
                                  [{"op": "add", "path": "/name", "value": value}], [{"op": "add", "path": "/tags", "value": value}],
                                  [{"op": "replace", "path": "/min_disk", "value": value}], [{"op": "remove", "path": "/name"}],
                                  [{"op": "add", "path": "/x/y/z", "value": value}], [{"op": "add", "path": "/~2", "value": value}],
                                  [{"replace": value, "value": value}], [{"add": "/x", "value": value}]):
                    api.ask("PATCH", path, raw=json.dumps(operation).encode(), headers={"Content-Type": kind.encode("latin-1").decode("latin-1")})


def test_odd_ids(api):
    for route in api.routes("GET", "HEAD", "DELETE", "PUT", "POST", "PATCH"):
        if "{" in route.path:
            for identifier in IDS:
                api.ask(route.method, path_of(route, identifier), raw=b"{}" if route.method in {"PUT", "POST", "PATCH"} else None)


def test_odd_queries(api):
    for route in api.routes("GET"):
        path = path_of(route, api.ids(route)[0])
        for name in dict.fromkeys((*route.query._parameters, *COMMON)):
            for value in QUERY_VALUES:
                api.ask("GET", f"{path}?{quote(name)}={value.format(quote(name))}")


def test_odd_methods(api):
    for path in {path_of(route, api.ids(route)[0]) for route in api.app.routes}:
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "\u00e9"):
            api.ask(method, path)


@pytest.mark.parametrize("environ", [
    {"CONTENT_LENGTH": "-1"}, {"CONTENT_LENGTH": "x"}, {"CONTENT_LENGTH": "9" * 30}, {"CONTENT_TYPE": "\xff"}, {"CONTENT_TYPE": "application/"},
    {"HTTP_HOST": "\xff:x"}, {"HTTP_ACCEPT": "\xff"}, {"HTTP_RANGE": "bytes=-"}, {"HTTP_RANGE": "bytes=5-1,x"}, {"HTTP_CONTENT_RANGE": "x"},
    {"HTTP_X_SUBJECT_TOKEN": "\xff"}, {"HTTP_IF_MATCH": "revision_number=x"}, {"HTTP_IF_MATCH": "revision_number=" + "9" * 30},
    {"HTTP_X_IMAGE_META_STORE": "x"}, {"SERVER_NAME": "", "SERVER_PORT": ""},
], ids=lambda environ: "-".join(f"{k}={v[:12]!r}" for k, v in environ.items()))
def test_odd_headers(api, environ):
    for route in api.app.routes:
        identifier = api.ids(route)[0]
        api.ask(route.method, path_of(route, identifier), environ={"wsgi.input": BytesIO(b"{}"), **environ})
