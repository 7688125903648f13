"""Which database an instance lives in: the only file which picks one."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from novalike.db.engine import Database
from novalike.db.models.mappings import CellMapping, InstanceMapping
from novalike.exception import NotFound

FIRST_CELL = "cell1"


class Cells:
    """The GLOBAL database and those of the cells.

    `shared` is GLOBAL. With one cell (the usual case) no mapping is ever read.
    """

    def __init__(self, shared: Database, cells: dict[str, Database]) -> None:
        self.shared = shared
        self._cells = cells

    @classmethod
    def single(cls, database: Database) -> Cells:
        """One database for everything: the embedded and the single-node shape."""
        return cls(database, {FIRST_CELL: database})

    def names(self) -> tuple[str, ...]:
        """Answer the names of all cells."""
        return tuple(self._cells)

    def cell(self, name: str) -> Database:
        """Answer a cell's database; NotFound for an unknown name."""
        if name not in self._cells:
            raise NotFound(f"There is no cell {name}.")
        return self._cells[name]

    def __iter__(self) -> Iterator[Database]:
        return iter(self._cells.values())

    def for_new_instance(self) -> str:
        """Answer the name of the cell which takes the next instance."""
        return next(iter(self._cells))

    def of_instance(self, uuid: str) -> Database:
        """Answer the database which holds an instance; NotFound when no cell does."""
        if len(self._cells) == 1:
            return next(iter(self._cells.values()))
        with self.shared.read() as session:
            name = session.scalar(sa.select(InstanceMapping.cell).where(InstanceMapping.uuid == uuid))
        if name is None:
            raise NotFound(f"Instance {uuid} could not be found.")
        return self.cell(name)


def configured(session: sa.orm.Session) -> dict[str, str | None]:
    """Answer the cells of `cell_mappings`: name to database URL (None: the GLOBAL database holds it too)."""
    rows = session.execute(sa.select(CellMapping.name, CellMapping.database_url).order_by(CellMapping.id))
    return dict(rows.tuples().all())
