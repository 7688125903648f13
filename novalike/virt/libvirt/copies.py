"""The files of copies of servers' disks: `<snapshots_directory>/<server's uuid>/<image's id>/`.

`delta` is what a live copy mirrors into, `part` the flat file while it is made, `copy` that file when it is complete, and
`frozen` stands there while the guest's file systems are at rest for it.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterator

from novalike.concurrency import native
from novalike.exception import NovalikeError

_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
DELTA, PART, COPY, FROZEN = "delta", "part", "copy", "frozen"


class Copies:
    """Finds and removes them."""

    def __init__(self, path: str) -> None:
        self._path = path

    def file(self, instance_uuid: str, image_id: str, name: str) -> str:
        """Answer the path of a file of a copy, whether it exists or not."""
        return os.path.join(self._folder(instance_uuid, image_id), name)

    def begin(self, instance_uuid: str, image_id: str) -> None:
        """Make a copy's folder, empty."""
        self.remove(instance_uuid, image_id)
        os.makedirs(self._folder(instance_uuid, image_id), mode=0o711)

    def remove(self, instance_uuid: str, image_id: str | None = None) -> None:
        """Remove a copy, or all of a server. Fine when there is none. Raises NovalikeError."""
        folder = os.path.join(self._path, _safe(instance_uuid)) if image_id is None else self._folder(instance_uuid, image_id)
        if os.path.isdir(folder):
            native(shutil.rmtree, folder, True)
            if os.path.isdir(folder):
                raise NovalikeError("The copy of the server's disk could not be removed.", details=folder)
        if image_id is not None:
            with contextlib.suppress(OSError):           # not empty, or not there
                os.rmdir(os.path.dirname(folder))

    def of(self, instance_uuid: str) -> tuple[str, ...]:
        """Answer for which images a server has copies, half-made ones as well."""
        try:
            return tuple(sorted(os.listdir(os.path.join(self._path, _safe(instance_uuid)))))
        except FileNotFoundError:
            return ()

    def leftovers(self, instance_uuid: str) -> tuple[str, ...]:
        """Answer the paths of a server's copies."""
        return tuple(os.path.join(self._path, instance_uuid, image_id) for image_id in self.of(instance_uuid))

    def all(self) -> Iterator[tuple[str, str, float]]:
        """Answer server, image and the time of the last change of each copy."""
        if not os.path.isdir(self._path):
            return
        for server in os.scandir(self._path):
            for image in os.scandir(server.path) if server.is_dir() else ():
                with contextlib.suppress(FileNotFoundError):
                    stamps = [os.stat(os.path.join(image.path, name)).st_mtime for name in os.listdir(image.path)]
                    yield server.name, image.name, max([image.stat().st_mtime, *stamps])

    def _folder(self, instance_uuid: str, image_id: str) -> str:
        return os.path.join(self._path, _safe(instance_uuid), _safe(image_id))


def _safe(name: str) -> str:
    if not _ID.fullmatch(name):
        raise NovalikeError("The copy has no proper name.", details=name[:100])
    return name
