"""The disks of servers which their flavor and image do not say: those which a user listed."""

from __future__ import annotations

from collections.abc import Collection, Iterable
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
#: Connections are secrets, and never stored.
_DOCUMENT_FIELDS = tuple(field.name for field in fields(BlockDevice) if field.name not in _COLUMNS | {"connection"})


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


def of_instance(session: Session, instance_uuid: str) -> tuple[BlockDevice, ...]:
    """Answer a server's disks in the order they were given; nothing when image and flavor say it all."""
    return of_instances(session, [instance_uuid]).get(instance_uuid, ())


def of_instances(session: Session, instance_uuids: Collection[str]) -> dict[str, tuple[BlockDevice, ...]]:
    """Answer the disks of several servers, by uuid, in one query; servers without any are left out."""
    found: dict[str, tuple[BlockDevice, ...]] = {}
    query = sa.select(BlockDeviceRow).where(BlockDeviceRow.instance_uuid.in_(list(instance_uuids))).order_by(BlockDeviceRow.id)
    for row in session.scalars(query) if instance_uuids else ():
        device = serializer.load(BlockDevice, {
            **row.document, **{name: getattr(row, name) for name in _COLUMNS},
            "delete_on_termination": bool(row.delete_on_termination),
        })
        found[row.instance_uuid] = (*found.get(row.instance_uuid, ()), device)
    return found


def set_root_image(session: Session, instance_uuid: str, image_id: str) -> None:
    """Note that a server's root disk is made of another image now. Fine when image and flavor say it all."""
    for row in session.scalars(sa.select(BlockDeviceRow).where(
        BlockDeviceRow.instance_uuid == instance_uuid, BlockDeviceRow.boot_index == 0, BlockDeviceRow.source_type == "image",
    )):
        row.document = {**row.document, "image_id": image_id}


def delete(session: Session, instance_uuid: str) -> None:
    """Forget a server's disks."""
    session.execute(sa.delete(BlockDeviceRow).where(BlockDeviceRow.instance_uuid == instance_uuid))


def has_volume(session: Session, volume_id: str) -> bool:
    """Answer whether any server has a volume."""
    return session.scalar(sa.select(BlockDeviceRow.id).where(BlockDeviceRow.volume_id == volume_id).limit(1)) is not None
