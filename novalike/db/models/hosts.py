"""CELL: services, hypervisors, claims on them, and what they owe."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from novalike.db.base import (
    CellBase,
    Json,
    LongId,
    Name,
    OptName,
    OptText,
    OptUuid,
    Stamp,
    Time,
    Uuid,
    Word,
    table_args,
)


class ServiceRow(CellBase):
    __tablename__ = "services"
    __table_args__ = table_args(
        Index("uq_services_host_binary", "host", "binary", unique=True),
        Index("uq_services_uuid", "uuid", unique=True),
        Index("ix_services_seen", "binary", "last_seen"),
        Index("ix_services_disabled", "binary", "disabled"),
        Index("ix_services_forced_down", "binary", "forced_down"),
    )

    id: Mapped[LongId]
    uuid: Mapped[Uuid]
    host: Mapped[Name]
    binary: Mapped[Word]
    topic: Mapped[Word]
    disabled: Mapped[int] = mapped_column(default=0)
    disabled_reason: Mapped[OptText]
    forced_down: Mapped[int] = mapped_column(default=0)
    last_seen: Mapped[Stamp]
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[Time]


class ComputeNodeRow(CellBase):
    """A hypervisor. The capacity columns are what the claim transaction checks, reserved amounts and ratios applied by it.

    `changed_at` moves (database clock) with every inventory change and every claim: schedulers read rows changed since.
    """

    __tablename__ = "compute_nodes"
    __table_args__ = table_args(
        Index("uq_compute_nodes_host_node", "host", "node", unique=True),
        Index("uq_compute_nodes_uuid", "uuid", unique=True),
        Index("ix_compute_nodes_changed", "changed_at"),
    )

    id: Mapped[LongId]
    uuid: Mapped[Uuid]
    host: Mapped[Name]
    node: Mapped[Name]
    vcpus: Mapped[int]
    memory_mb: Mapped[int]
    local_gb: Mapped[int]
    inventory: Mapped[Json]
    usage: Mapped[Json]
    build_failures: Mapped[int] = mapped_column(default=0)  # in a row; a success sets it to 0
    changed_at: Mapped[Stamp]
    deleted: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[Time]


class ClaimRow(CellBase):
    """What one instance holds of one hypervisor. `role` is instance, or migration while a resize holds a second host."""

    __tablename__ = "claims"
    __table_args__ = table_args(
        Index("uq_claims_instance_role", "instance_uuid", "role", unique=True),
        Index("ix_claims_node", "compute_node_id", "vcpus", "memory_mb", "disk_gb"),
        Index("ix_claims_group", "server_group", "compute_node_id", "instance_uuid"),
    )

    id: Mapped[LongId]
    instance_uuid: Mapped[Uuid]
    role: Mapped[str] = mapped_column(String(16))
    compute_node_id: Mapped[int] = mapped_column(BigInteger())
    epoch: Mapped[int]
    vcpus: Mapped[int]
    memory_mb: Mapped[int]
    disk_gb: Mapped[int]
    resources: Mapped[Json]
    hardware: Mapped[Json | None]               # objects.Hardware: its CPUs, pages and devices, of those who have some
    server_group: Mapped[OptUuid]               # where a group's servers are is known from their claims alone
    created_at: Mapped[Time]


class ServerGroupLock(CellBase):
    """Locked before claiming for a member of the group, so that two members never race past its policy."""

    __tablename__ = "server_group_locks"
    __table_args__ = table_args()

    group_uuid: Mapped[Uuid] = mapped_column(primary_key=True)


class DecisionRow(CellBase):
    """An attempt to place a server: where to, or why nowhere. The last few of each server are kept."""

    __tablename__ = "decisions"
    __table_args__ = table_args(Index("ix_decisions_instance", "instance_uuid", "id"))

    id: Mapped[LongId]
    instance_uuid: Mapped[Uuid]
    host: Mapped[OptName]
    document: Mapped[Json]                       # objects.Decision
    decided_at: Mapped[Stamp]


class HostDebtRow(CellBase):
    """Cleanup a host owes for an instance it could not be reached about; it gets no new work until it is paid."""

    __tablename__ = "host_debts"
    __table_args__ = table_args(Index("uq_host_debts_host_instance", "host", "instance_uuid", unique=True))

    id: Mapped[LongId]
    host: Mapped[Name]
    instance_uuid: Mapped[Uuid]
    epoch: Mapped[int]
    document: Mapped[Json]                       # objects.Debt
    wake_at: Mapped[Stamp]
    created_at: Mapped[Time]
