"""CELL: what was moved out of the way of the tables which are worked with."""

from __future__ import annotations

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from novalike.db.base import CellBase, Json, LongId, Name, Time, Word, table_args


class ArchivedRow(CellBase):
    """A deleted server with all rows about it, or a finished usage audit: nothing reads it but operators.

    `document` holds rows by the name of their table. `settled` is 1 once what GLOBAL knew of the subject is gone, too.
    """

    __tablename__ = "archive"
    __table_args__ = table_args(
        Index("ix_archive_subject", "subject"),
        Index("ix_archive_settled_deleted", "settled", "deleted_at"),
    )

    id: Mapped[LongId]
    kind: Mapped[Word]                           # server, usage_audit
    subject: Mapped[Name]                        # the server's uuid, the audit's host
    document: Mapped[Json]
    settled: Mapped[int] = mapped_column(default=0)
    deleted_at: Mapped[Time]                     # when the server was deleted, the period ended
    archived_at: Mapped[Time]
