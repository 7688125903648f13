"""Brings a database's tables to what the models say, by the migrations in `alembic/global` and `alembic/cell`.

Both metadatas may live in one database: each has a version table of its own. Migrations only ever go forward, and expand
before they contract, so that they can run while the version before still works.

    python -m novalike.db.migrations revision -m "Add a column"     writes what the models have and the migrations lack
    python -m novalike.db.migrations initial                        writes the first migration anew (before any release)
    python -m novalike.db.migrations check                          tells whether the two agree
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

import novalike
from novalike.db import models
from novalike.db.base import CellBase, Document, GlobalBase
from novalike.db.cells import Cells
from novalike.db.engine import Database

GLOBAL, CELL = "global", "cell"
BOTH = (GLOBAL, CELL)
_BASES = {GLOBAL: GlobalBase, CELL: CellBase}
_REVISION = re.compile(r"^revision = ['\"](\w+)['\"]", re.MULTILINE)
_DOWN = re.compile(r"^down_revision = ['\"](\w+)['\"]", re.MULTILINE)


def metadata(which: str) -> sa.MetaData:
    """Answer all tables of one of the two metadatas."""
    for module in pkgutil.iter_modules(models.__path__):
        importlib.import_module(f"{models.__name__}.{module.name}")
    return _BASES[which].metadata


def folder(which: str) -> Path:
    """Answer where the migrations are: inside the installed package, or beside it in a checkout."""
    package = Path(novalike.__file__).parent
    for place in (package / "_alembic" / which, package.parent / "alembic" / which):
        if (place / "env.py").is_file():
            return place
    raise FileNotFoundError(f"The {which} migrations are neither in {package}/_alembic nor beside the package.")


def head(which: str) -> str | None:
    """Answer the newest revision there is, without loading alembic; None when there are no migrations."""
    revisions: set[str] = set()
    below: set[str] = set()
    for path in (folder(which) / "versions").glob("*.py"):
        text = path.read_text()
        revisions.update(_REVISION.findall(text))
        below.update(_DOWN.findall(text))
    newest = revisions - below
    if len(newest) > 1:
        raise RuntimeError(f"The {which} migrations have several newest revisions: {', '.join(sorted(newest))}")
    return next(iter(newest), None)


def current(database: Database, which: str) -> str | None:
    """Answer the revision which a database is at; None when it was never synced."""
    name = version_table(which)
    with database.engine.connect() as connection:
        if not sa.inspect(connection).has_table(name):
            return None
        return connection.scalar(sa.select(sa.column("version_num")).select_from(sa.table(name)))


def version_table(which: str) -> str:
    """Answer the name of the table which holds the revision."""
    return f"alembic_version_{which}"


def upgrade(database: Database, which: str) -> bool:
    """Bring one metadata's tables to the newest revision; False when they are. Safe to run from several places at once."""
    if current(database, which) == head(which):
        return False
    from alembic import command  # alembic costs time and memory that a daemon whose tables are current need not pay

    with database.engine.begin() as connection:
        _one_at_a_time(connection, which)
        command.upgrade(_config(which, connection), "head")
    return True


def sync(cells: Cells) -> tuple[str, ...]:
    """Bring GLOBAL and every cell to the newest revision; answer what was changed, as "global" or "cell <name>"."""
    changed = ["global"] if upgrade(cells.shared, GLOBAL) else []
    changed += [f"cell {name}" for name in cells.names() if upgrade(cells.cell(name), CELL)]
    return tuple(changed)


def differences(database: Database, which: str) -> list[Any]:
    """Answer what alembic would change to make a database's tables what the models say; empty when they agree."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={**_options(which), "target_metadata": metadata(which)})
        return list(compare_metadata(context, metadata(which)))


def run(which: str, context: Any) -> None:
    """What env.py of either folder does: run the wanted migrations on the connection which `upgrade` opened."""
    context.configure(
        connection=context.config.attributes["connection"], target_metadata=metadata(which), render_item=_render,
        **_options(which),
    )
    context.run_migrations()


def _options(which: str) -> dict[str, Any]:
    tables = metadata(which).tables

    def ours(_thing: Any, name: str | None, kind: str, _reflected: bool, _compared: Any) -> bool:
        # The other metadata's tables may be in the same database.
        return kind != "table" or name in tables

    return {
        "version_table": version_table(which), "include_object": ours, "compare_type": _compare, "user_module_prefix": "",
    }


def _compare(_context: Any, _inspected: Any, _column: Any, found: Any, wanted: Any) -> bool | None:
    """Answer whether a column's type differs; None: alembic knows. It does not see that a Document is text."""
    return not isinstance(found, (sa.Text, mysql.LONGTEXT)) if isinstance(wanted, Document) else None


def _render(kind: str, thing: Any, _context: Any) -> str | bool:
    """Write our own column type as what it is in the database: migrations must not change when code does."""
    if kind == "type" and isinstance(thing, Document):
        return "sa.Text().with_variant(mysql.LONGTEXT(), 'mysql', 'mariadb')"
    return False


def _config(which: str, connection: Any) -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(folder(which)).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    config.attributes["connection"] = connection
    return config


def _one_at_a_time(connection: sa.Connection, which: str) -> None:
    """Wait for another sync of the same database to end. SQLite's transaction does that by itself."""
    if connection.dialect.name in {"mysql", "mariadb"}:
        connection.execute(sa.select(sa.func.get_lock(f"novalike_sync_{which}", 300)))
    elif connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(7_600_000 + BOTH.index(which))))


# --- for developers ---------------------------------------------------------------------------------------------------


def revise(which: str, message: str) -> Path | None:
    """Write a migration for what the models have and the migrations lack; None when nothing is lacking."""
    from alembic import command

    with tempfile.TemporaryDirectory() as scratch:
        database = Database(f"sqlite:///{scratch}/scratch.db")
        if head(which) is not None:
            upgrade(database, which)
        if not differences(database, which):
            database.dispose()
            return None
        number = 1 + len(list((folder(which) / "versions").glob("*.py")))
        with database.engine.begin() as connection:
            script = command.revision(_config(which, connection), message, autogenerate=True, rev_id=f"{number:04d}")
        database.dispose()
        return Path(script.path)  # type: ignore[union-attr]  # one revision was asked for


def main(arguments: list[str] | None = None) -> int:
    """Run a developer's command; see the head of this file."""
    parser = argparse.ArgumentParser(prog="python -m novalike.db.migrations")
    parser.add_argument("command", choices=("revision", "initial", "check"))
    parser.add_argument("-m", "--message", default="")
    parser.add_argument("--which", choices=BOTH, action="append")
    options = parser.parse_args(arguments)
    if options.command == "revision" and not options.message:
        parser.error("a revision needs a message (-m)")
    lacking = 0
    for which in options.which or BOTH:
        if options.command == "check":
            with tempfile.TemporaryDirectory() as scratch:
                database = Database(f"sqlite:///{scratch}/scratch.db")
                upgrade(database, which)
                for difference in differences(database, which):
                    print(f"{which}: {difference}")  # noqa: T201  # a command line tool
                    lacking += 1
                database.dispose()
            continue
        if options.command == "initial":
            for path in (folder(which) / "versions").glob("*.py"):
                path.unlink()
        print(f"{which}: {revise(which, options.message or 'Create the tables') or 'nothing to do'}")  # noqa: T201
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main())
