"""Whatever is sent to any route: a 4xx that says what is wrong, or an honest 501; never another 5xx. (Odd fields: test_fuzz.py.)"""

from __future__ import annotations

import json

import pytest

from novalike.db import instances
from tests import factories
from tests.api.client import PROJECT, USER

ODD = (None, True, 0, -1, 10**30, 1.5, "", " ", "x" * 5000, "\U0001f600", "%s{}", [], [None], [[]], {}, {"": None}, {"a": {"b": [{}]}})
IDS = ("x", "0e44cc9c-e052-415d-afbf-469b0d384170", "'%20OR%201=1%20--", "%2F..%2F", "%F0%9F%98%80", "x" * 300, "9" * 30, "-1")


@pytest.fixture
def server(sqlite):
    return sqlite.write(instances.create, [factories.instance(project_id=PROJECT, user_id=USER)])[0].uuid


def check(answer, what):
    assert answer.status < 500 or answer.status in {501, 503}, (what, answer.json)
    if answer.status >= 400:
        assert next(iter(answer.json.values()))["message"], what


def routes(app, *methods):
    return [route for route in app.parts["v2.1"].routes if route.method in methods]


def path_of(route, identifier):
    parts = [identifier if part.startswith("{") else part for part in route.path.split("/")]
    return "/".join(parts)


@pytest.mark.parametrize("version", ["2.1", "2.104"])
def test_odd_bodies(app, admin, server, version):
    client = admin.at(version)
    for route in routes(app, "POST", "PUT"):
        wrappers = [route.action] if route.action else list(route.body.properties) if route.body else ["x"]
        for value in ODD:
            body = dict.fromkeys(wrappers, value)
            path = path_of(route, server if route.path.startswith("/servers") else "x")
            check(client(route.method, path, raw=json.dumps(body).encode()), (route.method, path, route.action, body))


def test_odd_ids(app, admin):
    client = admin.at("2.104")
    for route in routes(app, "GET", "DELETE"):
        if "{" in route.path:
            for identifier in IDS:
                check(client(route.method, path_of(route, identifier)), (route.method, route.path, identifier))


def test_odd_queries(app, admin):
    for route in routes(app, "GET"):
        if "{" in route.path:
            continue
        for name in route.query._parameters:
            for number, value in enumerate(("", "x", "-1", "9" * 25, "%F0%9F%98%80", "1&" + name + "=2", "a" * 3000)):
                client = admin.at(("2.74", "2.104")[number % 2])
                check(client.get(f"{route.path}?{name}={value}"), (route.path, name, value))
