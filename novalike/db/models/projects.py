"""GLOBAL: key pairs, limits, server groups and host aggregates."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from novalike.db.base import GlobalBase, Json, LongId, Name, OptText, OptTime, Time, Uuid, Word, table_args


class KeypairRow(GlobalBase):
    __tablename__ = "key_pairs"
    __table_args__ = table_args(Index("uq_key_pairs_user_name", "user_id", "name", unique=True))

    id: Mapped[LongId]
    user_id: Mapped[Word]
    name: Mapped[Name]
    type: Mapped[str] = mapped_column(String(16))
    public_key: Mapped[OptText]
    fingerprint: Mapped[Name]
    created_at: Mapped[Time]
    updated_at: Mapped[OptTime]


class QuotaRow(GlobalBase):
    """A limit which differs from the default. `user_id` empty: of the project; `project_id` empty: the default class."""

    __tablename__ = "quotas"
    __table_args__ = table_args(Index("uq_quotas_scope_resource", "project_id", "user_id", "resource", unique=True))

    id: Mapped[LongId]
    project_id: Mapped[Word] = mapped_column(default="")
    user_id: Mapped[Word] = mapped_column(default="")
    resource: Mapped[Word]
    hard_limit: Mapped[int] = mapped_column(BigInteger())
    updated_at: Mapped[Time]


class ServerGroupRow(GlobalBase):
    __tablename__ = "server_groups"
    __table_args__ = table_args(
        Index("uq_server_groups_uuid", "uuid", unique=True),
        Index("ix_server_groups_project", "project_id", "id"),
    )

    id: Mapped[LongId]
    uuid: Mapped[Uuid]
    project_id: Mapped[Word]
    user_id: Mapped[Word]
    name: Mapped[Name]
    policy: Mapped[Word]
    rules: Mapped[Json]
    cell: Mapped[Word] = mapped_column(default="")
    created_at: Mapped[Time]


class ServerGroupMemberRow(GlobalBase):
    __tablename__ = "server_group_members"
    __table_args__ = table_args(
        Index("uq_server_group_members_instance", "instance_uuid", unique=True),
        Index("ix_server_group_members_group", "group_uuid"),
    )

    id: Mapped[LongId]
    group_uuid: Mapped[Uuid]
    instance_uuid: Mapped[Uuid]


class AggregateRow(GlobalBase):
    """A host aggregate. Its availability zone is the metadata key `availability_zone`, as in Nova."""

    __tablename__ = "aggregates"
    __table_args__ = table_args(
        Index("uq_aggregates_name", "name", unique=True),
        Index("uq_aggregates_uuid", "uuid", unique=True),
    )

    id: Mapped[LongId]
    uuid: Mapped[Uuid]
    name: Mapped[Name]
    meta: Mapped[Json]
    created_at: Mapped[Time]
    updated_at: Mapped[OptTime]


class AggregateHostRow(GlobalBase):
    __tablename__ = "aggregate_hosts"
    __table_args__ = table_args(
        Index("uq_aggregate_hosts_aggregate_host", "aggregate_id", "host", unique=True),
        Index("ix_aggregate_hosts_host", "host"),
    )

    id: Mapped[LongId]
    aggregate_id: Mapped[int]
    host: Mapped[Name]
