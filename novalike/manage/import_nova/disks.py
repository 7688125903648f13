"""A server's block devices."""

from __future__ import annotations

import uuid as uuid_module

from novalike.manage.import_nova.plan import Left
from novalike.manage.import_nova.source import Row
from novalike.objects.block_device import BlockDevice

SWAP, VOLUME = "swap", "volume"


def devices(rows: list[Row]) -> tuple[BlockDevice, ...]:
    """Answer a server's block devices. One root disk of an image alone is left out: image and flavor say it all.

    Raises Left for a disk which is encrypted on its host: nothing here could read it.
    """
    used = [row for row in rows if not row.get("no_device")]
    if any(row.get("encrypted") and row["destination_type"] == "local" for row in used):
        raise Left("with a local disk which is encrypted")
    if len(used) == 1 and used[0]["source_type"] == "image" and used[0]["destination_type"] == "local" and not used[0].get("tag"):
        return ()
    return tuple(_device(row) for row in used)


def _device(row: Row) -> BlockDevice:
    size = row.get("volume_size") or None
    if row.get("guest_format") == SWAP:
        size = size // 1024 if size and size % 1024 == 0 else None    # MiB in Nova; without a size the flavor says it
    return BlockDevice(
        uuid=row.get("uuid") or str(uuid_module.uuid4()), source_type=row["source_type"] or VOLUME, destination_type=row["destination_type"] or VOLUME,
        boot_index=row["boot_index"], device_name=row.get("device_name"), device_type=row.get("device_type"), disk_bus=row.get("disk_bus"),
        guest_format=row.get("guest_format"), size_gb=size, image_id=row.get("image_id"), volume_id=row.get("volume_id"),
        snapshot_id=row.get("snapshot_id"), volume_type=row.get("volume_type"), delete_on_termination=bool(row.get("delete_on_termination")),
        attachment_id=row["attachment_id"], tag=row.get("tag"), plugged=row["destination_type"] == VOLUME,
    )


def boots_from_volume(found: tuple[BlockDevice, ...]) -> bool:
    """Tell whether the root disk is a volume, so that it takes nothing of the host's disk."""
    return any(one.boot_index == 0 and one.destination_type == VOLUME for one in found)
