"""Requests which must take effect once however often they are sent (GLOBAL). Times are the database's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db.base import now_ms
from novalike.db.models.idempotency import IdempotencyKeyRow

#: For how many milliseconds a key is known.
LIFETIME = 86_400_000
#: How many expired keys one transaction removes.
BATCH = 1000

_KEYS = cast("sa.Table", IdempotencyKeyRow.__table__)
_FIND = sa.select(_KEYS.c.body_hash, _KEYS.c.document).where(
    _KEYS.c.project_id == sa.bindparam("in_project"), _KEYS.c.operation == sa.bindparam("in_operation"),
    _KEYS.c.key_hash == sa.bindparam("in_key"), _KEYS.c.created_at >= now_ms() - LIFETIME,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key in its scope, as it is stored; `body_hash` tells whether the same is asked for."""

    project_id: str
    operation: str
    key_hash: str
    body_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What a key stands for: whether it came with the same body, and what was accepted then."""

    same: bool
    document: dict[str, Any]


def find(session: Session, key: Key) -> Remembered | None:
    """Answer what was accepted under a key within the last day, or None."""
    row = session.execute(
        _FIND, {"in_project": key.project_id, "in_operation": key.operation, "in_key": key.key_hash},
    ).one_or_none()
    return None if row is None else Remembered(same=row.body_hash == key.body_hash, document=row.document)


def remember(session: Session, key: Key, document: dict[str, Any]) -> None:
    """Note what is accepted under a key. The caller has looked (under a lock) that nothing else was."""
    forget(session, key)
    session.execute(sa.insert(_KEYS).values(
        project_id=key.project_id, operation=key.operation, key_hash=key.key_hash, body_hash=key.body_hash, document=document,
        created_at=now_ms(),
    ))


def forget(session: Session, key: Key) -> None:
    """Forget a key, expired or not. Fine when there is none."""
    session.execute(sa.delete(_KEYS).where(
        _KEYS.c.project_id == key.project_id, _KEYS.c.operation == key.operation, _KEYS.c.key_hash == key.key_hash,
    ))


def expire(session: Session) -> int:
    """Remove up to BATCH keys which are older than a day; answer how many."""
    ids = list(session.scalars(sa.select(_KEYS.c.id).where(_KEYS.c.created_at < now_ms() - LIFETIME).order_by(_KEYS.c.created_at).limit(BATCH)))
    if ids:
        session.execute(sa.delete(_KEYS).where(_KEYS.c.id.in_(ids)))
    return len(ids)
