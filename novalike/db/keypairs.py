"""Key pairs, which belong to users (not to projects)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db import paging, quotas
from novalike.db.models.projects import KeypairRow
from novalike.exception import Duplicate, Invalid, NotFound, OverQuota
from novalike.objects.keypair import Keypair
from novalike.objects.quota import UNLIMITED

_TABLE = KeypairRow.__table__


def create(session: Session, keypair: Keypair, *, limit: int, now: datetime) -> Keypair:
    """Store a new key pair and answer it with its id. Raises OverQuota beyond `limit` per user, Duplicate for a taken name.

    Exact at any concurrency: creations of one user wait for each other.
    """
    quotas.lock(session, f"keypairs:{keypair.user_id}")
    if limit != UNLIMITED and quotas.count_keypairs(session, keypair.user_id) >= limit:
        raise OverQuota("Quota exceeded, too many key pairs.", overs=("key_pairs",))
    if _find(session, keypair.user_id, keypair.name) is not None:
        raise Duplicate(f"Key pair '{keypair.name}' already exists.")
    row = KeypairRow(
        user_id=keypair.user_id, name=keypair.name, type=keypair.type, public_key=keypair.public_key,
        fingerprint=keypair.fingerprint, created_at=now,
    )
    session.add(row)
    session.flush()
    return replace(keypair, id=row.id, created_at=now)


def get(session: Session, user_id: str, name: str) -> Keypair:
    """Answer a user's key pair. Raises NotFound."""
    row = _find(session, user_id, name)
    if row is None:
        raise NotFound(f"Keypair {name} not found for user {user_id}")
    return _keypair(row)


def list_page(session: Session, user_id: str, *, limit: int | None = None, marker: str | None = None) -> list[Keypair]:
    """Answer a user's key pairs, sorted by name; `marker` is the name of the last one seen. Raises Invalid for an unknown marker."""
    if marker is not None and _find(session, user_id, marker) is None:
        raise Invalid(f"marker [{marker}] not found")
    query = paging.page(
        sa.select(_TABLE).where(_TABLE.c.user_id == user_id), [(_TABLE.c.name, False)],
        marker=None if marker is None else (marker,), limit=limit,
    )
    return [_keypair(row) for row in session.execute(query)]


def delete(session: Session, user_id: str, name: str) -> None:
    """Forget a key pair; servers keep the key they were given. Raises NotFound."""
    gone = session.connection().execute(sa.delete(KeypairRow).where(KeypairRow.user_id == user_id, KeypairRow.name == name))
    if not gone.rowcount:
        raise NotFound(f"Keypair {name} not found for user {user_id}")


def _find(session: Session, user_id: str, name: str) -> sa.Row[Any] | None:
    return session.execute(sa.select(_TABLE).where(_TABLE.c.user_id == user_id, _TABLE.c.name == name)).first()


def _keypair(row: sa.Row[Any]) -> Keypair:
    return Keypair(
        id=row.id, user_id=row.user_id, name=row.name, type=row.type, public_key=row.public_key or "",
        fingerprint=row.fingerprint, created_at=row.created_at, updated_at=row.updated_at,
    )
