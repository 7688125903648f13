"""The disks of a new server: what its user listed, completed by what its flavor brings."""

from __future__ import annotations

import uuid as uuid_module
from collections.abc import Sequence
from dataclasses import dataclass

from novalike.exception import Invalid, NotBuilt
from novalike.objects.block_device import BlockDevice
from novalike.objects.flavor import Flavor


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedDisk:
    """One entry of block_device_mapping_v2, or one of the older block_device_mapping turned into its form."""

    source_type: str
    destination_type: str | None = None
    uuid: str | None = None                      # of the image, volume or snapshot
    boot_index: int | None = None
    volume_size: int | None = None               # GiB; MiB for swap
    device_name: str | None = None
    device_type: str | None = None
    disk_bus: str | None = None
    guest_format: str | None = None
    delete_on_termination: bool = False
    tag: str | None = None


def refuse_volumes(requested: Sequence[RequestedDisk]) -> None:
    """Raise NotBuilt when a disk is a volume."""
    if any(disk.source_type in {"volume", "snapshot"} or disk.destination_type == "volume" for disk in requested):
        raise NotBuilt("Servers with volumes are not built yet: block_device_mapping_v2 takes local image and blank disks only.")


def complete(
    requested: Sequence[RequestedDisk], image_id: str, flavor: Flavor, *, most_local: int,
) -> tuple[BlockDevice, ...]:
    """Answer all disks of a server: root from the image, then ephemeral disks, then swap; nothing when nothing was asked
    for, since image and flavor then say it all.

    Raises Invalid when what was asked for fits neither the image nor the flavor.
    """
    if not requested:
        return ()
    root, blanks, swaps = _sorted(requested, image_id)
    if sum(_size(disk) for disk in blanks) > flavor.ephemeral_gb:
        raise _bad("Ephemeral disks requested are larger than the instance type allows. If no size is given in one block "
                   "device mapping, flavor ephemeral size will be used.")
    if len(swaps) > 1:
        raise _bad("More than one swap drive requested.")
    if swaps and _size(swaps[0]) > flavor.swap_mb:
        raise _bad("Swap drive requested is larger than instance type allows.")
    disks = [_root(root, image_id, flavor)]
    disks += [_blank(disk, _size(disk) or flavor.ephemeral_gb) for disk in blanks]
    if not blanks and flavor.ephemeral_gb:
        disks.append(_blank(RequestedDisk(source_type="blank"), flavor.ephemeral_gb))
    if swaps or flavor.swap_mb:
        disks.append(_blank(swaps[0] if swaps else RequestedDisk(source_type="blank", guest_format="swap"), None))
    if 0 <= most_local < len([disk for disk in disks if disk.guest_format != "swap"]):
        raise _bad("You specified more local devices than the limit allows")
    return tuple(disks)


def _sorted(
    requested: Sequence[RequestedDisk], image_id: str,
) -> tuple[RequestedDisk | None, list[RequestedDisk], list[RequestedDisk]]:
    root: RequestedDisk | None = None
    blanks: list[RequestedDisk] = []
    swaps: list[RequestedDisk] = []
    indexes = [disk.boot_index for disk in requested if disk.boot_index is not None and disk.boot_index >= 0]
    if len(set(indexes)) != len(indexes) or (indexes and sorted(indexes) != list(range(len(indexes)))):
        raise _bad("Boot sequence for the instance and image/block device mapping combination is not valid.")
    for disk in requested:
        if disk.source_type == "image":
            if disk.boot_index != 0:
                raise _bad("Mapping image to local is not supported.")
            if disk.uuid != image_id:
                raise Invalid("The image of block device with boot index 0 must be the one of imageRef.")
            root = disk
        elif disk.uuid is not None:
            raise _bad("Blank device source must not have a uuid.")
        elif disk.boot_index is not None and disk.boot_index >= 0:
            raise _bad("Boot sequence for the instance and image/block device mapping combination is not valid.")
        else:
            (swaps if disk.guest_format == "swap" else blanks).append(disk)
    return root, blanks, swaps


def _size(disk: RequestedDisk) -> int:
    return disk.volume_size or 0


def _root(disk: RequestedDisk | None, image_id: str, flavor: Flavor) -> BlockDevice:
    disk = disk or RequestedDisk(source_type="image")
    return BlockDevice(
        uuid=str(uuid_module.uuid4()), source_type="image", destination_type="local", boot_index=0, image_id=image_id,
        device_name=disk.device_name, device_type=disk.device_type or "disk", disk_bus=disk.disk_bus,
        size_gb=flavor.root_gb or None, delete_on_termination=True, tag=disk.tag,
    )


def _blank(disk: RequestedDisk, size_gb: int | None) -> BlockDevice:
    return BlockDevice(
        uuid=str(uuid_module.uuid4()), source_type="blank", destination_type="local", boot_index=-1,
        device_name=disk.device_name, device_type=disk.device_type or "disk", disk_bus=disk.disk_bus,
        guest_format=disk.guest_format, size_gb=size_gb, delete_on_termination=True, tag=disk.tag,
    )


def _bad(reason: str) -> Invalid:
    return Invalid(f"Block Device Mapping is Invalid: {reason}")
