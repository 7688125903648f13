"""At every microversion each operation takes the body's fields and the query's parameters which Nova's table lists."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from novalike.api.http.versions import Version, within
from novalike.api.openstack import microversions, not_built
from novalike.api.openstack.microversions import text
from tests.api import facts

#: What the facts leave out, and Nova's own schemas have.
MORE_FIELDS = {
    "quota_set.networks": "of nova-network, until 2.35", "quota_class_set.networks": "of nova-network, until 2.49",
}
#: Required here, and refused by Nova's code after its schema: 400 both times.
STRICTER = {f"{action}.personality.{name}" for action in ("server", "rebuild") for name in ("path", "contents")}
#: The facts say nothing of their queries, but 2.102 made every GET refuse what it does not know.
REFUSING = {"GET /servers/{server_id}/tags", "GET /servers/{server_id}/tags/{id}"}


def fields(plain: Any, prefix: str = "") -> Iterator[tuple[str, bool]]:
    """Answer the dotted paths of a plain JSON Schema's properties, and whether each is required."""
    if not isinstance(plain, dict):
        return
    for choice in (*plain.get("oneOf", ()), plain.get("items")):
        yield from fields(choice, prefix)
    for name, inner in plain.get("properties", {}).items():
        below = list(fields(inner, f"{prefix}{name}."))
        yield from below or [(prefix + name, name in plain.get("required", ()))]
    if plain.get("patternProperties"):
        yield f"{prefix}<key>", False


@pytest.fixture(scope="module")
def routes(_world):
    return [route for route in _world.app.parts["v2.1"].routes if route.rule != not_built.RULE]


def versions(route) -> Iterator[Version]:
    for minor in range(1, microversions.MAXIMUM[1] + 1):
        if within((2, minor), route.since, route.until):
            yield 2, minor


def each(routes) -> Iterator[tuple[Any, facts.Row, Version]]:
    for route in routes:
        row = facts.by_key()[not_built.key(route.method, route.path, route.action)]
        for version in versions(route):
            yield route, row, version


def test_bodies_have_the_fields_of_the_facts(routes):
    wrong: dict[str, str] = {}
    for route, row, version in each(routes):
        wanted = row.body.at(version)
        found = dict(fields(route.body.at(version))) if route.body else {}
        said = [f"no {name}" for name in wanted if name not in found]
        said += [f"{name}, which Nova has not" for name in found if name not in wanted and name not in MORE_FIELDS and name != row.action]
        said += [
            f"{name} {'is' if found[name] else 'is not'} required" for name in wanted
            if name in found and found[name] != wanted[name] and name not in STRICTER
        ]
        if said:
            wrong.setdefault(f"{row}: {', '.join(said)}", text(version))
    assert not wrong, "\n".join(f"{what} (from {since})" for what, since in wrong.items())


def test_queries_have_the_parameters_of_the_facts(routes):
    wrong: dict[str, str] = {}
    for route, row, version in each(routes):
        wanted, found = set(row.query.at(version)) - {"<key>"}, route.query.names(version)
        refuses = row.query.refused_since is not None and version >= row.query.refused_since
        refuses |= str(row) in REFUSING and version >= (2, 102)
        said = [f"no {name}" for name in wanted - found] + [f"{name}, which Nova has not" for name in found - wanted]
        if route.query.refuses(version) != refuses:
            said.append(f"unknown ones are {'ignored' if refuses else 'refused'}")
        if said:
            wrong.setdefault(f"{row}: {', '.join(sorted(said))}", text(version))
    assert not wrong, "\n".join(f"{what} (from {since})" for what, since in wrong.items())
