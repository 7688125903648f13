"""CELL: which hosts' servers were told of at the end of which period."""

from __future__ import annotations

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from novalike.db.base import CellBase, LongId, Name, OptText, Stamp, Time, Word, table_args


class UsageAuditRow(CellBase):
    """`state` is RUNNING until all servers of the host were told of, then DONE."""

    __tablename__ = "usage_audits"
    __table_args__ = table_args(Index("uq_usage_audits_period_host", "period_beginning", "period_ending", "host", unique=True))

    id: Mapped[LongId]
    host: Mapped[Name]
    period_beginning: Mapped[Time]
    period_ending: Mapped[Time]
    state: Mapped[Word]
    instances: Mapped[int] = mapped_column(default=0)
    errors: Mapped[int] = mapped_column(default=0)
    message: Mapped[OptText]
    touched_at: Mapped[Stamp]
