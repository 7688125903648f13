"""Disks of a server: Nova's block device mapping, version 2."""

from __future__ import annotations

from dataclasses import dataclass

from novalike.objects.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockDevice:
    """One disk.

    `source_type` is image, blank, volume or snapshot; `destination_type` local or volume. Boot order: `boot_index` 0 is
    the root disk, None or negative never boots. `size_gb` is GiB.

    Of a volume: `plugged` says that guests which are made from now on get it; `connection` is how its host reaches it, added
    to orders by volume/connections.py and stored nowhere.
    """

    uuid: str
    source_type: str
    destination_type: str
    boot_index: int | None = None
    device_name: str | None = None
    device_type: str | None = None
    disk_bus: str | None = None
    guest_format: str | None = None
    size_gb: int | None = None
    image_id: str | None = None
    volume_id: str | None = None
    snapshot_id: str | None = None
    volume_type: str | None = None
    delete_on_termination: bool = False
    attachment_id: str | None = None
    tag: str | None = None
    plugged: bool = False
    connection: Secret | None = None
