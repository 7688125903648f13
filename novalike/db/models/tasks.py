"""CELL: durable tasks. A finished task's row is deleted; its trace is the action log."""

from __future__ import annotations

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from novalike.db.base import CellBase, Json, OptName, OptStamp, OptText, Stamp, Time, Uuid, Word, table_args


class TaskRow(CellBase):
    """At most one per instance: DELETE replaces whatever runs.

    `wake_at` is when the sweep looks at it next; `deadline` is the current step's. All stamps are the database's clock.
    """

    __tablename__ = "tasks"
    __table_args__ = table_args(
        Index("uq_tasks_instance", "instance_uuid", unique=True),
        Index("ix_tasks_wake", "wake_at"),
    )

    id: Mapped[Uuid] = mapped_column(primary_key=True)
    kind: Mapped[Word]
    instance_uuid: Mapped[Uuid]
    epoch: Mapped[int]
    sequence: Mapped[int] = mapped_column(default=0)
    step: Mapped[Word]
    undoing: Mapped[int] = mapped_column(default=0)
    state: Mapped[Json]
    caller: Mapped[Json]
    wake_at: Mapped[Stamp]
    deadline: Mapped[Stamp]
    step_since: Mapped[Stamp]
    waiting_host: Mapped[OptName]
    lease_owner: Mapped[str | None] = mapped_column(String(64))
    lease_until: Mapped[OptStamp]
    failure: Mapped[OptText]
    created_at: Mapped[Time]
