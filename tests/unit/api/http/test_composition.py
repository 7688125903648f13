"""Paste files find their factories, and one port serves several APIs under prefixes."""

from __future__ import annotations

import types

import pytest
from webob import Request

from novalike import etcfiles
from novalike.api.http import composition


def application(services):
    """What a module of ours offers: tells for what it was made and how it was reached."""
    def answer(environ, start_response):
        text = f"{services.conf.name} {environ['SCRIPT_NAME']} {environ['PATH_INFO']}".encode()
        start_response("200 OK", [("Content-Length", str(len(text)))])
        return [text]
    return answer


def services(name="one", local=("image",), proxy=False):
    conf = types.SimpleNamespace(name=name, oslo_middleware=types.SimpleNamespace(
        max_request_body_size=10, enable_proxy_headers_parsing=proxy,
    ))
    return types.SimpleNamespace(conf=conf, local=dict.fromkeys(local))


@pytest.fixture
def paste(tmp_path):
    file = tmp_path / "paste.ini"
    file.write_text(f"""
[composite:all]
paste.composite_factory = novalike.api.http.composition:prefixes
/compute = compute
/image = image
/network = network
[pipeline:compute]
pipeline = proxy_headers size_limit request_id api
[app:api]
paste.app_factory = novalike.api.http.composition:application
module = {__name__}
[app:image]
paste.app_factory = novalike.api.http.composition:application
module = {__name__}
local = image
[app:network]
paste.app_factory = novalike.api.http.composition:application
module = {__name__}
local = network
[filter:proxy_headers]
paste.filter_factory = novalike.api.http.composition:proxy_headers
[filter:size_limit]
paste.filter_factory = novalike.api.http.composition:size_limit
[filter:request_id]
paste.filter_factory = novalike.api.http.composition:request_id
headers = X-Compute-Request-Id X-Openstack-Request-Id
""")
    return file


def get(made, path, **options):
    return Request.blank(path, **options).get_response(made)


def test_prefixes_lead_to_applications(paste):
    made = composition.load(paste, "all", services())
    assert get(made, "/compute/v2.1/servers").text == "one /compute /v2.1/servers"
    assert get(made, "/compute").text == "one /compute "
    assert get(made, "/image/v2/images").text == "one /image /v2/images"
    assert get(made, "/computers").status_int == 404
    assert [api["name"] for api in get(made, "/").json["apis"]] == ["compute", "image", "network"]


def test_an_api_whose_service_is_remote_is_not_here(paste):
    assert get(composition.load(paste, "all", services()), "/network/v2.0").status_int == 404


def test_a_pipeline_has_its_filters(paste):
    made = composition.load(paste, "compute", services())
    answer = get(made, "/x")
    assert answer.headers["X-Compute-Request-Id"] == answer.headers["X-Openstack-Request-Id"]
    assert get(made, "/x", method="POST", body=b"x" * 11).status_int == 413
    forwarded = {"X-Forwarded-Prefix": "/cloud"}
    assert get(made, "/x", headers=forwarded).text == "one  /x", "not believed unless configured"
    made = composition.load(paste, "compute", services(proxy=True))
    assert get(made, "/x", headers=forwarded).text == "one /cloud /x"


def test_two_processes_worth_of_services_do_not_mix(paste):
    first, second = (composition.load(paste, "compute", services(name)) for name in ("one", "two"))
    assert get(first, "/x").text.startswith("one")
    assert get(second, "/x").text.startswith("two")
    assert not composition._registry


def test_an_unknown_name_is_an_error(paste):
    with pytest.raises(LookupError):
        composition.load(paste, "volume", services())


def test_the_files_which_come_with_us_are_found(tmp_path):
    assert etcfiles.find("api-paste.ini", folders=()).name == "api-paste.ini"
    own = tmp_path / "api-paste.ini"
    own.write_text("")
    assert etcfiles.find("api-paste.ini", folders=(str(tmp_path),)) == own, "the operator's file wins"
    assert etcfiles.find(str(own)) == own
    with pytest.raises(FileNotFoundError, match=r"nothing\.ini"):
        etcfiles.find("nothing.ini")
