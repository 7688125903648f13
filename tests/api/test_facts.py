"""Every operation of Nova's table, called as everybody it admits: its codes, and exactly the names it answers with."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import Any

import pytest

from novalike.api.http.versions import Version
from novalike.api.openstack.microversions import text
from tests.api import calls, facts, personas
from tests.api.calls import Call
from tests.api.client import Answer
from tests.api.facts import Row

#: Nothing to call: refused at every version, which test_operations.py looks at.
DEAD = ("legacy-410",)
ROWS = [row for row in facts.rows() if row.kind not in DEAD and not row.success.startswith("- (always")]


def names(answer: Any, prefix: str = "") -> Iterator[tuple[str, bool]]:
    """Answer the dotted paths of an answer (lists are looked through), and whether nothing is below: null, {} or []."""
    if isinstance(answer, list) and answer and all(isinstance(item, dict) for item in answer):
        for item in answer:
            yield from names(item, prefix)
    elif isinstance(answer, dict) and answer:
        for key, value in answer.items():
            yield from names(value, f"{prefix}.{key}" if prefix else key)
    else:
        yield prefix, answer is None or answer in ({}, [])


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    return re.compile(re.escape(pattern).replace("<key>", ".+") + r"(\..+)?")


def fits(path: str, pattern: str) -> bool:
    """Tell whether a path is the pattern's, or below it; `<key>` stands for any key (which may have dots)."""
    return _expression(pattern).fullmatch(path) is not None


def deviations(found: set[tuple[str, bool]], wanted: set[str], unseen: frozenset[str]) -> list[str]:
    """Compare the names of answers with those of the facts."""
    said = []
    for path, empty in sorted(found):
        opening = empty and any(pattern.startswith(f"{path}.") for pattern in wanted)
        if not opening and not any(fits(path, pattern) for pattern in wanted):
            said.append(f"answers {path}, which the facts do not have")
    for pattern in sorted(wanted):
        shown = any(fits(path, pattern) for path, _ in found)
        if shown == (pattern in unseen):
            said.append(f"{pattern} is {'shown, but said to be unseen' if shown else 'not answered'}")
    return said


def test_every_row_has_a_call():
    missing = [str(row) for row in ROWS if calls.of(row) is None]
    assert not missing, f"say in tests/api/calls.py how to call: {missing}"
    known = {str(row) for row in ROWS}
    assert not [name for name in calls.CALLS if name not in known], "calls of what is not an operation"


def called(row: Row, which: str) -> tuple[Call, Version]:
    """Answer how a row is called, and at which version: its first or last one at which it can succeed."""
    call = calls.of(row)
    assert call is not None
    first = max(row.first, (2, 53)) if row.key == facts.BY_WORD else max(row.first, call.since)
    return call, first if which == "first" else row.last


@pytest.mark.parametrize("version", ["first", "last"])
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_row(world, built, row, version):
    """Whom it admits gets the row's code; administrators see the names of the facts, no more and no less.

    At an operation's last version test_personas.py calls it as everybody, so here it is the administrator alone.
    """
    call, at = called(row, version)
    if row.key not in built:
        answer = calls.send(world, world.admin.at(text(at)), row, call, at)
        assert answer.status == 501, answer.json
        return
    found: set[tuple[str, bool]] = set()
    for persona in personas.admitted(row) if version == "first" else [personas.ADMIN]:
        for number, one in enumerate((call, *call.also)):
            world.restore()
            answer = calls.send(world, world.client(persona.context(), text(at)), row, one, at)
            if number and answer.status == 400 and "unexpected" in answer.fault:
                continue                         # a query of later versions
            assert answer.status in ({one.code} if one.code else row.codes(at)), f"{persona.name}: {answer.json}"
            check_headers(answer, at)
            if persona is personas.ADMIN and answer.status < 300 and answer.json is not None:
                found |= set(names(answer.json))
    check(row, call, at, found)


def check_headers(answer: Answer, at: Version) -> None:
    headers = answer.headers
    assert headers["OpenStack-API-Version"] == f"compute {text(at)}"
    assert headers["X-OpenStack-Nova-API-Version"] == text(at)
    assert headers.getall("Vary") == ["OpenStack-API-Version", "X-OpenStack-Nova-API-Version"]
    assert headers["X-Compute-Request-Id"] == headers["X-OpenStack-Request-Id"]
    if answer.body:
        assert headers["Content-Type"] == "application/json"
    else:
        assert "Content-Type" not in headers
        assert headers.get("Content-Length", "0") == "0"


def check(row: Row, call: Call, at: Version, found: set[tuple[str, bool]]) -> None:
    if at > call.free_until and (call.code or 200) < 400:
        said = deviations(found, set(row.answer.at(at)), call.unseen)
        assert not said, f"{row} at {text(at)}:\n  " + "\n  ".join(said)


def changes(row: Row) -> list[Version]:
    """Answer the versions right before and at each change of the answer's names, without the first and last of all."""
    versions = sorted(row.versions)
    changed = {
        version for before, after in pairwise(versions) if row.answer.at(before) != row.answer.at(after) for version in (before, after)
    }
    return sorted(changed - {row.first, row.last})


@pytest.mark.parametrize(("row", "at"), [(row, at) for row in ROWS for at in changes(row) if "os-volumes_boot" not in row.path], ids=str)
def test_names_change_with_their_version(world, built, row, at):
    call = calls.of(row)
    assert call is not None
    if row.key not in built or at < called(row, "first")[1]:
        return
    found: set[tuple[str, bool]] = set()
    for one in (call, *call.also):
        world.restore()
        answer = calls.send(world, world.admin.at(text(at)), row, one, at)
        if answer.status < 300 and answer.json is not None:
            found |= set(names(answer.json))
    check(row, call, at, found)


def test_what_is_not_built(built, capsys):
    """Tells what is missing; run with -s to see it."""
    missing = [str(row) for row in ROWS if row.key not in built]
    with capsys.disabled():
        print(f"\n{len(missing)} of {len(ROWS)} operations are not built:\n  " + "\n  ".join(missing))  # noqa: T201
