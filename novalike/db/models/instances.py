"""CELL: instances, and what hangs off them.

Columns only for what is filtered, sorted, joined or locked; the rest of what the API shows is `document`, owned by the API,
`network_info`, owned by the conductor, `hardware`, owned by claims, and `fault`, the newest one, so that writers of one never overwrite another.
"""

from __future__ import annotations

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from novalike.db.base import (
    CellBase,
    Json,
    LongId,
    Name,
    OptName,
    OptStamp,
    OptText,
    OptTime,
    OptUuid,
    OptWord,
    Stamp,
    Time,
    Uuid,
    Word,
    table_args,
)


class InstanceRow(CellBase):
    __tablename__ = "instances"
    __table_args__ = table_args(
        Index("uq_instances_uuid", "uuid", unique=True),
        Index("ix_instances_project_created", "project_id", "deleted", "created_at", "id"),
        Index("ix_instances_deleted_created", "deleted", "created_at", "id"),
        Index("ix_instances_project_updated", "project_id", "updated_at"),
        Index("ix_instances_host", "host", "deleted"),
        Index("ix_instances_reservation", "reservation_id"),
        Index("ix_instances_action_wake", "action_wake_at"),
        sqlite_autoincrement=True,               # guests are named by number: the newest one's must not be given again when it is archived
    )

    id: Mapped[LongId]
    uuid: Mapped[Uuid]
    project_id: Mapped[Word]
    user_id: Mapped[Word]
    display_name: Mapped[Name]
    hostname: Mapped[Name]
    guest_name: Mapped[OptName]                 # the hypervisor's name for it, where its number does not say: taken over from a Nova
    vm_state: Mapped[str] = mapped_column(String(32))
    task_state: Mapped[str | None] = mapped_column(String(32))
    power_state: Mapped[int] = mapped_column(default=0)
    host: Mapped[OptName]
    node: Mapped[OptName]
    availability_zone: Mapped[OptName]
    image_ref: Mapped[str] = mapped_column(String(36), default="")
    flavor_id: Mapped[Name]
    key_name: Mapped[OptName]
    reservation_id: Mapped[Word]
    launch_index: Mapped[int] = mapped_column(default=0)
    locked_by: Mapped[str | None] = mapped_column(String(16))
    config_drive: Mapped[int] = mapped_column(default=0)
    progress: Mapped[int] = mapped_column(default=0)
    access_ip_v4: Mapped[OptWord]
    access_ip_v6: Mapped[OptWord]
    epoch: Mapped[int] = mapped_column(default=1)
    document: Mapped[Json]
    network_info: Mapped[Json]
    hardware: Mapped[Json | None]               # what the claim in the role instance says; written with it
    fault: Mapped[Json | None]
    created_at: Mapped[Time]
    updated_at: Mapped[OptTime]
    launched_at: Mapped[OptTime]
    terminated_at: Mapped[OptTime]
    deleted: Mapped[int] = mapped_column(default=0)
    # The single-host action which runs now (objects/states.py ACTIONS): resent, then ended, by the conductor's sweep.
    action_id: Mapped[OptUuid]
    action_name: Mapped[OptWord]
    action_request_id: Mapped[OptWord]
    action_arguments: Mapped[Json | None]
    action_wake_at: Mapped[OptStamp]
    action_deadline: Mapped[OptStamp]


class InstanceActionRow(CellBase):
    __tablename__ = "instance_actions"
    __table_args__ = table_args(
        Index("ix_instance_actions_instance", "instance_uuid", "id"),
        Index("ix_instance_actions_request", "instance_uuid", "request_id"),
    )

    id: Mapped[LongId]
    action: Mapped[Word]
    instance_uuid: Mapped[Uuid]
    request_id: Mapped[Word]
    user_id: Mapped[Word]
    project_id: Mapped[Word]
    start_time: Mapped[Time]
    updated_at: Mapped[Time]
    message: Mapped[OptText]


class InstanceActionEventRow(CellBase):
    __tablename__ = "instance_action_events"
    __table_args__ = table_args(Index("ix_instance_action_events_action", "action_id", "id"))

    id: Mapped[LongId]
    action_id: Mapped[int]
    event: Mapped[Name]
    start_time: Mapped[Time]
    finish_time: Mapped[OptTime]
    result: Mapped[str | None] = mapped_column(String(16))
    host: Mapped[OptName]
    details: Mapped[OptText]
    traceback: Mapped[OptText]


class InstanceFaultRow(CellBase):
    __tablename__ = "instance_faults"
    __table_args__ = table_args(Index("ix_instance_faults_instance", "instance_uuid", "id"))

    id: Mapped[LongId]
    instance_uuid: Mapped[Uuid]
    code: Mapped[int]
    message: Mapped[str] = mapped_column(String(1024))
    details: Mapped[OptText]
    host: Mapped[OptName]
    created_at: Mapped[Time]


class BlockDeviceRow(CellBase):
    __tablename__ = "block_devices"
    __table_args__ = table_args(
        Index("ix_block_devices_instance", "instance_uuid"),
        Index("ix_block_devices_volume", "volume_id"),
    )

    id: Mapped[LongId]
    uuid: Mapped[Uuid]
    instance_uuid: Mapped[Uuid]
    source_type: Mapped[str] = mapped_column(String(16))
    destination_type: Mapped[str] = mapped_column(String(16))
    boot_index: Mapped[int | None]
    device_name: Mapped[OptWord]
    volume_id: Mapped[OptUuid]
    attachment_id: Mapped[OptUuid]
    delete_on_termination: Mapped[int] = mapped_column(default=0)
    document: Mapped[Json]                       # the other fields of objects.BlockDevice
    created_at: Mapped[Time]


class MigrationRow(CellBase):
    __tablename__ = "migrations"
    __table_args__ = table_args(
        Index("ix_migrations_instance", "instance_uuid", "status"),
        Index("ix_migrations_updated", "updated_at"),
        Index("uq_migrations_uuid", "uuid", unique=True),
    )

    id: Mapped[LongId]
    uuid: Mapped[Uuid]
    instance_uuid: Mapped[Uuid]
    migration_type: Mapped[Word]
    status: Mapped[Word]
    source_host: Mapped[OptName]
    source_node: Mapped[OptName]
    dest_host: Mapped[OptName]
    dest_node: Mapped[OptName]
    project_id: Mapped[Word]
    user_id: Mapped[Word]
    document: Mapped[Json]
    created_at: Mapped[Time]
    updated_at: Mapped[Time]


class ConsoleTokenRow(CellBase):
    """`token_hash` is SHA-256 of the token, which itself is stored nowhere."""

    __tablename__ = "console_tokens"
    __table_args__ = table_args(
        Index("uq_console_tokens_hash", "token_hash", unique=True),
        Index("ix_console_tokens_instance", "instance_uuid"),
    )

    id: Mapped[LongId]
    token_hash: Mapped[Word]
    instance_uuid: Mapped[Uuid]
    epoch: Mapped[int]
    host: Mapped[Name]
    console_type: Mapped[Word]
    document: Mapped[Json]
    expires_at: Mapped[Stamp]
