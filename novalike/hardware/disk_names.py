"""What guests call their disks: vda, vdb ... by bus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from novalike.objects.block_device import BlockDevice
from novalike.objects.instance import Instance

PREFIXES = {"virtio": "vd", "scsi": "sd", "sata": "sd", "usb": "sd", "ide": "hd", "xen": "xvd"}
#: Most letters of a name: as many disks as no machine has.
_LETTERS = 2


def prefix(instance: Instance) -> str:
    """Answer how the names of the server's disks begin, by the bus which its image demands."""
    return PREFIXES.get(instance.image_properties.get("hw_disk_bus", "virtio"), "vd")


def names(beginning: str) -> Iterator[str]:
    """Answer all names of one kind in order: vda ... vdz, vdaa ..."""
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    ends = [""]
    for _ in range(_LETTERS):
        ends = [end + letter for end in ends for letter in letters]
        yield from (f"{beginning}{end}" for end in ends)


def free_name(instance: Instance, devices: Iterable[BlockDevice], wanted: str | None = None) -> str:
    """Answer a free name for one more volume, with /dev/ in front: the one which is wanted if the guest can have it.

    The server's local disks come first in the guest, whatever they are called in `devices`.
    """
    beginning, listed = prefix(instance), list(devices)
    local = _local_disks(instance, [device for device in listed if device.destination_type == "local"])
    # On the buses of sd the config drive, or an image that is a CD, has a name among the disks.
    local += beginning == "sd"
    known = names(beginning)
    used = {next(known) for _ in range(local)}
    used |= {(device.device_name or "").removeprefix("/dev/") for device in listed if device.destination_type == "volume"}
    bare = (wanted or "").removeprefix("/dev/")
    if bare.startswith(beginning) and bare.isalpha() and bare not in used and len(bare) <= len(beginning) + _LETTERS:
        return f"/dev/{bare}"
    return f"/dev/{next(name for name in known if name not in used)}"


def _local_disks(instance: Instance, listed: list[BlockDevice]) -> int:
    flavor = instance.flavor
    blanks = [device for device in listed if device.source_type == "blank"]
    ephemerals = sum(device.guest_format != "swap" for device in blanks) or bool(flavor.ephemeral_gb)
    swap = any(device.guest_format == "swap" for device in blanks) or flavor.swap_mb > 0
    return 1 + ephemerals + swap
