"""Requests which nobody would write: whatever comes, the answer is no 5xx (but 501 and 503), and says in words what is wrong.

Each run takes the same examples. For more, and other ones each time: pytest tests/api/test_fuzz.py --hypothesis-profile=more
"""

from __future__ import annotations

import copy
import json
import re
from functools import cache
from typing import Any
from urllib.parse import quote

import fastjsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from novalike.api.http.schema import FORMATS
from novalike.api.http.versions import within
from novalike.api.openstack import not_built
from novalike.api.openstack.microversions import text
from tests.api import calls, facts
from tests.api import world as w
from tests.api.personas import MEMBER
from tests.api.world import identify

_BOUNDS: dict[str, Any] = {
    "deadline": None, "database": None, "suppress_health_check": list(HealthCheck),
}
settings.register_profile("more", max_examples=20_000, derandomize=False, **_BOUNDS)
MORE = settings.get_current_profile_name() == "more"


def examples(count: int) -> settings:
    """Answer how long to look: `count` examples, always the same, unless the profile says otherwise."""
    return settings(settings.get_profile("more")) if MORE else settings(max_examples=count, derandomize=True, **_BOUNDS)


#: Values which fit some field or other: of the world, so that handlers get far.
POOL: tuple[Any, ...] = (
    None, True, False, 0, 1, 2, -1, 50, "1", "0", "-1", "on", "a", "web", "default", "nova", "key", "new name", "auto", "none", "AUTO", "MANUAL",
    "10.0.0.9", "fd00::9", "10.0.0.0/8", "aGVsbG8=", "red", "daily", "affinity", "soft-affinity", "ssh", "x509", "active", "error", "HARD",
    "image", "volume", "blank", "snapshot", "local", "vnc", "novnc", "spice", "serial", "enabled", "disabled", "network-changed",
    "host-1", "host-2", "host-1.example.org", "nova:host-1", "nova-compute", "2026-01-01T00:00:00Z", "2026-01-01", "x" * 255, "/etc/x",
    w.KEY, w.IMAGE, w.OTHER_IMAGE, w.NETWORK, w.PORT, identify("active"), identify("foreign"), identify("group"), identify("foreign group"),
    [], {}, ["red"], ["affinity"], {"a": "b"}, {"max_server_per_host": 3},
)
_DEEP_LIST: list[Any] = []
_DEEP_OBJECT: dict[str, Any] = {}
for _ in range(400):
    _DEEP_LIST, _DEEP_OBJECT = [_DEEP_LIST], {"a": _DEEP_OBJECT}
#: Values which fit nothing, or nearly.
ODD: tuple[Any, ...] = (
    2**31 - 1, 2**31, 2**63, -(2**63) - 1, 10**30, 1.5, 1e308, -0.0, "", " ", " a ", "\0", "a\0b", "\ud800", "\U0001f600", "é" * 300, "\u202e", "\r\n", "%s{}%n",
    "../../etc/passwd", "' OR 1=1 --", "x" * 70_000, "9" * 5000, "1" * 19, "٣", "1e5", "0x10", "NaN", [None], [[]], list(range(2000)), ["a"] * 60,
    {"": None}, {"a": {"b": [{}]}}, {"\0": 1}, {"x" * 300: "y"}, {str(n): str(n) for n in range(500)}, _DEEP_LIST, _DEEP_OBJECT,
)


@cache
def _validator(plain: str) -> Any:
    return fastjsonschema.compile(json.loads(plain), formats=FORMATS, use_default=False)


@cache
def _fitting(plain: str) -> tuple[int, ...]:
    """Answer which values of the pool a schema lets pass."""
    found = []
    for number, value in enumerate(POOL):
        try:
            _validator(plain)(value)
        except fastjsonschema.JsonSchemaException:
            continue
        found.append(number)
    return tuple(found)


def generated(data: st.DataObject, plain: Any, depth: int = 0) -> Any:
    """Draw a value which mostly fits a plain JSON Schema."""
    if not isinstance(plain, dict) or data.draw(st.integers(0, 19)) == 0:
        return data.draw(st.sampled_from(POOL + ODD))
    if plain.get("oneOf"):
        return generated(data, data.draw(st.sampled_from(plain["oneOf"])), depth)
    kinds = plain.get("type", "object")
    if "object" in kinds and plain.get("properties") and depth < 6:
        return {
            name: generated(data, inner, depth + 1) for name, inner in plain["properties"].items()
            if data.draw(st.integers(0, 9)) < (9 if name in plain.get("required", ()) else 4)
        } | ({"unknown": 1} if data.draw(st.integers(0, 29)) == 0 else {})
    if "array" in kinds and "items" in plain and depth < 6:
        return [generated(data, plain["items"], depth + 1) for _ in range(data.draw(st.integers(0, 3)))]
    fitting = _fitting(json.dumps(plain, sort_keys=True))
    return POOL[data.draw(st.sampled_from(fitting))] if fitting else data.draw(st.sampled_from(POOL))


def places(value: Any, plain: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Answer where in a body a field is, or could be by its schema."""
    found: list[tuple[Any, ...]] = []
    if isinstance(value, dict) and isinstance(plain, dict):
        for name, inner in plain.get("properties", {}).items():
            found += [(*path, name), *places(value.get(name), inner, (*path, name))]
        found.append((*path, "unknown-key"))
    elif isinstance(value, list) and isinstance(plain, dict):
        for number, item in enumerate(value):
            found += [(*path, number), *places(item, plain.get("items"), (*path, number))]
    return found


def put(body: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Answer a copy of a body with a value at a place."""
    changed = copy.deepcopy(body)
    inside = changed
    for step in path[:-1]:
        inside = inside[step]
    inside[path[-1]] = value
    return changed


def check(answer: Any, what: Any) -> None:
    """What holds of every answer."""
    assert answer.status < 500 or answer.status in {501, 503}, (what, answer.json)
    assert b"Traceback (most" not in answer.body, what
    if answer.status >= 400:
        [(name, fault)] = answer.json.items()
        assert fault["code"] == answer.status, (what, answer.json)
        assert fault["message"], (what, answer.json)
        assert name != "computeFault" or answer.status in {406, 410, 422}, (what, answer.json)
    assert answer.headers["X-OpenStack-Request-Id"].startswith("req-"), what


def told(message: str, path: tuple[Any, ...], value: Any) -> bool:
    """Tell whether a refusal names the field which was changed, one around it or in it, or its value."""
    inside = value[0] if isinstance(value, list) and value else value
    if isinstance(value, (str, int)) and str(value).strip()[:50] in message:
        return True
    steps = [step for step in (*path, *(inside if isinstance(inside, dict) else ())) if isinstance(step, str)]
    if any(step[:200] in message for step in steps):
        return True
    return any(word in message.lower() for word in re.findall("[a-z]{4,}", re.sub("([A-Z])", r" \1", steps[-1]).lower()))


@pytest.fixture(scope="module")
def operations(_world):
    """Routes with a body, of what is built, and how each is called."""
    found = []
    for route in _world.app.parts["v2.1"].routes:
        if route.body is None or route.rule == not_built.RULE or route.path.startswith("/os-volumes_boot"):
            continue
        row = facts.by_key()[not_built.key(route.method, route.path, route.action)]
        chosen = {row.first, row.last, *((2, minor) for minor in (37, 60, 79, 91))} & row.versions
        found += [(route, row, version) for version in sorted(chosen) if within(version, route.since, route.until)]
    return found


def raw(body: Any) -> bytes:
    """As the standard library writes it: surrogates and all."""
    return json.dumps(body).encode()


class Fields(list):
    """(row, version, a body which is right, the place of a field in it)."""

    def __repr__(self) -> str:
        return f"{len(self)} fields"


@pytest.fixture(scope="module")
def fields(_world, operations):
    """Each field of each operation's body."""
    found = Fields()
    for route, row, version in operations:
        call = calls.of(row)
        inner = call.body(_world, version) if callable(call.body) else call.body
        body = {row.action: inner} if row.action else inner
        found += [(row, version, body, path) for path in places(body, route.body.at(version))]
    return found


@examples(900)
@given(where=st.integers(0, 2**20), which=st.integers(0, len(ODD + POOL) - 1))
def test_one_field_is_odd(_world, fields, where, which):
    """From a body which is right, with one field changed: what is refused is named."""
    row, version, body, path = fields[where % len(fields)]
    value = (ODD + POOL)[which]
    changed = put(body, path, value)
    _world.restore()
    address = calls.path(_world, row, calls.of(row), version)
    answer = _world.admin.at(text(version))(row.method, address, raw=raw(changed))
    what = (row.method, address, text(version), path, str(value)[:80])
    check(answer, what)
    unreadable = "Malformed request body" in answer.fault if answer.status == 400 else False
    if answer.status == 400 and not unreadable and which < len(ODD):     # others fit somewhere, and may be refused for what they are
        assert told(answer.fault, path, value), (what, answer.fault)


@examples(250)
@given(data=st.data())
def test_bodies_of_nobody(_world, operations, data):
    """A body made from the schema, with whatever mostly fits: in either dialect, as an administrator and as a member."""
    route, row, version = data.draw(st.sampled_from(operations))
    body = generated(data, route.body.at(version))
    _world.restore()
    client = _world.admin if data.draw(st.booleans()) else _world.client(MEMBER.context(), "2.1")
    if data.draw(st.integers(0, 9)) == 0:
        client = client.under("/v2")
    address = calls.path(_world, row, calls.of(row), version)
    answer = client.at(text(version))(row.method, address, raw=raw(body))
    check(answer, (row.method, address, text(version), str(body)[:500]))


@examples(500)
@given(data=st.data())
def test_queries_of_nobody(_world, data):
    routes = [route for route in _world.app.parts["v2.1"].routes if route.method in {"GET", "DELETE"} and route.rule != not_built.RULE]
    route = data.draw(st.sampled_from(routes))
    row = facts.by_key()[not_built.key(route.method, route.path, route.action)]
    version = data.draw(st.sampled_from([row.first, row.last]))
    known = sorted(route.query.names(version))
    names = st.sampled_from([*known, *known, "limit", "unknown", "", "\0", "a[]"])
    values = st.sampled_from([*(str(value) for value in POOL + ODD), "\udcff", "^(a+)+$", "[", "(", ".*", "a{1000}{1000}", '{"a":1}', "asc", "desc", "created_at"])
    pairs = data.draw(st.lists(st.tuples(names, values), max_size=4))
    query = "&".join(f"{quote(name)}={quote(value[:3000].encode('utf-8', 'surrogatepass'))}" for name, value in pairs)
    _world.restore()
    address = f"{calls.path(_world, row, calls.of(row) or calls.Call(), version)}?{query}"
    client = _world.admin if data.draw(st.booleans()) else _world.client(MEMBER.context(), "2.1")
    answer = client.at(text(version))(route.method, address)
    check(answer, (text(version), address[:500]))
    if answer.status == 400 and len(pairs) == 1 and pairs[0][0] in known and "\0" not in pairs[0][1]:
        assert pairs[0][0] in answer.fault or "marker" in answer.fault or "encoded" in answer.fault, (address[:300], answer.fault)


@examples(200)
@given(
    raw=st.one_of(
        st.binary(max_size=60), st.sampled_from([b"", b"null", b"[]", b"1", b'"a"', b"{", b"{}}", b"[" * 5000, b'{"a":' * 900 + b"1" + b"}" * 900,
        b'{"server": {"name": "\\ud800"}}', b'{"server":{}, "server":{}}', b'{"a": 1e999}', b'{"a": NaN}', b"\xff\xfe{\x00}\x00", b'{"server": null}']),
    ),
    kind=st.sampled_from([None, "application/json", "application/json; charset=utf-16", "text/xml", "", "x", "application/vnd.openstack+json", "multipart/form-data"]),
    version=st.one_of(st.none(), st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=20), st.sampled_from(["latest", "2.1", "2.999999999999", "-1.2"])),
    path=st.sampled_from(["/servers", f"/servers/{identify('active')}/action", "/os-keypairs", "/flavors", "/nothing", "/servers/x/tags/y"]),
    method=st.sampled_from(["POST", "PUT", "PATCH", "GET", "OPTIONS", "HEAD", "TRACE"]),
)
def test_envelopes_of_nobody(_world, raw, kind, version, path, method):
    """Bytes which are no JSON, odd types, odd versions, odd methods."""
    _world.restore()
    headers = {"Content-Type": kind} if kind is not None else {}
    if version is not None:
        headers["OpenStack-API-Version"] = f"compute {version}"
    answer = _world.admin.at(None)(method, path, raw=raw, headers=headers)
    if method != "HEAD":
        check(answer, (method, path, raw[:50], headers))
