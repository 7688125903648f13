"""GLOBAL: flavors and who may use private ones."""

from __future__ import annotations

from sqlalchemy import Float, Index
from sqlalchemy.orm import Mapped, mapped_column

from novalike.db.base import GlobalBase, Json, LongId, Name, OptText, OptTime, Time, Word, table_args


class FlavorRow(GlobalBase):
    __tablename__ = "flavors"
    __table_args__ = table_args(
        Index("uq_flavors_flavorid", "flavorid", unique=True),
        Index("uq_flavors_name", "name", unique=True),
    )

    id: Mapped[LongId]
    flavorid: Mapped[Name]
    name: Mapped[Name]
    vcpus: Mapped[int]
    memory_mb: Mapped[int]
    root_gb: Mapped[int]
    ephemeral_gb: Mapped[int] = mapped_column(default=0)
    swap_mb: Mapped[int] = mapped_column(default=0)
    rxtx_factor: Mapped[float] = mapped_column(Float(), default=1.0)
    is_public: Mapped[int] = mapped_column(default=1)
    disabled: Mapped[int] = mapped_column(default=0)
    description: Mapped[OptText]
    extra_specs: Mapped[Json]
    created_at: Mapped[Time]
    updated_at: Mapped[OptTime]


class FlavorAccess(GlobalBase):
    __tablename__ = "flavor_projects"
    __table_args__ = table_args(Index("uq_flavor_projects_flavor_project", "flavor_id", "project_id", unique=True))

    id: Mapped[LongId]
    flavor_id: Mapped[int]
    project_id: Mapped[Word]
