"""GET /servers and /servers/detail: filters, orders, pages and rights."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from novalike.db import instances
from tests import factories
from tests.api.client import PROJECT, USER


@pytest.fixture
def store(sqlite):
    def store(*servers):
        return sqlite.write(instances.create, [factories.instance(**{"project_id": PROJECT, "user_id": USER, **values}) for values in servers])
    return store


def names(client, query=""):
    answer = client.get(f"/servers{query}")
    assert answer.status == 200, answer.json
    detail = client.get(f"/servers/detail{query}")
    assert [s["id"] for s in detail.json["servers"]] == [s["id"] for s in answer.json["servers"]]
    return [server["name"] for server in answer.json["servers"]]


def test_pages_with_links(member, store):
    store(*({"display_name": f"n{n}"} for n in range(5)))
    seen, path = [], "/servers?limit=2&sort_key=display_name&sort_dir=asc"
    while path:
        answer = member.get(path).json
        seen.append([s["name"] for s in answer["servers"]])
        link = answer.get("servers_links", [{}])[0].get("href", "")
        path = link.removeprefix("http://localhost/v2.1")
        if link:
            assert "sort_key=display_name" in link
    assert seen == [["n0", "n1"], ["n2", "n3"], ["n4"]]
    assert member.get("/servers?limit=0").json == {"servers": []}
    assert member.get("/servers?marker=nothing").fault == "marker [nothing] not found"


@pytest.mark.parametrize("query", [
    "limit=-1", "limit=x", "sort_key=nothing", "sort_dir=up", "changes-since=yesterday", "name=(", "name=(a%2B)%2B", "ip=%5B",
    "sort_dir=asc&sort_dir=desc", "all_tenants=perhaps", "changes-since=99999-01-01",
])
def test_bad_queries(member, query):
    answer = member.get(f"/servers?{query}")
    assert answer.status == 400, query


def test_unknown_filters_are_ignored_until_2_75(member, store):
    store({"display_name": "a"})
    assert names(member, "?nonsense=1") == ["a"]
    assert names(member.at("2.74"), "?nonsense=1") == ["a"]
    assert member.at("2.75").get("/servers?nonsense=1").status == 400


def test_filters_of_members(member, store):
    store(
        {"display_name": "alpha", "image_ref": "i1", "reservation_id": "r-1", "flavor": factories.flavor(flavorid="7"), "host": "h1"},
        {"display_name": "beta", "vm_state": "stopped", "network_info": (factories.vif("10.9.9.9"),), "tags": ("x",), "locked_by": "owner"},
    )
    for query, expected in {
        "name=alp": ["alpha"], "name=^b": ["beta"], "image=i1": ["alpha"], "reservation_id=r-1": ["alpha"], "flavor=7": ["alpha"],
        "status=shutoff": ["beta"], "status=ACTIVE&status=SHUTOFF": ["alpha", "beta"], "status=nonsense": [], "ip=10.9": ["beta"],
    }.items():
        assert sorted(names(member, f"?{query}")) == expected, query
    assert sorted(names(member, "?host=h1")) == ["alpha", "beta"], "a filter for admins is dropped"
    assert names(member.at("2.26"), "?tags=x") == ["beta"]
    assert names(member.at("2.26"), "?not-tags=x") == ["alpha"]
    assert names(member.at("2.73"), "?locked=true") == ["beta"]
    assert names(member.at("2.83"), "?vm_state=stopped") == ["beta"]
    assert member.at("2.38").get("/servers?status=nonsense").status == 400


def test_filters_of_admins(admin, store):
    store({"display_name": "alpha", "host": "h1"}, {"display_name": "beta", "host": "h2", "description": "text"})
    assert names(admin, "?host=h1") == ["alpha"]
    assert names(admin, "?node=host-1&power_state=1&description=text") == ["beta"]
    assert admin.get("/servers?power_state=x").status == 400


def test_changes_since_shows_what_went_away(member, admin, store):
    store({"display_name": "old"}, {"display_name": "gone", "deleted": True, "vm_state": "deleted", "updated_at": factories.NOW + timedelta(hours=1)})
    assert names(member, "?changes-since=2026-01-02T03:30:00Z") == ["gone"]
    assert names(member, "?changes-since=2026-01-02T05:30:00%2B02:00") == ["gone"]
    assert names(member.at("2.66"), "?changes-before=2026-01-02T03:30:00Z") == ["old"]
    assert names(member) == ["old"]
    assert names(member, "?deleted=true") == ["old"], "dropped for members"
    assert names(admin, "?deleted=true") == ["gone"]
    assert member.get("/servers?status=deleted").status == 403
    assert names(admin, "?status=deleted") == ["gone"]


def test_projects(member, admin, stranger, store):
    store({"display_name": "mine"}, {"display_name": "theirs", "project_id": "0ther"})
    assert names(member) == ["mine"]
    assert names(stranger) == ["theirs"]
    assert names(admin) == ["mine"]
    assert sorted(names(admin, "?all_tenants=1")) == ["mine", "theirs"]
    assert names(admin, "?all_tenants=1&project_id=0ther") == ["theirs"]
    assert names(admin, "?tenant_id=0ther") == ["mine"]
    assert names(admin, "?all_tenants=yes&tenant_id=0ther") == ["theirs"]
    assert names(admin, "?project_id=0ther") == ["mine"]
    assert member.get("/servers?all_tenants=1").status == 403
    assert names(member, "?all_tenants=0") == ["mine"]


@pytest.mark.parametrize("count", [1, 60])
def test_the_number_of_queries_does_not_grow(admin, member, sqlite, store, count):
    servers = store(*({"host": f"h{n}"} for n in range(count)))
    statements = []
    sa.event.listen(sqlite._reader, "before_cursor_execute", lambda *event: statements.append(event[2]))

    def queries(client, path):
        statements.clear()
        assert client.get(path).status == 200
        return len([text for text in statements if text != "BEGIN"])
    assert queries(member, "/servers") == 1
    assert queries(member, "/servers/detail") == 2
    assert queries(admin.at("2.104"), "/servers/detail") == 3
    assert queries(member, f"/servers/{servers[0].uuid}") == 1
    assert queries(admin.at("2.104"), f"/servers/{servers[0].uuid}") == 2
