"""Who may do what: data/persona_matrix.tsv, held against the facts it comes from and against what is built."""

from __future__ import annotations

from pathlib import Path

import pytest

from novalike.api.http.versions import parse
from novalike.api.openstack import not_built
from tests.api import calls, facts, personas

MATRIX = Path(__file__).parent / "data" / "persona_matrix.tsv"
HEAD, *LINES = [line.split("\t") for line in MATRIX.read_text().splitlines() if not line.startswith("#")]


def name(line):
    return " ".join(filter(None, line[:3]))


def test_the_matrix_is_what_the_facts_say():
    wanted = [line for line in personas.lines() if not line.startswith("#")]
    changed = [line for line in wanted if line.split("\t") not in [HEAD, *LINES]]
    assert ["\t".join(line) for line in [HEAD, *LINES]] == wanted, (
        "read what changed, then: python -m tests.api.personas > tests/api/data/persona_matrix.tsv\n" + "\n".join(changed)
    )


@pytest.mark.parametrize("line", LINES, ids=name)
def test_operation(world, built, line):
    row = facts.by_key()[not_built.key(*line[:3])]
    if row.key not in built:
        return
    call, version = calls.of(row), parse(line[3])
    wrong = []
    for column, wanted in zip(HEAD[4:], line[4:], strict=True):
        if wanted == "-":
            continue
        who, _, foreign = column.partition("-")
        persona = next(one for one in personas.ALL if one.name == who)
        world.restore(foreign=bool(foreign))
        answer = calls.send(world, world.client(persona.context(), line[3]), row, call, version, foreign=bool(foreign))
        if answer.status != int(wanted):
            wrong.append(f"{column}: {answer.status}, not {wanted}: {answer.json}")
    assert not wrong, "\n" + "\n".join(wrong)
