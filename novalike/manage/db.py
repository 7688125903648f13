"""`novalike-manage db`: the tables."""

from __future__ import annotations

from novalike.db import migrations
from novalike.db.engine import Database
from novalike.manage.command import Command, Session


def sync(session: Session) -> int:
    """Bring all databases to the newest revision."""
    changed = migrations.sync(session.cells)
    session.output.values({"changed": ", ".join(changed) or "nothing"})
    return 0


def version(session: Session) -> int:
    """Show at which revision the databases are; status 1 when one is not at the newest."""
    rows = [_version("global", session.cells.shared, migrations.GLOBAL)]
    rows += [_version(name, session.cells.cell(name), migrations.CELL) for name in session.cells.names()]
    session.output.rows(("database", "revision", "newest", "current"), rows, empty="")
    return 0 if all(row["current"] for row in rows) else 1


def _version(name: str, database: Database, which: str) -> dict[str, object]:
    revision, newest = migrations.current(database, which), migrations.head(which)
    return {"database": name, "revision": revision, "newest": newest, "current": revision == newest}


COMMANDS = (
    Command("db", "sync", "Create the tables, or bring them to the newest revision.", sync),
    Command("db", "version", "Show the revision of each database.", version),
)
