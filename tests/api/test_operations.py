"""Every operation of Nova's table: it is there in its versions, and 404 outside of them."""

from collections import defaultdict

import pytest

from novalike.api.http.versions import parse
from novalike.api.openstack import app as app_module
from novalike.api.openstack import microversions, not_built
from novalike.api.openstack.microversions import text
from novalike.db.engine import Database
from tests import schema
from tests.api import facts
from tests.fakes import services as fakes

ROWS = facts.rows()


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    """One API for all tests here, which change nothing: building it takes longer than asking it."""
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('operations')}/novalike.db")
    schema.create(database)
    yield fakes.services(database)
    database.dispose()


@pytest.fixture(scope="module")
def table(services):
    return app_module.routes(services)


@pytest.fixture(scope="module")
def app(services):
    return app_module.application(services)


def versions(since, until):
    """Every microversion from `since` to `until`."""
    last = parse(until) if until else microversions.MAXIMUM
    return {(2, minor) for minor in range(parse(since or "2.1")[1], last[1] + 1)}


def span(found):
    return f"{text(min(found))} to {text(max(found))}" if found else "no version"


def test_every_operation_has_its_versions(table):
    served = defaultdict(set)
    for route in table:
        served[not_built.key(route.method, route.path, route.action)] |= versions(route.since, route.until)
    wrong = []
    for row in ROWS:
        wanted = versions("2.53" if row.key == facts.BY_WORD else row.since, row.until)
        if served[row.key] != wanted:
            wrong.append(f"{row}: served at {span(served[row.key])}, not at {span(wanted)}")
    assert not wrong, "\n".join(wrong)


def test_every_route_is_an_operation_of_nova(table):
    known = {row.key for row in ROWS}
    invented = [f"{r.method} {r.path} {r.action or ''}" for r in table if not_built.key(r.method, r.path, r.action) not in known]
    assert not invented


def test_no_operation_is_served_twice_in_one_version(table):
    served = defaultdict(set)
    for route in table:
        key, found = not_built.key(route.method, route.path, route.action), versions(route.since, route.until)
        assert not served[key] & found, f"{route.method} {route.path} {route.action or ''}: two routes at {span(served[key] & found)}"
        served[key] |= found


def test_no_line_of_not_built_is_left_of_what_is_built(table):
    built = {not_built.key(r.method, r.path, r.action) for r in table if r.rule != not_built.RULE}
    left = [line for line in not_built.operations() if not_built.key(line.method, line.path, line.action) in built]
    assert not left, "delete from not_built.GROUPS: " + ", ".join(f"{o.method} {o.path} {o.action or ''}" for o in left)


def ask(client, row, version):
    path = row.path
    while "{" in path:
        path = path[:path.index("{")] + "1" + path[path.index("}") + 1:]
    body = {row.action: None} if row.action else ({} if row.method in {"POST", "PUT"} else None)
    return client.at(version)(row.method, path, body)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_outside_of_its_versions_an_operation_is_404(admin, row):
    before = None if parse(row.since) == microversions.MINIMUM else text((2, parse(row.since)[1] - 1))
    after = text((2, parse(row.until)[1] + 1)) if row.until else None
    for version in filter(None, (before, after)):
        assert ask(admin, row, version).status in {404, 405}, version


@pytest.mark.parametrize("row", [row for row in ROWS if row.kind == "legacy-410"], ids=str)
def test_what_nova_removed_answers_410(member, row):
    answer = ask(member, row, row.until or "2.104")
    assert (answer.status, answer.json) == (410, {"computeFault": {
        "code": 410, "message": "This resource is no longer available. No forwarding address is given.",
    }})


@pytest.mark.parametrize("line", [o for o in not_built.operations() if o.kind != not_built.GONE], ids=lambda o: f"{o.method} {o.path} {o.action}")
def test_what_is_not_built_says_so(member, line):
    row = facts.by_key()[not_built.key(line.method, line.path, line.action)]
    answer = ask(member, row, line.since or "2.1")
    expected = {not_built.NOT_BUILT: (501, "notImplemented"), not_built.REFUSED: (400, "badRequest")}[line.kind]
    assert (answer.status, next(iter(answer.json))) == expected
    assert line.feature in answer.fault


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_no_operation_fails_on_an_empty_request(admin, row):
    for version in sorted({row.since, row.until or "2.104"}):
        answer = ask(admin, row, version)
        assert answer.status not in {500, 405}, answer.json


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_every_operation_needs_a_token(nobody, row):
    assert ask(nobody, row, row.since).status == 401
