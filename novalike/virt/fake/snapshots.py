"""Copying fake guests' disks: a small raw file which holds what was on the root disk, and which a new guest reads back."""

from __future__ import annotations

import io
import logging
import urllib.request
from collections.abc import Callable
from typing import BinaryIO

from novalike.exception import BuildFailed, NotFound, NovalikeError
from novalike.objects.image import ImageSource
from novalike.objects.instance import Instance
from novalike.objects.states import PowerState
from novalike.virt.driver import DiskCopy, SpawnRequest
from novalike.virt.fake.core import FakeCore, contents
from novalike.virt.fake.hypervisor import FakeGuest

LOG = logging.getLogger(__name__)

#: A fake disk as a file has exactly this size, by which it is known again: other images' bytes do not matter here.
SIZE = 69_697
COPIES = "copies"
_HEAD = b"a fake guest's disk\n"


def to_bytes(content: str) -> bytes:
    """Answer a disk as a file. Raises NovalikeError when more was written to it than fits."""
    raw = _HEAD + content.encode()
    if len(raw) > SIZE:
        raise NovalikeError("The disk is too large.")
    return raw.ljust(SIZE, b"\0")


def from_bytes(raw: bytes) -> str | None:
    """Answer what is on a disk; None for a file which is none of ours."""
    if len(raw) != SIZE or not raw.startswith(_HEAD):
        return None
    return raw[len(_HEAD):].rstrip(b"\0").decode(errors="replace")


def fetch(source: ImageSource) -> bytes:
    """Answer an image's bytes by HTTP. Raises OSError."""
    if not source.url.startswith(("http://", "https://")):
        raise OSError("not an HTTP URL")
    request = urllib.request.Request(source.url, headers=source.headers)  # noqa: S310  # the scheme is checked above
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as answer:
        return bytes(answer.read(SIZE + 1))


class CopiedGuests(FakeCore):
    """Capability Copier. A copy is a piece of its guest, which knows what was on the disk then."""

    #: How images are fetched; tests without HTTP put their own here.
    download: Callable[[ImageSource], bytes] = staticmethod(fetch)

    def copy_disk(self, instance: Instance, image_id: str, *, go_on: Callable[[], None]) -> DiskCopy:
        guest = self._defined(instance.uuid)
        names = (instance.uuid, guest.name, str(guest.facts["display_name"]))
        self._faults.strike("copy_disk", names)
        go_on()
        if self._options.snapshot_delay:
            self._clock.sleep(self._options.snapshot_delay)
        agent = instance.image_properties.get("hw_qemu_guest_agent") == "yes" and guest.power_state == PowerState.RUNNING
        if instance.image_properties.get("os_require_quiesce") == "yes" and not agent and guest.power_state != PowerState.SHUTDOWN:
            raise NovalikeError("The guest's file systems cannot be brought to rest, which its image demands.")
        piece = _piece(instance.uuid, image_id)
        self.hypervisor.amend(
            instance.uuid, pieces=[*(other for other in guest.pieces if other != piece), piece],
            beside={**guest.beside, COPIES: {**_copies(guest), image_id: guest.disks["disk"]}},
        )
        go_on()
        return DiskCopy(disk_format="raw", size=SIZE)

    def open_copy(self, instance_uuid: str, image_id: str) -> BinaryIO:
        guest = self.hypervisor.find(instance_uuid)
        if guest is None or image_id not in _copies(guest):
            raise NotFound("There is no copy of the server's disk.")
        self._faults.strike("open_copy", (instance_uuid, guest.name, str(guest.facts["display_name"])))
        return io.BytesIO(to_bytes(_copies(guest)[image_id]))

    def discard_copy(self, instance_uuid: str, image_id: str) -> None:
        guest = self.hypervisor.find(instance_uuid)
        if guest is None:
            return
        self._faults.strike("discard_copy", (instance_uuid, guest.name, str(guest.facts["display_name"])))
        left = {other: content for other, content in _copies(guest).items() if other != image_id}
        self.hypervisor.amend(
            instance_uuid, pieces=[piece for piece in guest.pieces if piece != _piece(instance_uuid, image_id)],
            beside={**{name: value for name, value in guest.beside.items() if name != COPIES}, **({COPIES: left} if left else {})},
        )

    def end_copies(self, instance_uuid: str) -> None:
        """Nothing of a fake guest ever stands still for it."""

    def settle_copies(self, *, older_than: float, busy: Callable[[str], bool]) -> int:
        return 0

    def _contents(self, request: SpawnRequest) -> dict[str, str]:
        """Answer a new guest's disks; the root disk of an image which was made of a fake guest holds what that one wrote."""
        disks = contents(request.instance)
        source = request.image
        if source is not None and source.size == SIZE:
            try:
                found = from_bytes(self.download(source))
            except OSError as error:
                raise BuildFailed("The image could not be fetched.", details=str(error)) from error
            if found is not None:
                disks["disk"] = found
        return disks


def _copies(guest: FakeGuest) -> dict[str, str]:
    return dict(guest.beside.get(COPIES, {}))


def _piece(uuid: str, image_id: str) -> str:
    return f"copy:{uuid}/{image_id}"
