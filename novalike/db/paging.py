"""Keyset paging: the rows after a marker, at the same cost on the first page as on the thousandth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

Key = tuple[sa.ColumnElement[Any], bool]         # expression (never NULL), descending?


def page(query: sa.Select[Any], keys: Sequence[Key], *, marker: Sequence[Any] | None, limit: int | None) -> sa.Select[Any]:
    """Order a query by `keys`, the last of which is unique, and cut it to `limit` rows after the marker's key values."""
    if marker is not None:
        query = after(query, keys, marker)
    query = query.order_by(*(expression.desc() if descending else expression.asc() for expression, descending in keys))
    return query if limit is None else query.limit(limit)


def after(query: sa.Select[Any], keys: Sequence[Key], marker: Sequence[Any]) -> sa.Select[Any]:
    """Narrow a query which is ordered by `keys` to the rows after the marker's key values."""
    # (a, b) > (x, y) spelled out: row comparison knows no mixed directions.
    alternatives = []
    for index, (expression, descending) in enumerate(keys):
        same = [keys[i][0] == marker[i] for i in range(index)]
        alternatives.append(sa.and_(*same, expression < marker[index] if descending else expression > marker[index]))
    return query.where(sa.or_(*alternatives))
