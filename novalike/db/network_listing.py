"""Lists of the network service's rows: filters on any column, sorted by any, in pages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db import paging
from novalike.exception import Invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Which rows, in which order. Filter values of one column are alternatives; columns are combined by AND.

    `sort` are (column, descending). `marker` is the id of the last row seen; with `reverse` the page before it is meant.
    `project_id` None lists everybody's (for admins and ourselves).
    """

    project_id: str | None = None
    filters: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    sort: tuple[tuple[str, bool], ...] = ()
    limit: int | None = None
    marker: str | None = None
    reverse: bool = False


EVERYTHING = Listing()
_WHOLE = re.compile(r"-?[0-9]{1,18}")


def fetch(session: Session, model: Any, listing: Listing, *conditions: sa.ColumnElement[bool]) -> list[sa.Row[Any]]:
    """Answer the rows of a table which a listing asks for. Raises Invalid for a marker or sort column that is not there."""
    table = model.__table__
    query = sa.select(table).where(*conditions)
    for name, values in listing.filters.items():
        query = query.where(matches(table.c[name], values))
    keys: list[paging.Key] = []
    for name, descending in (*listing.sort, ("id", False)):
        if name not in table.c:
            raise Invalid(f"'{name}' is an invalid attribute for sort key")
        column = table.c[name]
        keys.append((_never_null(column), descending != listing.reverse))
        if name == "id":
            break
    marker = None
    if listing.marker is not None:
        found = session.execute(sa.select(*(key for key, _ in keys)).where(table.c.id == listing.marker)).first()
        if found is None:
            raise Invalid(f"Invalid input for operation: marker {listing.marker} could not be found.")
        marker = tuple(found)
    rows = list(session.execute(paging.page(query, keys, marker=marker, limit=listing.limit)))
    return rows[::-1] if listing.reverse else rows


def matches(column: Any, values: tuple[Any, ...]) -> sa.ColumnElement[bool]:
    """Answer the condition that a column has one of the values (None: NULL); text which is no number is in no number column."""
    known = [value for value in values if value is not None]
    if isinstance(column.type, sa.Integer):      # PostgreSQL compares numbers with numbers only
        known = [int(value) for value in known if _WHOLE.fullmatch(str(value))]
    condition = column.in_(known)
    return sa.or_(column.is_(None), condition) if None in values else condition


def _never_null(column: Any) -> Any:
    if not column.nullable:
        return column
    return sa.func.coalesce(column, 0 if isinstance(column.type, sa.Integer) else "")
