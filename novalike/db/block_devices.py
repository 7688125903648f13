"""The disks of servers which their flavor and image do not say: those which a user listed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from novalike.db.models.instances import BlockDeviceRow
from novalike.objects.block_device import BlockDevice
from novalike.rpc import serializer

_COLUMNS = frozenset({
    "uuid", "source_type", "destination_type", "boot_index", "device_name", "volume_id", "attachment_id", "delete_on_termination",
})
_DOCUMENT_FIELDS = tuple(field.name for field in fields(BlockDevice) if field.name not in _COLUMNS)


def create(session: Session, instance_uuid: str, devices: Iterable[BlockDevice], *, now: datetime) -> None:
    """Store the disks of a new server."""
    for device in devices:
        dumped = serializer.dump(BlockDevice, device)
        values: dict[str, Any] = {name: getattr(device, name) for name in _COLUMNS}
        values["delete_on_termination"] = int(device.delete_on_termination)
        session.add(BlockDeviceRow(
            **values, instance_uuid=instance_uuid, created_at=now,
            document={name: dumped[name] for name in _DOCUMENT_FIELDS if name in dumped},
        ))
    session.flush()


def of_instance(session: Session, instance_uuid: str) -> tuple[BlockDevice, ...]:
    """Answer a server's disks in the order they were given; nothing when image and flavor say it all."""
    rows = session.scalars(
        sa.select(BlockDeviceRow).where(BlockDeviceRow.instance_uuid == instance_uuid).order_by(BlockDeviceRow.id),
    )
    return tuple(
        serializer.load(BlockDevice, {
            **row.document, **{name: getattr(row, name) for name in _COLUMNS},
            "delete_on_termination": bool(row.delete_on_termination),
        }) for row in rows
    )


def delete(session: Session, instance_uuid: str) -> None:
    """Forget a server's disks."""
    session.execute(sa.delete(BlockDeviceRow).where(BlockDeviceRow.instance_uuid == instance_uuid))
