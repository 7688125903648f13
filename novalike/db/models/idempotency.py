"""GLOBAL: what was made for requests which carried an Idempotency-Key."""

from __future__ import annotations

from sqlalchemy import Index
from sqlalchemy.orm import Mapped

from novalike.db.base import GlobalBase, Json, LongId, Stamp, Word, table_args


class IdempotencyKeyRow(GlobalBase):
    """Hashes of a key and of the body it came with, and what was accepted; kept for a day.

    It is written in the transaction which takes the quota, so that it is there exactly when something was accepted.
    """

    __tablename__ = "idempotency_keys"
    __table_args__ = table_args(
        Index("uq_idempotency_keys_key", "project_id", "operation", "key_hash", unique=True),
        Index("ix_idempotency_keys_created", "created_at"),
    )

    id: Mapped[LongId]
    project_id: Mapped[Word]
    operation: Mapped[Word]
    key_hash: Mapped[Word]
    body_hash: Mapped[Word]
    document: Mapped[Json]
    created_at: Mapped[Stamp]
