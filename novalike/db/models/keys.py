"""GLOBAL: secret keys which the processes of one cloud share."""

from __future__ import annotations

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from novalike.db.base import GlobalBase, LongId, Stamp, Word, table_args


class ServiceKeyRow(GlobalBase):
    """A key by purpose. Of those which rotate (token, credential) the newest signs and encrypts; older ones still verify and
    decrypt, so that what was signed survives restarts and rotation. `created_at` is the database's clock.
    """

    __tablename__ = "service_keys"
    __table_args__ = table_args(Index("ix_service_keys_purpose", "purpose", "id"))

    id: Mapped[LongId]
    purpose: Mapped[Word]
    key: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[Stamp]


class ServiceKeyLock(GlobalBase):
    """Locked before the first key of a purpose is made, so that processes which start at once agree on it."""

    __tablename__ = "service_key_locks"
    __table_args__ = table_args()

    purpose: Mapped[Word] = mapped_column(primary_key=True)
