"""What guests are told, and to whom it is told."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from dataclasses import replace

import pytest
from webob import Request

from novalike.api.metadata.app import application
from novalike.db import instances
from novalike.objects.flavor import Flavor
from novalike.objects.instance import Instance
from tests.fakes import services as fakes

SECRET = "swordfish"


@pytest.fixture
def services(sqlite, tmp_path):
    (tmp_path / "vendor.json").write_text('{"vendor": "us"}')
    return fakes.services(sqlite, neutron__metadata_proxy_shared_secret=SECRET, api__vendordata_jsonfile_path=str(tmp_path / "vendor.json"))


@pytest.fixture
def server(services) -> Instance:
    instance = Instance(
        id=0, uuid=str(uuid.uuid4()), project_id="p" * 32, user_id="u", display_name="web", hostname="web", vm_state="active",
        flavor=Flavor(flavorid="1", name="tiny", vcpus=1, memory_mb=64, root_gb=0), user_data=base64.b64encode(b"#!/bin/sh\n").decode(),
        key_name="k", key_data="ssh-rsa AAAA", metadata={"role": "web"}, created_at=services.clock.now(),
    )
    return services.cells.cell("cell1").write(instances.create, [instance])[0]


@pytest.fixture
def app(services):
    return application(services)


def ask(app, server, path, method="GET", body=b"", **changes):
    headers = {
        "X-Instance-ID": server.uuid, "X-Tenant-ID": server.project_id,
        "X-Instance-ID-Signature": hmac.new(SECRET.encode(), server.uuid.encode(), hashlib.sha256).hexdigest(),
    }
    headers |= {name.replace("_", "-"): value for name, value in changes.items()}
    request = Request.blank(path, method=method, headers={name: value for name, value in headers.items() if value is not None})
    if body:
        request.body = body
    return request.get_response(app)


def test_both_trees_are_served(app, server) -> None:
    assert "latest" in ask(app, server, "/").text.split()
    assert "latest" in ask(app, server, "/openstack").text.split()
    assert "latest" in ask(app, server, "/openstack/").text.split()
    document = ask(app, server, "/openstack/latest/meta_data.json").json
    assert (document["uuid"], document["name"], document["meta"], document["public_keys"]) == (server.uuid, "web", {"role": "web"}, {"k": "ssh-rsa AAAA"})
    assert ask(app, server, "/openstack/latest/user_data").body == b"#!/bin/sh\n"
    assert ask(app, server, "/openstack/latest/vendor_data.json").json == {"vendor": "us"}
    assert ask(app, server, "/openstack/latest/vendor_data2.json").json == {"static": {"vendor": "us"}}
    assert ask(app, server, "/latest/user-data").body == b"#!/bin/sh\n"
    assert ask(app, server, "/latest/meta-data/public-keys/0/openssh-key").text.startswith("ssh-rsa AAAA")
    assert ask(app, server, "/latest/meta-data/local-hostname").text.startswith("web")
    assert ask(app, server, "/openstack/latest/nonsense").status_int == 404


@pytest.mark.parametrize(("changes", "status"), [
    ({"X_Instance_ID": None}, 400), ({"X_Tenant_ID": None}, 400), ({"X_Instance_ID_Signature": None}, 403),
    ({"X_Instance_ID_Signature": "0" * 64}, 403), ({"X_Instance_ID": "a,b"}, 400), ({"X_Tenant_ID": "other"}, 404),
    ({"X_Instance_ID_Signature": "\xe9"}, 403),
])
def test_only_signed_requests_are_answered(app, server, changes, status) -> None:
    ask(app, server, "/openstack")                           # what was cached for the real one helps nobody else
    assert ask(app, server, "/openstack/latest/meta_data.json", **changes).status_int == status


def test_without_a_secret_nobody_is_answered(services, server) -> None:
    services.conf.set_override("metadata_proxy_shared_secret", "", group="neutron")
    signed = hmac.new(b"", server.uuid.encode(), hashlib.sha256).hexdigest()
    assert ask(application(services), server, "/", X_Instance_ID_Signature=signed).status_int == 403


def test_a_missing_server_is_not_found(app, server) -> None:
    ghost = replace(server, uuid=str(uuid.uuid4()))
    assert ask(app, ghost, "/openstack").status_int == 404


def test_answers_are_kept_for_fifteen_seconds(services, app, server) -> None:
    def name() -> str:
        return ask(app, server, "/openstack/latest/meta_data.json").json["name"]

    assert name() == "web"
    services.cells.cell("cell1").write(instances.change, server.uuid, services.clock.now(), lambda _: {"display_name": "other"})
    assert name() == "web"
    services.clock.advance(16)
    assert name() == "other"


def test_a_guest_sets_its_password_once(app, server) -> None:
    path = "/openstack/latest/password"
    assert ask(app, server, path).body == b""
    assert ask(app, server, path, "POST", b"x" * 1021).status_int == 400
    assert ask(app, server, path, "POST", b"\xff").status_int == 400
    assert ask(app, server, path, "POST", b"s" * 300).status_int == 200
    assert ask(app, server, path).body == b"s" * 300
    assert ask(app, server, path, "POST", b"other").status_int == 409
    assert ask(app, server, "/openstack/latest/user_data", "POST", b"other").status_int == 404
    assert ask(app, server, path, "PUT", b"other").status_int == 405


def test_dynamic_vendor_data_which_fail_are_left_out(services, server) -> None:
    services.conf.set_override("vendordata_providers", ["StaticJSON", "DynamicJSON"], group="api")
    services.conf.set_override("vendordata_dynamic_targets", ["gone@http://127.0.0.1:1/x"], group="api")
    document = json.loads(ask(application(services), server, "/openstack/latest/vendor_data2.json").body)
    assert document == {"static": {"vendor": "us"}, "gone": {}}
