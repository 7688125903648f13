"""Rows of another cloud, which keep their numbers where these are free."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session


def present(session: Session, column: Any, values: Collection[Any]) -> set[Any]:
    """Answer those of the values which a column has; ask for a batch at a time."""
    return set(session.scalars(sa.select(column).where(column.in_(list(values))))) if values else set()


def add(session: Session, model: Any, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows; one whose "id" another row has, or which has none, gets a new number."""
    table = model.__table__
    wanted = [row["id"] for row in rows if row.get("id") is not None]
    taken = present(session, table.c.id, wanted) | {number for number in wanted if wanted.count(number) > 1}
    keeping = [row for row in rows if row.get("id") is not None and row["id"] not in taken]
    others = [{name: value for name, value in row.items() if name != "id"} for row in rows if row.get("id") is None or row["id"] in taken]
    if keeping:
        session.execute(sa.insert(table), keeping)
        if session.get_bind().dialect.name == "postgresql":          # the others count on by themselves
            session.execute(sa.select(sa.func.setval(
                sa.func.pg_get_serial_sequence(table.name, "id"), sa.select(sa.func.max(table.c.id)).scalar_subquery(),
            )))
    if others:
        session.execute(sa.insert(table), others)


def numbers(session: Session, model: Any, key: str, values: Iterable[Any]) -> dict[Any, int]:
    """Answer the numbers of rows by a unique column."""
    table = model.__table__
    query = sa.select(table.c[key], table.c.id).where(table.c[key].in_(list(values)))
    return {value: int(number) for value, number in session.execute(query)}
