"""GLOBAL: keys which the processes of one cloud share (tickets, passwords in task state)."""

from __future__ import annotations

from sqlalchemy.orm import Mapped, mapped_column

from novalike.db.base import GlobalBase, Word, table_args


class SecretKeyRow(GlobalBase):
    __tablename__ = "secret_keys"
    __table_args__ = table_args()

    name: Mapped[Word] = mapped_column(primary_key=True)
    value: Mapped[Word]
