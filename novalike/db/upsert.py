"""Insert a row or change the one that is there, in each database's own words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.orm import Session


def upsert(
    session: Session, model: Any, key: Mapping[str, Any], fresh: Mapping[str, Any], changes: Mapping[str, Any],
) -> None:
    """Apply `changes` (values or expressions) to the row with this unique key; insert key and `fresh` when there is none.

    The row stays locked until the transaction ends. The update is tried first: it is what nearly always happens, and it
    neither burns a number of an autoincrement column nor takes the locks of an insert.
    """
    table = model.__table__
    where = sa.and_(*(table.c[name] == value for name, value in key.items()))
    updated: Any = session.execute(sa.update(table).where(where).values(**changes))
    if updated.rowcount:
        return
    dialect = session.get_bind().dialect.name
    if dialect in {"mysql", "mariadb"}:
        session.execute(mysql.insert(table).values(**key, **fresh).on_duplicate_key_update(**changes))
        return
    insert = postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
    session.execute(insert.values(**key, **fresh).on_conflict_do_update(index_elements=list(key), set_=dict(changes)))
