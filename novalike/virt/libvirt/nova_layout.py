"""The files of a guest which Nova made: its disks as Nova names them, and their formats as it recorded them in `disk.info`.

Formats are never guessed: a raw disk may begin with whatever its guest wrote there, the header of another format too.
"""

from __future__ import annotations

import json
import os
import re

from novalike.exception import NotFound
from novalike.virt.libvirt import qcow2

ROOT, LOCAL, SWAP, CONFIG = "disk", "disk.local", "disk.swap", "disk.config"
_EPHEMERAL = re.compile(r"disk\.eph\d+")
_ISO_AT, _ISO = 32769, b"CD001"


def disks(folder: str) -> list[tuple[str, str, int]]:
    """Answer name, format and virtual size (bytes) of the disks in a server's folder: root disk, ephemeral ones, swap, config drive.

    Raises NotFound when there is no root disk, or a disk whose format is not recorded.
    """
    try:
        there = set(os.listdir(folder))
    except OSError as error:
        raise NotFound("The server has no disks on this host.", details=str(error)) from error
    if ROOT not in there:
        raise NotFound("The server has no disks on this host.", details=folder)
    formats = _formats(folder)
    ephemeral = sorted((name for name in there if _EPHEMERAL.fullmatch(name)), key=lambda name: int(name[8:]))
    found = []
    for name in (ROOT, *([LOCAL] if LOCAL in there else ()), *ephemeral, *(name for name in (SWAP, CONFIG) if name in there)):
        kind = "raw" if name == CONFIG else formats.get(name)
        if kind not in ("raw", "qcow2"):
            raise NotFound("A disk of the server cannot be used on this host.", details=f"{folder}: the format of {name} is not recorded")
        path = os.path.join(folder, name)
        header = qcow2.header(path) if kind == "qcow2" else None
        found.append((name, kind, header.virtual_size if header is not None else os.path.getsize(path)))
    return found


def is_iso(path: str) -> bool:
    """Tell whether a config drive is a CD: Nova makes it one, unless it was told to make a FAT disk."""
    with open(path, "rb") as file:
        file.seek(_ISO_AT)
        return file.read(len(_ISO)) == _ISO


def _formats(folder: str) -> dict[str, str]:
    """Answer what `disk.info` says, by the names of files."""
    try:
        with open(os.path.join(folder, "disk.info"), "rb") as file:
            return {os.path.basename(path): str(kind) for path, kind in json.load(file).items()}
    except (OSError, ValueError, AttributeError):
        return {}
