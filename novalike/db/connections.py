"""From configuration to databases: what every daemon and command which has one begins with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from novalike.db import cells as cells_module
from novalike.db import migrations
from novalike.db.cells import FIRST_CELL, Cells
from novalike.db.engine import Database


def open_cells(conf: Any) -> Cells:
    """Answer the GLOBAL database and those of all cells, by [api_database], [database] and the table cell_mappings.

    Connects lazily; the folder of an SQLite file is made. Cells beyond the first are read from the table, when it exists.
    """
    first = open_database(conf, conf.database.connection)
    shared_url = conf.api_database.connection
    shared = first if shared_url in (None, conf.database.connection) else open_database(conf, shared_url)
    databases = {FIRST_CELL: first}
    if shared is not first and migrations.current(shared, migrations.GLOBAL) is not None:
        for name, url in shared.fetch(cells_module.configured).items():
            if name != FIRST_CELL:
                databases[name] = shared if url is None else open_database(conf, url)
    return Cells(shared, databases)


def open_database(conf: Any, url: str) -> Database:
    """Answer a database by URL, with the options of [database]."""
    section = conf.database
    database = Database(
        url, pool_size=section.max_pool_size, max_overflow=section.max_overflow, recycle=section.connection_recycle_time,
        patience=section.patience,
    )
    if database.dialect == "sqlite" and database.url.database:
        Path(database.url.database).parent.mkdir(parents=True, exist_ok=True)
    return database


def close(cells: Cells) -> None:
    """Close all connections."""
    for database in {id(one): one for one in (cells.shared, *cells)}.values():
        database.dispose()
