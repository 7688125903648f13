"""The databases of a real Nova and what it answered, recorded by devstack/nova_dump.py, for tests of what takes it over."""

from __future__ import annotations

import gzip
import io
import json
import shutil
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from novalike import conf as configuration
from novalike.db import migrations
from novalike.db.cells import Cells
from novalike.db.engine import Database
from novalike.manage import main
from novalike.manage.output import Output

RECORDED = Path(__file__).parent / "data" / "nova-34"
_TYPES = {
    "Integer": sa.Integer, "BigInteger": sa.BigInteger, "SmallInteger": sa.Integer, "String": sa.Text, "Text": sa.Text, "Float": sa.Float,
    "Double": sa.Float, "DateTime": sa.DateTime, "Boolean": sa.Boolean, "Enum": sa.Text,
}


@lru_cache(maxsize=2)
def recorded(name: str) -> Any:
    """Answer what was recorded: `database` or `answers`. Not to be changed: it is read once."""
    with gzip.open(RECORDED / f"{name}.json.gz") as file:
        return json.load(file)


def restore(folder: Path, *databases: str) -> dict[str, str]:
    """Make SQLite databases of those which were recorded (all); answer their URLs by name: nova_api, nova_cell0, nova_cell1."""
    urls = {}
    for name, tables in recorded("database").items():
        if databases and name not in databases:
            continue
        urls[name] = f"sqlite:///{folder / name}.db"
        engine = sa.create_engine(urls[name])
        with engine.begin() as connection:
            for table, content in tables.items():
                _restore(connection, table, content)
        engine.dispose()
    return urls


def _restore(connection: sa.Connection, name: str, content: dict[str, Any]) -> None:
    columns = [sa.Column(column, _TYPES[kind], primary_key=column == "id") for column, kind in content["columns"]]
    table = sa.Table(name, sa.MetaData(), *columns)
    table.create(connection)
    times = {number for number, column in enumerate(columns) if isinstance(column.type, sa.DateTime)}
    rows = [
        {column.name: datetime.fromisoformat(value) if number in times and value else value for number, (column, value) in enumerate(zip(columns, row, strict=True))}
        for row in content["rows"]
    ]
    if rows:
        connection.execute(sa.insert(table), rows)


class Taker:
    """Runs `novalike-manage import-nova` over copies of the recorded databases."""

    def __init__(self, folder: Any, url: str) -> None:
        self.nova = restore(folder)
        self.url, self._folder = url, folder
        self.said = ""

    def __call__(self, *words: str, api: str | None = None, cells: tuple[str, ...] | None = None) -> tuple[int, dict[str, dict[str, Any]]]:
        """Answer the exit status and the rows of the plan by their names; what was said besides is in `said`."""
        cells = (self.nova["nova_cell0"], self.nova["nova_cell1"]) if cells is None else cells
        arguments = main.parser().parse_args([
            "import-nova", "--json", "--api-connection", api or self.nova["nova_api"], *(word for url in cells for word in ("--connection", url)), *words,
        ])
        answer, errors = io.StringIO(), io.StringIO()
        conf = configuration.load(files=[], state_path=str(self._folder), database__connection=self.url)
        status = main.run(conf, arguments, Output(as_json=True, stream=answer, errors=errors))
        self.said = errors.getvalue()
        return status, {row["what"]: row for row in json.loads(answer.getvalue() or "[]")}

    def change(self, database: str, statement: str, **values: Any) -> None:
        """Change something in a copy of Nova's."""
        engine = sa.create_engine(self.nova[database])
        with engine.begin() as connection:
            connection.execute(sa.text(statement), values)
        engine.dispose()


_SYNCED: list[Path] = []


@pytest.fixture
def synced(tmp_path, tmp_path_factory):
    """A database of ours made as operators make it: import-nova looks at its revision. Made once, then copied."""
    if not _SYNCED:
        _SYNCED.append(tmp_path_factory.mktemp("synced") / "novalike.db")
        first = Database(f"sqlite:///{_SYNCED[0]}")
        migrations.sync(Cells.single(first))
        first.dispose()
    shutil.copyfile(_SYNCED[0], tmp_path / "novalike.db")
    database = Database(f"sqlite:///{tmp_path}/novalike.db")
    yield database
    database.dispose()


@pytest.fixture
def take(tmp_path, synced) -> Taker:
    return Taker(tmp_path, str(synced.url))
