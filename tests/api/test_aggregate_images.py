"""Images which the hosts of an aggregate shall have before servers need them (2.81)."""

import pytest

from tests import factories
from tests.api.test_hosts import add_host

ONE, TWO, MISSING = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222", "33333333-3333-4333-8333-333333333333"


@pytest.fixture
def aggregate(admin, services):
    for image in (ONE, TWO):
        services.images.add(factories.image(id=image))
    number = admin.post("/os-aggregates", {"aggregate": {"name": "fast"}}).json["aggregate"]["id"]
    for host in ("host1", "host2", "host3"):
        add_host(services, host)
        admin.post(f"/os-aggregates/{number}/action", {"add_host": {"host": host}})
    add_host(services, "elsewhere")
    return f"/os-aggregates/{number}/images"


def ask(caller, path, *images, version="2.81"):
    return caller.at(version).post(path, {"cache": [{"id": image} for image in images]})


def test_hosts_which_are_up_are_asked(admin, services, aggregate):
    admin.at("2.11").put("/os-services/force-down", {"host": "host2", "binary": "nova-compute", "forced_down": True})
    answer = ask(admin, aggregate, ONE, TWO)
    assert (answer.status, answer.body) == (202, b"")
    assert [(host, method, arguments["source"].image_id) for host, method, arguments in services.compute.sent] == [
        (host, "cache_image", image) for host in ("host1", "host3") for image in (ONE, TWO)
    ]


def test_what_is_refused(admin, member, services, aggregate):
    assert ask(admin, aggregate, ONE, ONE).fault == "Duplicate images in request"
    for images in ((), (MISSING,), ("x",)):
        assert ask(admin, aggregate, *images).status == 400
    assert ask(admin, "/os-aggregates/99/images", ONE).status == 404
    assert ask(member, aggregate, ONE).status == 403
    assert ask(admin, aggregate, ONE, version="2.80").status == 404
    assert services.compute.sent == []
