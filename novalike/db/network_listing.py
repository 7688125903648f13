"""Lists of the network service's rows: filters on any column, sorted by any, in pages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db import paging
from novalike.exception import Invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Which rows, in which order. Filter values of one column are alternatives; columns are combined by AND.

    `sort` are (column, descending). `marker` is the id of the last row seen; with `reverse` the page before it is meant.
    `project_id` None lists everybody's (for admins and ourselves). `tags` are (how, words): how is all, any, not all or not any.
    `since` leaves out what did not change from then on.
    """

    project_id: str | None = None
    filters: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    sort: tuple[tuple[str, bool], ...] = ()
    limit: int | None = None
    marker: str | None = None
    reverse: bool = False
    tags: tuple[tuple[str, tuple[str, ...]], ...] = ()
    since: datetime | None = None


EVERYTHING = Listing()
_WHOLE = re.compile(r"-?[0-9]{1,18}")


def fetch(session: Session, model: Any, listing: Listing, *conditions: sa.ColumnElement[bool]) -> list[sa.Row[Any]]:
    """Answer the rows of a table which a listing asks for. Raises Invalid for a marker or sort column that is not there."""
    table = model.__table__
    query = sa.select(table).where(*conditions)
    for name, values in listing.filters.items():
        query = query.where(matches(table.c[name], values))
    if listing.tags and "tags" not in table.c:
        raise Invalid("What is listed has no tags to filter by.")
    if listing.since is not None:
        query = query.where(table.c.updated_at >= listing.since)
    for how, words in listing.tags:
        query = query.where(_tagged(table.c.tags, how, words))
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


def _tagged(column: Any, how: str, words: tuple[str, ...]) -> sa.ColumnElement[bool]:
    """Answer the condition that a column, which holds a JSON list of texts, has all or any of the words, or has not."""
    stored = sa.type_coerce(column, sa.Text())
    each = [stored.contains(orjson.dumps(word).decode(), autoescape=True) for word in words]
    found = sa.or_(*each) if how.endswith("any") else sa.and_(*each)
    return sa.not_(found) if how.startswith("not") else found


def set_tags(session: Session, model: Any, key: str, tags: tuple[str, ...], now: datetime) -> None:
    """Replace the tags of a row."""
    table = model.__table__
    session.execute(
        sa.update(table).where(table.c.id == key)
        .values(tags=list(tags), updated_at=now, revision_number=table.c.revision_number + 1),
    )


def lock(session: Session, model: Any, key: str) -> int | None:
    """Make others who change this row wait. Answer its revision; None when there is no such row, which is fine."""
    table = model.__table__
    return session.scalar(sa.select(table.c.revision_number).where(table.c.id == key).with_for_update())


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
