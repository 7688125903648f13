"""GLOBAL: which cell holds an instance, and what each instance counts against its project's quota."""

from __future__ import annotations

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from novalike.db.base import GlobalBase, LongId, Name, OptStamp, OptText, Stamp, Uuid, Word, table_args


class CellMapping(GlobalBase):
    __tablename__ = "cell_mappings"
    __table_args__ = table_args(Index("uq_cell_mappings_name", "name", unique=True))

    id: Mapped[LongId]
    name: Mapped[Word]
    database_url: Mapped[OptText]


class InstanceMapping(GlobalBase):
    """One row per instance, written before the instance itself and the only thing quota counts.

    `released_at` is set when the instance is gone; a row which no instance follows within a minute is reaped.
    """

    __tablename__ = "instance_mappings"
    __table_args__ = table_args(
        Index("ix_instance_mappings_usage", "project_id", "released_at", "user_id", "cores", "ram"),
        Index("ix_instance_mappings_unconfirmed", "confirmed", "created_at"),
    )

    uuid: Mapped[Uuid] = mapped_column(primary_key=True)
    cell: Mapped[Word]
    project_id: Mapped[Word]
    user_id: Mapped[Word]
    cores: Mapped[int]
    ram: Mapped[int]
    confirmed: Mapped[int] = mapped_column(default=0)   # 1 once a reconciler saw the instance behind it
    created_at: Mapped[Stamp]
    released_at: Mapped[OptStamp]


class Reservation(GlobalBase):
    """What a server that is being resized counts beyond its mapping, until the resize is confirmed or undone.

    `uuid` is the migration's: a row which no migration follows within a minute is reaped.
    """

    __tablename__ = "reservations"
    __table_args__ = table_args(
        Index("ix_reservations_usage", "project_id", "user_id", "cores", "ram"), Index("ix_reservations_instance", "instance_uuid"),
    )

    uuid: Mapped[Uuid] = mapped_column(primary_key=True)
    instance_uuid: Mapped[Uuid]
    project_id: Mapped[Word]
    user_id: Mapped[Word]
    cores: Mapped[int]
    ram: Mapped[int]
    created_at: Mapped[Stamp]


class ProjectLock(GlobalBase):
    """The row to lock before counting a project's (or user's) usage; `scope` is e.g. `project:<id>` or `keypairs:<user>`."""

    __tablename__ = "quota_locks"
    __table_args__ = table_args()

    scope: Mapped[Name] = mapped_column(primary_key=True)
