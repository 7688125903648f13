"""Snapshots, backups and shelving: what the tasks save, and what a host is ordered to do with a copy of a disk."""

from __future__ import annotations

from dataclasses import dataclass

from novalike.objects.image import ImageTarget
from novalike.objects.instance import Instance
from novalike.objects.tasks import BuildState, Fence

SNAPSHOT, BACKUP = "snapshot", "backup"
SHELVE, SHELVE_OFFLOAD, UNSHELVE, UNSHELVE_HERE = "shelve", "shelve_offload", "unshelve", "unshelve_here"
#: What a shelved server remembers in its system metadata, as Nova.
SHELVED_IMAGE, SHELVED_AT, SHELVED_HOST = "shelved_image_id", "shelved_at", "shelved_host"
SHELVED_KEYS = (SHELVED_AT, SHELVED_IMAGE, SHELVED_HOST)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagingState:
    """What every task saves which makes an image of a server's disk.

    The record `image_id` was made at accept. `of_server`: it goes with the server even when it is complete. `discarded`: the
    host has no copy any more.
    """

    image_id: str
    of_server: bool = False
    disk_format: str | None = None               # of the copy which the host made
    failed_uploads: int = 0
    discarded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotState(ImagingState):
    """`rotation` backups of this `backup_type` are kept; both None for a snapshot."""

    backup_type: str | None = None
    rotation: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShelveState(ImagingState):
    """`former` is the vm_state before; `offload`: the server leaves its host as soon as its image is complete.

    `restarted`: the host said that the guest runs again. From `leaving` on its host may have lost the disks: there is no way
    back, and `host` is where they were.
    """

    former: str
    host: str
    offload: bool = False
    restarted: bool = False
    leaving: bool = False
    left: bool = False                           # the host said so, or owes it


@dataclass(frozen=True, slots=True, kw_only=True)
class OffloadState:
    """What taking a shelved server off its host saves; see ShelveState."""

    host: str
    leaving: bool = False
    left: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UnshelveState(BuildState):
    """What bringing an offloaded server back saves. `zone` is where it may go; with `pins` it is pinned there from now on."""

    image_id: str = ""
    zone: str | None = None
    pins: bool = False
    landed: bool = False                         # it runs, and its image may be gone: there is no way back
    lost: bool = False                           # its image is gone


@dataclass(frozen=True, slots=True, kw_only=True)
class UnshelveHereState:
    """What starting a shelved server on its host saves."""

    image_id: str | None = None
    landed: bool = False                         # it runs, and its image may be gone: there is no way back
    stopped: bool = False                        # undoing: the host said that the guest is off again


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyOrder:
    """Make a flat, consistent copy of a server's root disk, for the image `image_id`; report its format."""

    fence: Fence
    instance: Instance
    image_id: str
    deadline: int = 3600                         # seconds the host may take


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadOrder:
    """Send the copy which was made for an image to the image service, then remove it."""

    fence: Fence
    target: ImageTarget
    deadline: int = 14400


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscardOrder:
    """Remove the copy made for an image, and end what making it left in the guest. Fine when there is none."""

    fence: Fence
    image_id: str
