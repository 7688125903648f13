"""What a disk image really is. Asked once, when it comes in at the door; afterwards the declared format is what counts.

Strict and small: everything that makes a hypervisor open something else than the image itself (backing files, data files,
extents elsewhere, parents, encryption) is refused. Nothing here trusts a length or offset it reads.
"""

from __future__ import annotations

import os
import re
import struct
import uuid
from collections.abc import Callable
from typing import BinaryIO

from novalike.exception import Invalid

#: How many bytes from the start `early` wants to see.
HEAD = 65536
RAW_FORMATS = frozenset({"raw", "ami", "ari", "aki"})
FORMATS = frozenset({"qcow2", "vmdk", "vhd", "vhdx", "vdi", "iso"}) | RAW_FORMATS

_MAGIC: tuple[tuple[str, int, bytes], ...] = (
    ("qcow2", 0, b"QFI\xfb"), ("vmdk", 0, b"KDMV"), ("vmdk", 0, b"COWD"), ("vmdk", 0, b"# Disk DescriptorFile"),
    ("vhd", 0, b"conectix"), ("vhdx", 0, b"vhdxfile"), ("vdi", 64, b"\x7f\x10\xda\xbe"), ("qed", 0, b"QED\0"),
    ("luks", 0, b"LUKS\xba\xbe"), ("iso", 32769, b"CD001"), ("parallels", 0, b"WithoutFreeSpace"),
    ("parallels", 0, b"WithouFreSpacExt"),
)
_LARGEST = 1 << 60


class FormatMismatch(Invalid):
    """The bytes are not what disk_format declares, or hold what no image may hold."""


def early(head: bytes, declared: str) -> None:
    """Refuse by the first HEAD bytes what can be refused: long before the last byte arrives. Raises FormatMismatch."""
    found = _seen(head)
    if declared in RAW_FORMATS:
        _refuse(found - {"iso"}, declared)
    elif declared == "vhd":
        _refuse(found - {"vhd"}, declared)       # a fixed one tells only at its end
    elif declared not in found:
        raise FormatMismatch(f"Image content does not match disk_format {declared}: {_worded(found)}.")
    else:
        _refuse(found - {declared}, declared)


def inspect(file: BinaryIO, declared: str) -> int:
    """Check a whole image against its declared format and answer its virtual size in bytes. Raises FormatMismatch."""
    size = file.seek(0, os.SEEK_END)
    early(_at(file, 0, HEAD), declared)
    tail = _at(file, max(0, size - 512), 512)
    if declared in RAW_FORMATS and tail[:8] == b"conectix":
        _refuse({"vhd"}, declared)
    virtual = _CHECKS[declared](file, size) if declared in _CHECKS else size
    if not 0 <= virtual <= _LARGEST:
        raise FormatMismatch(f"The {declared} image declares an impossible virtual size.")
    return virtual


def _seen(head: bytes) -> set[str]:
    return {name for name, at, magic in _MAGIC if head[at : at + len(magic)] == magic}


def _refuse(found: set[str], declared: str) -> None:
    if found:
        raise FormatMismatch(f"Image content does not match disk_format {declared}: {_worded(found)}.")


def _worded(found: set[str]) -> str:
    return f"it looks like {' and '.join(sorted(found))}" if found else "it does not look like it"


def _at(file: BinaryIO, offset: int, length: int) -> bytes:
    file.seek(offset)
    return file.read(length)


def _unpack(form: str, raw: bytes, offset: int, kind: str) -> tuple[int, ...]:
    try:
        return struct.unpack_from(form, raw, offset)
    except struct.error as error:
        raise FormatMismatch(f"The {kind} image is cut off.") from error


# --- qcow2 --------------------------------------------------------------------------------------------------------------

_QCOW2_DIRTY, _QCOW2_CORRUPT, _QCOW2_DATA_FILE, _QCOW2_COMPRESSION, _QCOW2_EXTENDED_L2 = (1 << bit for bit in range(5))
_QCOW2_FORBIDDEN = {0x44415441: "an external data file", 0x0537BE77: "encryption", 0xE2792ACA: "a backing file"}


def _qcow2(file: BinaryIO, size: int) -> int:
    head = _at(file, 0, HEAD)
    version, backing, backing_length, cluster_bits, virtual, crypt, l1_size, l1_offset = _unpack(">IQIIQIIQ", head, 4, "qcow2")
    if version not in {2, 3}:
        raise FormatMismatch(f"qcow2 version {version} is not supported.")
    if backing or backing_length:
        raise FormatMismatch("The qcow2 image has a backing file, which is not allowed.")
    if crypt:
        raise FormatMismatch("The qcow2 image is encrypted, which is not allowed.")
    if not 9 <= cluster_bits <= 21 or l1_offset % 512 or l1_offset + 8 * l1_size > size:
        raise FormatMismatch("The qcow2 image's header makes no sense.")
    header_length = 72
    if version == 3:
        incompatible, = _unpack(">Q", head, 72, "qcow2")
        header_length, = _unpack(">I", head, 100, "qcow2")
        if incompatible & _QCOW2_DATA_FILE:
            raise FormatMismatch("The qcow2 image has an external data file, which is not allowed.")
        if incompatible & ~(_QCOW2_DIRTY | _QCOW2_COMPRESSION | _QCOW2_EXTENDED_L2):
            raise FormatMismatch("The qcow2 image is marked corrupt or uses unknown features.")
        if header_length < 104 or header_length > 4096:
            raise FormatMismatch("The qcow2 image's header makes no sense.")
    _qcow2_extensions(head, header_length)
    return virtual


def _qcow2_extensions(head: bytes, at: int) -> None:
    while at + 8 <= len(head):
        kind, length = _unpack(">II", head, at, "qcow2")
        if kind == 0:
            return
        if kind in _QCOW2_FORBIDDEN:
            raise FormatMismatch(f"The qcow2 image has {_QCOW2_FORBIDDEN[kind]}, which is not allowed.")
        at += 8 + (length + 7) // 8 * 8
    raise FormatMismatch("The qcow2 image's header extensions make no sense.")


# --- VMDK ---------------------------------------------------------------------------------------------------------------

_VMDK_HEADER = "<4sIIQQQQIQQQ"
_VMDK_AT_END = 0xFFFFFFFFFFFFFFFF
_VMDK_TYPES = frozenset({"monolithicsparse", "streamoptimized"})
_VMDK_EXTENT = re.compile(r"^(RW|RDONLY|NOACCESS)\s+\d+\s+(\S+)", re.IGNORECASE)


def _vmdk(file: BinaryIO, size: int) -> int:
    head = _at(file, 0, 512)
    if head[:4] != b"KDMV":
        raise FormatMismatch("Only VMDK images of one file (monolithicSparse, streamOptimized) are allowed.")
    _, _, _, capacity, _, offset, length, _, _, directory, _ = _vmdk_header(head)
    # QEMU takes an image of capacity 0 for a text which names other files.
    if not capacity or not offset or not 0 < length <= 2048:
        raise FormatMismatch("The VMDK image's header makes no sense.")
    if directory == _VMDK_AT_END:
        footer = _vmdk_header(_at(file, max(0, size - 1024), 512))
        if (footer[0], footer[3], footer[5], footer[6]) != (b"KDMV", capacity, offset, length):
            raise FormatMismatch("The VMDK image's footer contradicts its header.")
    _vmdk_descriptor(_at(file, offset * 512, length * 512).split(b"\0", 1)[0].decode("latin-1"))
    return capacity * 512


def _vmdk_header(raw: bytes) -> tuple[bytes, int, int, int, int, int, int, int, int, int, int]:
    try:
        return struct.unpack_from(_VMDK_HEADER, raw)
    except struct.error as error:
        raise FormatMismatch("The VMDK image is cut off.") from error


def _vmdk_descriptor(text: str) -> None:
    settings: dict[str, str] = {}
    extents = []
    for line in (part.strip() for part in text.splitlines()):
        extent = _VMDK_EXTENT.match(line)
        if extent:
            extents.append(extent.group(2).upper())
        elif "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            settings[name.strip().lower()] = value.strip().strip('"').lower()
    if settings.get("createtype") not in _VMDK_TYPES:
        raise FormatMismatch("Only VMDK images of one file (monolithicSparse, streamOptimized) are allowed.")
    if extents != ["SPARSE"]:
        raise FormatMismatch("The VMDK image names extents outside of itself, which is not allowed.")
    if settings.get("parentcid", "ffffffff") != "ffffffff" or "parentfilenamehint" in settings:
        raise FormatMismatch("The VMDK image has a parent, which is not allowed.")


# --- VHD, VHDX, VDI, ISO ------------------------------------------------------------------------------------------------

def _vhd(file: BinaryIO, size: int) -> int:
    footer = _at(file, max(0, size - 512), 512)
    if footer[:8] != b"conectix":
        raise FormatMismatch("Image content does not match disk_format vhd: it does not look like it.")
    virtual, = _unpack(">Q", footer, 48, "VHD")
    kind, = _unpack(">I", footer, 60, "VHD")
    if kind not in {2, 3}:
        raise FormatMismatch("The VHD image is a differencing one or of an unknown kind, which is not allowed.")
    return virtual


_VHDX_METADATA = uuid.UUID("8b7ca206-4790-4b9a-b8fe-575f050f886e")
_VHDX_SIZE = uuid.UUID("2fa54224-cd1b-4876-b211-5dbed83bf4b8")
_VHDX_PARAMETERS = uuid.UUID("caa16737-fa36-4d43-b3b6-33f0aa44e76b")
_VHDX_PARENT = uuid.UUID("a8d35f2d-b30b-454d-abf7-d3d84834ab0c")


def _vhdx(file: BinaryIO, size: int) -> int:
    metadata = _vhdx_metadata(file)
    table = _at(file, metadata, 65536)
    if table[:8] != b"metadata":
        raise FormatMismatch("The VHDX image's metadata makes no sense.")
    count, = _unpack("<H", table, 10, "VHDX")
    virtual = None
    for entry in range(min(count, 2047)):
        at = 32 + 32 * entry
        item, (offset, length) = _guid(table, at), _unpack("<II", table, at + 16, "VHDX")
        if item == _VHDX_PARENT:
            raise FormatMismatch("The VHDX image has a parent, which is not allowed.")
        if item == _VHDX_PARAMETERS and _unpack("<II", _at(file, metadata + offset, 8), 0, "VHDX")[1] & 2:
            raise FormatMismatch("The VHDX image has a parent, which is not allowed.")
        if item == _VHDX_SIZE and length == 8:
            virtual, = _unpack("<Q", _at(file, metadata + offset, 8), 0, "VHDX")
    if virtual is None:
        raise FormatMismatch("The VHDX image does not tell its size.")
    return virtual


def _vhdx_metadata(file: BinaryIO) -> int:
    for place in (192 * 1024, 256 * 1024):
        table = _at(file, place, 65536)
        if table[:4] != b"regi":
            continue
        count, = _unpack("<I", table, 8, "VHDX")
        for entry in range(min(count, 2047)):
            at = 16 + 32 * entry
            if _guid(table, at) == _VHDX_METADATA:
                return _unpack("<Q", table, at + 16, "VHDX")[0]
    raise FormatMismatch("The VHDX image's regions make no sense.")


def _guid(raw: bytes, at: int) -> uuid.UUID | None:
    part = raw[at : at + 16]
    return uuid.UUID(bytes_le=part) if len(part) == 16 else None


def _vdi(file: BinaryIO, size: int) -> int:
    head = _at(file, 0, 512)
    kind, = _unpack("<I", head, 76, "VDI")
    virtual, = _unpack("<Q", head, 368, "VDI")
    if kind not in {1, 2} or any(head[424:456]):
        raise FormatMismatch("The VDI image is a differencing one or of an unknown kind, which is not allowed.")
    return virtual


_CHECKS: dict[str, Callable[[BinaryIO, int], int]] = {
    "qcow2": _qcow2, "vmdk": _vmdk, "vhd": _vhd, "vhdx": _vhdx, "vdi": _vdi,
}
