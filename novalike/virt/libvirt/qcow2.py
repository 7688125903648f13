"""The header of a qcow2 file, read without QEMU: even `qemu-img info` may open what a hostile header points at."""

from __future__ import annotations

import struct
from dataclasses import dataclass

MAGIC = b"QFI\xfb"
_FIXED = struct.Struct(">4sIQIIQI")            # magic, version, backing offset and size, cluster bits, virtual size, encryption
_FEATURES_AT, _DATA_FILE_BIT = 72, 1 << 2
_LENGTH_AT, _FIXED_LENGTH = 100, 72            # where version 3 says how long the header is, and its length in version 2
_BACKING_FORMAT = 0xE2792ACA
_HEAD = 65536


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What matters of a header. Sizes in bytes."""

    version: int
    virtual_size: int
    has_backing_file: bool
    has_data_file: bool
    encrypted: bool

    @property
    def objection(self) -> str | None:
        """Answer why a user's image with this header is refused; None when it is fine."""
        if self.version not in (2, 3):
            return f"its qcow2 version is {self.version}"
        if self.has_backing_file:
            return "it has a backing file"
        if self.has_data_file:
            return "it has an external data file"
        if self.encrypted:
            return "it is encrypted"
        return None


def header(path: str) -> Header | None:
    """Read a file's header; None when it is no qcow2 file. Raises OSError."""
    with open(path, "rb") as file:
        start = file.read(104)
    if len(start) < _FIXED.size or start[:4] != MAGIC:
        return None
    _, version, backing, _, _, size, encryption = _FIXED.unpack_from(start)
    features = struct.unpack_from(">Q", start, _FEATURES_AT)[0] if version >= 3 and len(start) >= _FEATURES_AT + 8 else 0
    return Header(
        version=version, virtual_size=size, has_backing_file=backing != 0, has_data_file=bool(features & _DATA_FILE_BIT),
        encrypted=encryption != 0,
    )


@dataclass(frozen=True, slots=True)
class Backing:
    """The file which a disk of ours is based on, and how it is to be read (None: an old disk which does not say)."""

    path: str
    format: str | None


def backing(path: str) -> Backing | None:
    """Answer what a disk which we made is based on; None for nothing, and for files of other formats. Raises OSError."""
    with open(path, "rb") as file:
        start = file.read(_HEAD)
    if len(start) < _FIXED.size or start[:4] != MAGIC:
        return None
    _, version, offset, length, _, _, _ = _FIXED.unpack_from(start)
    if not offset or offset + length > len(start):
        return None
    at = struct.unpack_from(">I", start, _LENGTH_AT)[0] if version >= 3 else _FIXED_LENGTH
    file_format = None
    while at + 8 <= offset:
        kind, size = struct.unpack_from(">II", start, at)
        if kind == 0:
            break
        if kind == _BACKING_FORMAT:
            file_format = start[at + 8:at + 8 + size].decode(errors="replace")
        at += 8 + (size + 7) // 8 * 8
    return Backing(start[offset:offset + length].decode(errors="surrogateescape"), file_format)
