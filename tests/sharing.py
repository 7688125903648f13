"""A pytest plugin: several processes run the same tests, and each file is run by the one which takes it first.

    python -m devstack.tests -n 2 tests/unit ...        (loads it in each process)

pytest-xdist would do, but its workers hang under eventlet: they talk to their controller in native threads whose locks
concurrency.setup() makes green. Files are taken in the order of collection, so name the folder with the longest ones first.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

#: The folder in which processes say what they took.
VARIABLE = "NOVALIKE_TESTS_TAKEN"


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: Any) -> bool | None:
    """Run the files which no other process took; fixtures of a session are finished at the very end."""
    folder = os.environ.get(VARIABLE)
    if folder is None or session.testsfailed or session.config.option.collectonly:
        return None
    waiting = None
    for item in _taken(session.items, Path(folder)):
        if waiting is not None:
            _run(session, waiting, item)
        waiting = item
    if waiting is not None:
        _run(session, waiting, None)
    return True


def _taken(items: list[Any], folder: Path) -> Iterator[Any]:
    for path, tests in groupby(items, key=lambda item: item.path):
        try:
            with (folder / "_".join(path.parts[1:])).open("x") as taken:
                taken.write(f"{os.getpid()} {path}")
        except FileExistsError:
            continue
        yield from tests


def _run(session: Any, item: Any, following: Any) -> None:
    item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
    if session.shouldfail:
        raise session.Failed(session.shouldfail)
    if session.shouldstop:
        raise session.Interrupted(session.shouldstop)
