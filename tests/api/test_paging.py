"""Every list which has pages: they join to the whole list, and a wrong limit, marker or time is refused by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from novalike.api.openstack.app import application
from tests.api import world as w
from tests.api.client import Client
from tests.api.personas import MEMBER
from tests.api.world import identify


@dataclass(frozen=True)
class Paged:
    """A list at a version; `links` is where its link to the next page stands."""

    path: str
    version: str
    key: str
    links: str = ""
    identity: str = "id"
    query: str = ""

    def ask(self, client: Any, query: str = "") -> Any:
        whole = "&".join(filter(None, (self.query, query)))
        return client.at(self.version).get(f"{self.path}{'?' if whole else ''}{whole}")

    def ids(self, answer: Any) -> list[Any]:
        items = answer.json[self.key]
        if self.key == "tenant_usages":          # pages are of servers, which are grouped by project
            return [server["instance_id"] for item in items for server in item["server_usages"]]
        return [item.get("keypair", item)[self.identity] for item in items]


_USAGE = "start=2026-01-01T00:00:00&end=2026-02-01T00:00:00&detailed=1"
LISTS = (
    Paged("/servers", "2.1", "servers"), Paged("/servers/detail", "2.104", "servers"), Paged("/flavors", "2.1", "flavors"),
    Paged("/flavors/detail", "2.104", "flavors"), Paged("/os-keypairs", "2.35", "keypairs", identity="name"),
    Paged("/os-hypervisors", "2.33", "hypervisors"), Paged("/os-hypervisors/detail", "2.53", "hypervisors"),
    Paged("/os-migrations", "2.59", "migrations", identity="uuid"),
    Paged(f"/servers/{identify('active')}/os-instance-actions", "2.58", "instanceActions", links="links", identity="request_id"),
    Paged("/os-simple-tenant-usage", "2.40", "tenant_usages", identity="tenant_id", query=_USAGE),
)
each = pytest.mark.parametrize("paged", LISTS, ids=lambda paged: f"{paged.path} {paged.version}")


@pytest.fixture
def admin(world):
    """An administrator, in a world with several of everything."""
    for name in ("b", "a", "c"):
        world.admin.post("/os-keypairs", {"keypair": {"name": name, "public_key": w.KEY}})
        for word in ("lock", "unlock"):
            assert world.admin.post(f"/servers/{identify('active')}/action", {word: None}).status == 202
    return world.admin


def following(client, paged, answer):
    """Answer the page which an answer links to, if it does."""
    links = answer.json.get(paged.links or f"{paged.key}_links")
    if not links:
        return None
    [link] = links
    assert link["rel"] == "next"
    parts = urlsplit(link["href"])
    return client.at(paged.version).get(f"{parts.path.removeprefix('/v2.1')}?{parts.query}")


@each
@pytest.mark.parametrize("limit", [1, 2, 1000])
def test_pages_join_to_the_list(admin, paged, limit):
    whole = paged.ids(paged.ask(admin))
    assert len(whole) >= 3
    page, joined = paged.ask(admin, f"limit={limit}"), []
    while page is not None:
        assert page.status == 200, page.json
        assert len(paged.ids(page)) <= limit
        joined += paged.ids(page)
        page = following(admin, paged, page)
    assert joined == whole


@pytest.fixture(scope="module")
def stingy(_world):
    """The same cloud behind an API which shows two of everything at once, at most."""
    conf = _world.services.conf
    conf.set_override("max_limit", 2, "api")
    try:
        return application(_world.services)
    finally:
        conf.clear_override("max_limit", "api")


@each
@pytest.mark.parametrize("query", ["", "limit=100000"])
def test_no_limit_is_above_the_greatest(admin, stingy, paged, query):
    caller = Client(stingy, admin.context)
    page, count = paged.ask(caller, query), 0
    while page is not None:
        assert len(paged.ids(page)) <= 2
        count += len(paged.ids(page))
        page = following(caller, paged, page)
    assert count == len(paged.ids(paged.ask(admin)))


@each
@pytest.mark.parametrize("limit", ["-1", "x", "1.5", "", "%20", "1e3", "0x1", "9" * 30])
def test_wrong_limits_are_refused_by_name(admin, paged, limit):
    answer = paged.ask(admin, f"limit={limit}")
    assert answer.status == 400, answer.json
    assert "limit" in answer.fault


@each
def test_a_limit_of_none_answers_nothing(admin, paged):
    answer = paged.ask(admin, "limit=0")
    assert answer.status == 200
    assert answer.json == {paged.key: []}


@each
@pytest.mark.parametrize("marker", ["nothing-like-it", "00000000-0000-4000-8000-000000000000", "%F0%9F%98%80", "x" * 300])
def test_unknown_markers_are_refused_by_name(admin, paged, marker):
    answer = paged.ask(admin, f"marker={marker}")
    assert answer.status == 400, answer.json
    assert "marker" in answer.fault


@each
def test_what_comes_after_the_last_is_nothing(admin, paged):
    last = paged.ids(paged.ask(admin))[-1]
    answer = paged.ask(admin, f"marker={last}")
    assert answer.status == 200, answer.json
    assert answer.json == {paged.key: []}


def test_foreign_markers_look_unknown(world):
    member = world.client(MEMBER.context(), "2.104")
    assert member.get(f"/servers?marker={identify('foreign')}").status == 400
    assert member.get("/flavors?marker=closed").status == 400


# --- times

TIMED = (
    Paged("/servers", "2.1", "servers"), Paged("/servers/detail", "2.104", "servers"), Paged("/os-migrations", "2.59", "migrations"),
    Paged(f"/servers/{identify('active')}/os-instance-actions", "2.58", "instanceActions"),
)
timed = pytest.mark.parametrize("paged", TIMED, ids=lambda paged: f"{paged.path} {paged.version}")


@timed
@pytest.mark.parametrize("moment", [
    "2026-01-02T03:04:05Z", "2026-01-02T03:04:05", "2026-01-02T03:04:04.123456", "2026-01-02T04:04:05%2B01:00", "2026-01-02T04:04:05+01:00",
    "2026-01-02%2003:04:05", "2026-01-02", "2026-01-01T19:04:05-08:00",
])
def test_times_may_be_written_in_many_ways(admin, paged, moment):
    answer = paged.ask(admin, f"changes-since={moment}")
    assert answer.status == 200, answer.json
    assert answer.json[paged.key]


@timed
@pytest.mark.parametrize("moment", ["yesterday", "2026-13-01T00:00:00Z", "2026-01-32", "1767322800", "T00:00", "0000-00-00T00:00:00Z", "x" * 5000])
@pytest.mark.parametrize("name", ["changes-since", "changes-before"])
def test_wrong_times_are_refused_by_name(admin, paged, moment, name):
    paged = paged if name == "changes-since" else Paged(paged.path, "2.66", paged.key)
    answer = paged.ask(admin, f"{name}={moment}")
    assert answer.status == 400, answer.json
    assert name in answer.fault


@pytest.mark.parametrize("paged", TIMED[1:], ids=lambda paged: paged.path)
def test_a_span_of_time_must_not_be_backwards(admin, paged):
    paged = Paged(paged.path, "2.66", paged.key)
    answer = paged.ask(admin, "changes-since=2026-01-03&changes-before=2026-01-02")
    assert answer.status == 400, answer.json
    assert "changes-since" in answer.fault
    assert paged.ask(admin, "changes-since=2026-01-02&changes-before=2026-01-03").status == 200


def test_there_is_no_changes_before_until_2_66(admin):
    for version, status in (("2.65", 200), ("2.75", 400)):
        answer = admin.at(version).get("/servers?changes-before=nonsense")
        assert answer.status == status, version      # not known until 2.65: dropped
    for path in ("/os-migrations", f"/servers/{identify('active')}/os-instance-actions"):
        assert admin.at("2.65").get(f"{path}?changes-before=2026-01-01").status == 400


# --- sorting


@pytest.mark.parametrize(("path", "version", "query", "status"), [
    ("/servers", "2.1", "sort_key=nonsense", 400), ("/servers", "2.104", "sort_key=nonsense", 400),
    ("/servers", "2.1", "sort_key=locked", 400), ("/servers", "2.73", "sort_key=locked", 200),
    ("/servers", "2.1", "sort_key=host", 200), ("/servers", "2.1", "sort_key=display_name&sort_dir=up", 400),
    ("/servers", "2.1", "sort_dir=asc&sort_dir=desc", 400), ("/servers", "2.1", "sort_key=uuid&sort_key=host&sort_dir=asc", 200),
    ("/flavors", "2.1", "sort_key=nonsense", 400), ("/flavors", "2.1", "sort_key=name&sort_dir=desc", 200),
    ("/flavors", "2.1", "sort_dir=up", 400), ("/flavors", "2.104", "sort_key=root_gb", 200),
])
def test_sort_keys(admin, path, version, query, status):
    answer = admin.at(version).get(f"{path}?{query}")
    assert answer.status == status, answer.json
    if status == 400:
        assert "sort" in answer.fault.lower()


def test_sorting_sorts(admin):
    names = [server["name"] for server in admin.get("/servers?sort_key=display_name&sort_dir=asc").json["servers"]]
    assert names == sorted(names)
    assert len(set(names)) > 5
    ids = [flavor["id"] for flavor in admin.get("/flavors?is_public=none&sort_key=name&sort_dir=desc").json["flavors"]]
    assert ids == ["private", "closed", "2", "1"]
